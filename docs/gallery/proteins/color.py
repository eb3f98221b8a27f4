"""
Color a structure by what is unexpected
=======================================

A model that fills in residues predicts how probable each one is, given its surroundings alone. The surprise is written
to a file as the B-factor of each atom, by which PyMOL, ChimeraX and Mol* can color the structure.
"""

import matplotlib.pyplot as plt
import numpy as np

from holo_features import ResidueId, read_structure, values_of_atoms, write_structure
from holo_features.datasets import example_structures
from holo_vae import fill_in, load

(path,) = [path for path in example_structures() if path.name.startswith("2rn2_A")]
filled = fill_in(read_structure(path), load("microenvironment-fill-z128"))
names, numbers = (filled.surroundings.index[column] for column in ("residue_name", "residue_number"))
surprise = -filled.of(names.tolist())
residues = [ResidueId("A", number) for number in numbers.tolist()]
values = dict(zip(residues, surprise.tolist(), strict=True))
write_structure(read_structure(path), "surprise.cif", values_of_atoms(read_structure(path), values))

# %%
# At three of the most surprising positions of ribonuclease HI, mutations are known to stabilize it: A52I by 1.9, K95G
# by 1.9 and D134H by 2.3 kcal/mol (ThermoMutDB). The model has seen no measured stability.

x, y = filled.surroundings.centers[:, :2].T
plt.figure("The chain of ribonuclease HI, colored by how unexpected each residue is", figsize=(7, 5.5))
plt.plot(x, y, color="0.6", lw=1)
plt.scatter(x, y, c=surprise, s=20 + 25 * surprise, cmap="viridis", zorder=2)
for row in np.flatnonzero(np.isin(numbers, (52, 95, 134))):
    plt.text(x[row] + 1, y[row] + 0.7, f"{names[row].title()}{numbers[row]}", weight="bold")
plt.colorbar(label="−log probability of the residue (nats)")
plt.axis("off")
