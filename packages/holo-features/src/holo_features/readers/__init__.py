"""Files of structures and molecules, read into columns of values.

PDB, mmCIF, BinaryCIF, PDBQT, SDF and MOL2 files enter; what they say leaves, unjudged: atoms as `RawAtoms`, molecules,
tables of categories. What a residue or a neighborhood is, no module here knows.
"""
