"""Binding affinities of a folder of complexes: what is computed of each, and which atoms a prediction rests on.

A folder with a table enters; features for `holo_downstream`'s predictors leave, and what each atom of a ligand adds.
"""
