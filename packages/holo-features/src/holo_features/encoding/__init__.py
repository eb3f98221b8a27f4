"""Encoding of many files as holograms, one after the other, over processes or over a cluster.

Paths enter; `Holograms` leave in their order, each with its file's errors and skipped residues.
"""
