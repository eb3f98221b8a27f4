"""Exchanges of single amino acids in a structure: the exchange, its site and its effect, as numbers.

Structures and tables of mutations enter; checked mutations and named numbers of sites and substitutions leave.
"""
