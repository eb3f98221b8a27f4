"""Binding affinities of a folder of complexes: the features of each, and the atoms on which a prediction is based.

A folder with a table enters. Features for the predictors of `holo_downstream` leave, and the contribution of each
atom of a ligand.
"""
