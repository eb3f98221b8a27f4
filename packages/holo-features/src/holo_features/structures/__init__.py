"""A structure: the atoms that are used of a file, one conformer of each residue, and what is computed of them.

What `readers` gives enters; a `Structure` leaves, with charges, surface areas and secondary structure.
"""
