"""
Superpose surroundings by their frames
======================================

A frame rotates with the structure. Similar surroundings are therefore superposed by their frames alone, without
matching any atoms and without minimizing anything.
"""

import matplotlib.pyplot as plt
import numpy as np

from holo_features.datasets import example_structures
from holo_types import in_frame
from holo_vae import embed

files = {path.name[:6]: path for path in example_structures()}
aspartates = {"1c1y_A": 57, "1k5d_A": 65, "2g77_B": 88}  # the same residue in Rap1A, Ran and Rab33

# %%
# On the left are the chains around the three residues in the coordinates of their files; on the right, each is seen in
# its own frame.

title = "The chains within 15 Å of one aspartate of three GTPases, in their files and in their frames"
_, (before, after) = plt.subplots(1, 2, num=title, figsize=(9, 4.5))
for name, number in aspartates.items():
    embeddings = embed(files[name], "microenvironment-z128")
    row = int(np.flatnonzero(embeddings.index["residue_number"] == number)[0])
    chain = embeddings.centers - embeddings.centers[row]
    chain[np.linalg.norm(chain, axis=1) > 15] = np.nan  # breaks the line
    before.plot(*chain[:, :2].T, ".-", label=f"{name}, Asp{number}")
    after.plot(*in_frame(chain, embeddings.frames[row])[:, :2].T, ".-")
before.legend(loc="upper left", bbox_to_anchor=(0, 1.1))
for axes in (before, after):
    axes.set_aspect("equal")
    axes.set_axis_off()
