"""
Find the equivalent atoms of a molecule
=======================================

Holograms are not limited to proteins: any points with weights will do. Here each carbon of p-xylene is described by the
carbons and hydrogens around it. Atoms that a symmetry of the molecule exchanges have the same invariants.
"""

import matplotlib.pyplot as plt
import numpy as np
from rdkit.Chem import AllChem

from holo_downstream import power_spectrum
from holo_features import zernike_transform
from holo_types import Basis, PointClouds, Zernike

molecule = AllChem.AddHs(AllChem.MolFromSmiles("Cc1ccc(C)cc1"))
AllChem.EmbedMolecule(molecule, randomSeed=0)
AllChem.MMFFOptimizeMolecule(molecule, maxIters=2000)
places = molecule.GetConformer().GetPositions()  # Å, the eight carbons first
elements = np.array([[atom.GetSymbol() == name for name in "CH"] for atom in molecule.GetAtoms()] * 8, float)

# %%
# The norms of the coefficients of each channel, radial order and degree are invariants that need no training.

clouds = PointClouds((places - places[:8, None]).reshape(-1, 3), elements, np.arange(9) * 18, ("C", "H"))
invariants = power_spectrum(zernike_transform(clouds, Basis(4, Zernike(nmax=8, cutoff=9.0), ("C", "H"))))
flat = places @ np.linalg.svd(places)[2][:2].T
axes = plt.figure("The atoms of p-xylene; equivalent carbons have one color").add_subplot(aspect="equal")
for bond in molecule.GetBonds():
    axes.plot(*flat[[bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()]].T, "o-", color="0.7", zorder=0)
carbons = axes.scatter(*flat[:8].T, s=400, c=np.linalg.norm(invariants, axis=1), cmap="plasma")
axes.set_axis_off()
plt.colorbar(carbons, label="norm of the invariants")
