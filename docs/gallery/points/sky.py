"""
Recognize stars in a rotated photograph
=======================================

A photograph shows stars, but not where north is. The stars around each star form a cloud of points, whose invariants
say which star of the catalog it is. Here, the photograph shows nine stars of the Pleiades.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial.distance import cdist

from holo_downstream import power_spectrum
from holo_features import zernike_transform
from holo_types import Basis, PointClouds, Zernike


def describe(stars):
    around = (stars - stars[:, None]).reshape(-1, 3)
    clouds = PointClouds(around, np.ones((81, 1)), np.arange(0, 82, 9), ("star",))
    return power_spectrum(zernike_transform(clouds, Basis(8, Zernike(nmax=12, cutoff=1.5), ("star",))))


names = "Alcyone Atlas Electra Maia Merope Taygeta Pleione Celaeno Asterope".split()
# Right ascension × cos 24.2° and declination, in degrees.
x = [51.875, 52.258, 51.280, 51.497, 51.611, 51.356, 52.264, 51.264, 51.516]
y = [24.105, 24.053, 24.113, 24.368, 23.948, 24.467, 24.137, 24.290, 24.555]
catalog = np.stack([x, y, np.zeros(9)], axis=1) - (51.7, 24.2, 0)
# Turned by 130°, and read to 0.01°.
photograph = (catalog[::-1] @ [[-0.64, 0.77, 0], [-0.77, -0.64, 0], [0, 0, 1]]).round(2)

# %%
# Each star in the photograph has the name of the star in the catalog whose invariants are nearest.

found = cdist(describe(photograph), describe(catalog)).argmin(axis=1)
axes = plt.figure("The photograph with the names found").add_subplot(aspect="equal", frame_on=False)
axes.scatter(*photograph[:, :2].T, marker="*", s=90)
for star, number in zip(photograph, found, strict=True):
    axes.annotate(names[number], star[:2], (6, 4), textcoords="offset points")
