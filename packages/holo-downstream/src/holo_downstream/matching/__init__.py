"""Matching: where sets of residues lie to each other as those of a site do.

A site and what resembles each of its residues enter, as arrays. Sets of residues that have partners in it leave, laid
on the site, the best first.
"""
