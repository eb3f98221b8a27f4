"""
Compare shapes
==============

Rays from all sides toward the center of a mesh measure how far away its surface is and how it is inclined. These
images on a sphere become a hologram, whose invariants compare shapes in any orientation. For folders of meshes, use
``holo shapes``.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial.distance import cdist
from trimesh import creation

from holo_downstream import power_spectrum
from holo_features import Mesh, shape_images, spherical_transform, turned
from holo_types import concatenate

shapes = creation.box((1, 2, 3)), creation.cone(1, 2), creation.cylinder(1, 3), creation.torus(2, 0.7)
names, rng = ("box", "cone", "cylinder", "torus"), np.random.default_rng(0)
meshes = [Mesh(np.array(shape.vertices), np.array(shape.faces)) for shape in shapes]
images = [shape_images(turned(mesh, rng), bandwidth=30)[0] for mesh in meshes for _ in range(3)]

# %%
# On the left is the first channel, the distance at which rays from all directions meet the torus in three orientations.
# On the right are the distances between the invariants of all twelve meshes.

invariants = power_spectrum(spherical_transform(concatenate(images), lmax=12))
title = "The torus seen from all sides in three orientations, and the distances between twelve meshes"
_, (left, right) = plt.subplots(1, 2, num=title, figsize=(9, 4.2), layout="constrained")
views = [np.pad(image.values[0, 0], ((0, 4), (0, 0)), constant_values=np.nan) for image in images[9:]]
left.imshow(np.concatenate(views), aspect="auto", cmap="magma")
left.set_axis_off()
right.imshow(cdist(invariants, invariants), cmap="magma")
right.set_xticks(range(1, 12, 3), names)
right.set_yticks(range(1, 12, 3), names)
