"""What an embedding knows: classifiers, neighbors and clusters on vectors.

Embeddings with labels enter; accuracies and scores leave.
"""
