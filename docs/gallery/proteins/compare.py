"""
Compare two structures
======================

Where do two structures differ, and where are they alike? Residues are matched by number or by sequence alignment, and
the distance of their z is measured. Nothing has to be superposed. Here, Rap1A and Rab33 are compared, two GTPases with
the same fold. On the command line: ``holo compare first.pdb second.pdb --out changes.csv``.
"""

import matplotlib.pyplot as plt

from holo_features import read_structure
from holo_features.datasets import example_structures
from holo_lab.comparison.changes import compare_structures
from holo_vae import load

files = {path.name[:6]: path for path in example_structures()}
rap, rab = (read_structure(files[name]) for name in ("1c1y_A", "2g77_B"))
changes = compare_structures(rap, rab, load("microenvironment-z128"))

# %%
# A distance of 1 means that two surroundings have no more in common than those of two random residues; half of the
# pairs lie below 0.5. The motif NKxD (residues 116 to 119) recognizes guanine and lies below 0.3.

numbers = changes.first["residue_number"]
plt.figure(
    "Distance between the surroundings of each residue of Rap1A and its partner in Rab33", figsize=(8, 3.2)
)
plt.bar(numbers, changes.distances / changes.random, width=1, color="C7")
for first, last, name in ((10, 17, "P loop"), (32, 38, "switch I"), (57, 61, "DxxG"), (116, 119, "NKxD")):
    plt.axvspan(first - 0.5, last + 0.5, alpha=0.4, color="C1")
    plt.text((first + last) / 2, 1.25, name, ha="center")
plt.axhline(changes.noise_floor / changes.random, ls="--", color="C0", label="noise of 0.2 Å")
plt.xlabel("residue of Rap1A")
plt.ylabel("distance of z (random: 1)")
plt.legend(loc="upper right")
