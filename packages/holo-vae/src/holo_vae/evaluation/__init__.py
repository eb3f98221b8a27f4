"""What a model is worth: reconstruction, equivariance, order in z, and its samples.

A `Model` and `Holograms` enter; figures, and sampled or interpolated holograms, leave.
"""
