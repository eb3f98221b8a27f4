"""One vector per row: embeddings, holograms and tables in the form that predictors learn from.

Files of embeddings, holograms or columns enter; validated vectors leave, pooled over structures on request.
"""
