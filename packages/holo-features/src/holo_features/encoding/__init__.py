"""Many files to holograms: one after the other, over processes or over a cluster, with what was skipped.

Paths enter; `Holograms` leave in their order, each with its file's errors and skipped residues.
"""
