"""Pages that show what a model or a predictor does, each one HTML file that opens offline.

A model, the rows on which it is evaluated and the figures that `holo_vae` or `holo_downstream` measured enter; a page
leaves. The folder `3dmol` contains the library that draws molecules in 3D, with its license.
"""
