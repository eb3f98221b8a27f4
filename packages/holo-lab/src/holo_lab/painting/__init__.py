"""Structures colored by values of their residues, for PyMOL and ChimeraX.

A structure enters with values for some of its residues. The structure with the values as its B-factors leaves, with a
script for each of the two programs and arrows for the frames. No text from a file can become a command in a script.
"""
