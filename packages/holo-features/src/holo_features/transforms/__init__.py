"""The transforms between data about an origin and its coefficients.

`PointClouds` and `SphereImages` enter and `Holograms` leave, and the reverse; no module here knows about proteins.
"""
