"""Data that is put on a sphere: images as they are published, and shapes seen from inside.

Files of images and meshes enter; `SphereImages` and `Holograms` leave.
"""
