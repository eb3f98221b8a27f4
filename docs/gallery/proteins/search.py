"""
Find similar residues and sites
===============================

Is there a site like mine in other proteins? Four residues that bind GTP in Rap1A are found in the two other GTPases
among nine proteins. E is the number of equally good hits that are expected by chance. On the command line: ``holo
index`` and ``holo search``.
"""

import matplotlib.pyplot as plt

from holo_downstream import build_search_index, search_sites
from holo_features.datasets import example_structures
from holo_vae import embed

names = ("1c1y", "1k5d", "2g77", "1bvc", "1rhg", "1ten", "2rn2", "2dvw", "3nqn")
proteins = embed([path for path in example_structures() if path.name[:4] in names], "microenvironment-z128")
index = build_search_index(proteins)
hits = search_sites(index, proteins, "A:16,57,116,119", structure="1c1y_A").hits[:2]
print(*hits, sep="\n")

# %%
# The rotation and the translation of a hit superpose it on the query, and with it the whole chains.

plt.figure("The chains of Rap1A and the two hits, superposed by four residues each", figsize=(6, 6))
rap = proteins.centers[proteins.index["structure"] == "1c1y_A"]
plt.plot(*rap[:, :2].T, color="0.5", lw=4, label="Rap1A (1c1y_A)")
for hit, color in zip(hits, ("C1", "C0"), strict=True):
    moved = proteins.centers @ hit.rotation.T + hit.translation
    plt.plot(*moved[proteins.index["structure"] == hit.structure][:165, :2].T, color, label=hit.structure)
    plt.scatter(*moved[hit.rows][:, :2].T, color=color, s=90, zorder=3)
plt.axis("equal")
plt.axis("off")
plt.legend()
