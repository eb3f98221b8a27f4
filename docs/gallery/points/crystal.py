"""
Tell the lattices of metals apart
=================================

Iron, nickel and cobalt pack their atoms in three ways: body-centered cubic, face-centered cubic and hexagonal
close-packed. The invariants of a site tell the three apart, even if thermal motion has displaced every atom.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

from holo_downstream import power_spectrum
from holo_features import zernike_transform
from holo_types import Basis, PointClouds, Zernike

cells = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3), axis=-1).reshape(-1, 1, 3)
iron = 2.87 * np.add(cells, [(0, 0, 0), (0.5, 0.5, 0.5)]).reshape(-1, 3)  # Å
nickel = 3.52 * np.add(cells, [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]).reshape(-1, 3)
prism = np.array([[2.51, 0, 0], [-1.255, 2.174, 0], [0, 0, 4.07]])
cobalt = np.add(cells, [(0, 0, 0), (1 / 3, 2 / 3, 0.5)]).reshape(-1, 3) @ prism

# %%
# A hundred sites of each, with 0.1 Å of thermal motion along each axis.


def invariants(atoms):
    moved = (atoms + np.random.default_rng(0).normal(0, 0.1, (100, len(atoms), 3))).reshape(-1, 3)
    clouds = PointClouds(moved, np.ones((len(moved), 1)), np.arange(101) * len(atoms), ("metal",))
    return power_spectrum(zernike_transform(clouds, Basis(6, Zernike(nmax=10, cutoff=5.0), ("metal",))))


places = PCA(2).fit_transform(np.concatenate([invariants(atoms) for atoms in (iron, nickel, cobalt)]))
plt.figure("Three hundred sites of three metals in the plane of their invariants", figsize=(5.5, 4.5))
plt.axes(xlabel="first principal component", ylabel="second principal component")
plt.plot(*places.reshape(3, 100, 2).T, ".", label=["iron (bcc)", "nickel (fcc)", "cobalt (hcp)"])
plt.legend()
