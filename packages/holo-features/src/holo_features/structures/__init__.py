"""Structures: the atoms of a file that are used, one conformer of each residue, and properties computed from them.

The output of `readers` enters; a `Structure` leaves, with charges, surface areas and secondary structure.
"""
