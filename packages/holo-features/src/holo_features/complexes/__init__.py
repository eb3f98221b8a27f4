"""Proteins with their ligands, found in folders, tables and ATOM3D's data sets, with their pockets and contacts.

Files of proteins and ligands enter; `Complex` objects, the surroundings of pocket residues, and tables of contacts and
ligands leave.
"""
