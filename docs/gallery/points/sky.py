"""
Recognize stars in a rotated photograph
=======================================

A photograph shows stars, but not where north is. The stars around each star form a cloud of points, whose invariants
say which star of the catalog it is. Here, the photograph shows nine stars of the Pleiades.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from holo_downstream import power_spectrum
from holo_features import zernike_transform
from holo_types import Basis, PointClouds, Zernike


def describe(stars):
    clouds = PointClouds(
        (stars - stars[:, None]).reshape(-1, 3), np.ones((81, 1)), np.arange(0, 82, 9), ("star",)
    )
    return power_spectrum(zernike_transform(clouds, Basis(8, Zernike(nmax=12, cutoff=1.5), ("star",))))


names = "Alcyone Atlas Electra Maia Merope Taygeta Pleione Celaeno Asterope".split()
# Right ascension × cos 24.2° and declination, in degrees.
x = [51.875, 52.258, 51.280, 51.497, 51.611, 51.356, 52.264, 51.264, 51.516]
y = [24.105, 24.053, 24.113, 24.368, 23.948, 24.467, 24.137, 24.290, 24.555]
catalog = np.stack([x, y, np.zeros(9)], axis=1) - (51.7, 24.2, 0)
photograph = catalog[::-1] @ [[-0.64, 0.77, 0], [-0.77, -0.64, 0], [0, 0, 1]]  # turned by 130°
photograph += np.random.default_rng(0).normal(0, 0.01, (9, 3))  # degrees

# %%
# The best assignment of the stars in the photograph to those of the catalog gives them their names.

found = linear_sum_assignment(cdist(describe(photograph), describe(catalog)))[1]
_, axes = plt.subplots(
    1, 2, num="The Pleiades in the catalog, and in a photograph with the names found", figsize=(9, 4.5)
)
for panel, stars, numbers in zip(axes, (catalog, photograph), (range(9), found), strict=True):
    panel.scatter(*stars[:, :2].T, marker="*", s=90)
    for star, number in zip(stars, numbers, strict=True):
        panel.annotate(names[number], star[:2], (6, 4), textcoords="offset points")
    panel.set(aspect="equal", xticks=[], yticks=[])
