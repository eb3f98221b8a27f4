"""The transforms between data about an origin and its coefficients.

`PointClouds` and `SphereImages` enter and `Holograms` leave, and back; nothing here knows what a protein is.
"""
