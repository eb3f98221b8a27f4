"""Small molecules: files of them, what their atom types mean, and which residues of a structure are one molecule.

SDF and MOL2 files enter, and the atoms of structures; molecules leave. What a complex is, no module here knows.
"""
