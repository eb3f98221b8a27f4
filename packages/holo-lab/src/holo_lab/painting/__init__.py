"""Structures colored by values of their residues, as PyMOL and ChimeraX show them.

A structure and a value for each of some residues enter; the structure with the values as its B-factors leaves, beside a
script for each of the two programs, and arrows for the frames. Nothing that a file says becomes a command in a script.
"""
