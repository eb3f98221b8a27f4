"""Small molecules: their files, the meaning of atom types, and which residues of a structure form one molecule.

SDF and MOL2 files enter, and the atoms of structures; molecules leave. No module here knows about complexes.
"""
