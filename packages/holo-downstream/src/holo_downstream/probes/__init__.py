"""What an embedding encodes, measured with classifiers, neighbors and clusters on vectors.

Embeddings with labels enter; accuracies and scores leave.
"""
