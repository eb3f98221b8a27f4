"""The surroundings of points: the atoms near a residue's Cα or another center, with their channels and pose.

A `Structure` enters; `PointClouds` about each center leave.
"""
