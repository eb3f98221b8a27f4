"""A vector a row: embeddings, holograms and tables as the vectors that are learned from.

Files of embeddings, holograms or columns enter; checked vectors leave, pooled over structures where it is asked for.
"""
