"""The mathematics of SO(3): irreps, Clebsch-Gordan coefficients, Wigner matrices, frames.

Numbers and tensors enter and leave, through functions without state; layers and processors are not known here.
"""
