"""Search for residues, or sites of several residues, that are similar to a query, with the number expected by chance.

Embeddings enter and become an index, a folder of files. Neighbors of residues and matches of sites leave, each with the
number of equally good hits that are expected by chance among unrelated proteins.
"""
