"""Data on a sphere: published images, and shapes by rays toward their centroid.

Files of images and meshes enter; `SphereImages` and `Holograms` leave.
"""
