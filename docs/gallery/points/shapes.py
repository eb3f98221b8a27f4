"""
Compare shapes
==============

Rays from all sides toward the center of a mesh measure how far away its surface is and how it is inclined. These
images on a sphere become a hologram, whose invariants compare shapes in any orientation. For folders of meshes, use
``holo shapes``.
"""

import matplotlib.pyplot as plt
import numpy as np
import trimesh
from scipy.spatial.distance import cdist

from holo_downstream import power_spectrum
from holo_features import Mesh, shape_images, spherical_transform
from holo_types import concatenate

make = trimesh.creation
shapes = {
    "box": make.box((1, 2, 3)),
    "cone": make.cone(1, 2),
    "cylinder": make.cylinder(1, 3),
    "torus": make.torus(2, 0.7),
}
rng, images = np.random.default_rng(0), []
for shape in shapes.values():
    for _ in range(3):  # each in three orientations
        turned = shape.copy().apply_transform(trimesh.transformations.random_rotation_matrix(rng.random(3)))
        images.append(shape_images(Mesh(np.array(turned.vertices), np.array(turned.faces)), bandwidth=30)[0])

# %%
# On the left is the first channel, the distance at which rays from all directions meet the torus in three orientations.
# On the right are the distances between the invariants of all twelve meshes.

invariants = power_spectrum(spherical_transform(concatenate(images), lmax=12))
figure = plt.figure(
    "The torus seen from all sides in three orientations, and the distances between twelve meshes",
    figsize=(9, 4.2),
)
grid = figure.add_gridspec(3, 2)
for row in range(3):
    axes = figure.add_subplot(grid[row, 0])
    axes.imshow(images[9 + row].values[0, 0], aspect="auto", cmap="magma")
    axes.set(xticks=[], yticks=[])
axes = figure.add_subplot(grid[:, 1])
axes.imshow(cdist(invariants, invariants), cmap="magma")
axes.set_xticks(range(1, 12, 3), list(shapes))
axes.set_yticks(range(1, 12, 3), list(shapes))
