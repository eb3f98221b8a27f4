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

cube, prism = np.eye(3), np.array([[1, 0, 0], [-0.5, 0.75**0.5, 0], [0, 0, 1.623]])
lattices = {
    "iron (bcc)": (2.87 * cube, [(0, 0, 0), (0.5, 0.5, 0.5)]),
    "nickel (fcc)": (3.52 * cube, [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]),
    "cobalt (hcp)": (2.51 * prism, [(0, 0, 0), (1 / 3, 2 / 3, 0.5)]),
}
steps = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3), axis=-1).reshape(-1, 1, 3)
basis, rng = Basis(6, Zernike(nmax=10, cutoff=5.0), ("metal",)), np.random.default_rng(0)

# %%
# A hundred sites of each, with 0.15 Å of thermal motion along each axis.

invariants = []
for cell, sites in lattices.values():
    perfect = ((steps + np.array(sites)).reshape(-1, 3)) @ cell
    moved = perfect + rng.normal(0, 0.15, (100, *perfect.shape))
    clouds = PointClouds(
        moved.reshape(-1, 3), np.ones((moved.size // 3, 1)), np.arange(101) * len(perfect), ("metal",)
    )
    invariants.append(power_spectrum(zernike_transform(clouds, basis)))
places = PCA(2).fit_transform(np.concatenate(invariants))
plt.figure(
    "Three hundred sites of three metals in the plane of the principal components of their invariants",
    figsize=(5.5, 4.5),
)
for number, name in enumerate(lattices):
    plt.scatter(*places[100 * number : 100 * number + 100].T, s=12, label=name)
plt.xlabel("first component")
plt.ylabel("second component")
plt.legend()
