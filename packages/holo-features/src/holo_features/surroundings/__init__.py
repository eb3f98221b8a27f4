"""The surroundings of points: which atoms are near a residue's Cα or another center, in which channels and pose.

A `Structure` enters; `PointClouds` about each center leave.
"""
