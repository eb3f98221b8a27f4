"""Changes of stability by mutations, from a user's structures and table to a predictor, predictions and pictures.

Structures and tables of mutations enter; a folder with a predictor, or predictions with a heat map and a colored
structure, leave. The features are computed by `holo_features.mutations` and the models of holo-vae, and the predictor
is that of `holo_downstream.stability`.
"""
