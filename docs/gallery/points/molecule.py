"""
Find the equivalent atoms of a molecule
=======================================

Holograms are not limited to proteins: any points with weights will do. Here each carbon of p-xylene is described by the
carbons and hydrogens around it. Atoms that a symmetry of the molecule exchanges have the same invariants.
"""

import matplotlib.pyplot as plt
import numpy as np
from rdkit import Chem
from rdkit.Chem.rdDistGeom import EmbedMolecule
from rdkit.Chem.rdForceFieldHelpers import MMFFOptimizeMolecule
from scipy.spatial.distance import cdist

from holo_downstream import power_spectrum
from holo_features import zernike_transform
from holo_types import Basis, PointClouds, Zernike

molecule = Chem.AddHs(Chem.MolFromSmiles("Cc1ccc(C)cc1"))
EmbedMolecule(molecule, randomSeed=0)
MMFFOptimizeMolecule(molecule, maxIters=2000)
places = molecule.GetConformer().GetPositions()  # Å, the eight carbons first
elements = np.array(
    [[atom.GetSymbol() == name for name in "CH"] for atom in molecule.GetAtoms()], dtype=float
)

# %%
# The norms of the coefficients of each channel, radial order and degree are invariants that need no training.

around = (places - places[:8, None]).reshape(-1, 3)
clouds = PointClouds(around, np.tile(elements, (8, 1)), np.arange(9) * len(places), ("C", "H"))
invariants = power_spectrum(zernike_transform(clouds, Basis(4, Zernike(nmax=8, cutoff=9.0), ("C", "H"))))
_, (left, right) = plt.subplots(
    1, 2, num="The carbons of p-xylene, and how far apart their invariants are", figsize=(9, 4)
)
flat = (places[:8] - places[:8].mean(axis=0)) @ np.linalg.svd(places[:8] - places[:8].mean(axis=0))[2][:2].T
left.scatter(*flat.T, s=400, c=[0, 1, 2, 2, 1, 0, 2, 2], cmap="Set2")
for number, place in enumerate(flat):
    left.text(*place, str(number), ha="center", va="center")
left.set(aspect="equal", title="carbons by symmetry")
left.margins(0.2)
right.imshow(cdist(invariants, invariants), cmap="magma")
right.set(title="distances of invariants (black: 0)", xlabel="carbon", ylabel="carbon")
