"""Measures of a model: its reconstruction, its equivariance, its samples, and what z is good for.

A `Model` enters, with `Holograms` or a folder of structures; figures leave.
"""
