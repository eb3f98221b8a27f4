"""What an embedding knows: classifiers, neighbours and clusters on vectors.

Embeddings with labels enter; accuracies and scores leave.
"""
