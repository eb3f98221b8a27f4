"""What mutations cost in stability, from a person's structures and table to a predictor, tables and pictures.

Files and tables of mutations enter; a folder with a predictor, or predictions with a heat map and a colored structure,
leave. The numbers are those of `holo_features.mutations`, the models of holo-vae, what is learned of
`holo_downstream.stability`.
"""
