"""A page on which residues are explored: the map of z, what lies around each residue, and its nearest neighbors.

Embeddings enter with the structures that they are of; one HTML file leaves, which fetches nothing and opens offline.
The folder `assets` holds the style sheet and the scripts of the page.
"""
