"""Pages that show what a model does, each one HTML file that opens offline.

A model, the rows it is judged on and the figures that `holo_vae` measured of them enter; a page leaves.
"""
