"""A page for exploring residues, with a map of z, the surroundings of each residue, and its nearest neighbors.

Embeddings enter with the structures from which they were made; one HTML file leaves, which fetches nothing and opens
offline. The folder `assets` contains the style sheet and the scripts of the page.
"""
