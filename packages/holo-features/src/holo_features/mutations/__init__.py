"""Single amino acids exchanged in a structure: what is to change, where it lies, and what it changes, as numbers.

Structures and tables of mutations enter; checked mutations and named numbers of sites and substitutions leave.
"""
