"""The surroundings of points: which atoms are near a residue's Cα or another centre, in which channels and pose.

A `Structure` enters; `PointClouds` about each centre leave.
"""
