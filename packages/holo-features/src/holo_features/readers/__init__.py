"""Readers of files of structures and molecules into columns of values.

PDB, mmCIF, BinaryCIF, PDBQT, SDF and MOL2 files enter; their content leaves without interpretation: atoms as
`RawAtoms`, molecules, and tables of categories. No module here knows about residues or neighborhoods.
"""
