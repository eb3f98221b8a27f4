"""Search: where else there is a residue, or a site of several, like this one, and how often chance gives as much.

Embeddings enter, and become an index, a folder of files. Neighbors of residues and matches of sites leave, each with
the number of hits as good that residues of unrelated proteins have by chance.
"""
