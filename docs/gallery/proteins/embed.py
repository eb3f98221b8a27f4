"""
Embed a folder of structures
============================

Every residue becomes a vector z, which does not depend on how the structure is rotated, and a frame, which rotates
with it. On the command line: ``holo embed my-structures/ --out embeddings.parquet``.
"""

import matplotlib.pyplot as plt

from holo_features.datasets import example_structures
from holo_types import to_table
from holo_vae import embed

paths = example_structures()[:3]  # or a folder of your own, with PDB, mmCIF or BinaryCIF files
embeddings = embed(paths, "microenvironment-z128")
print(embeddings)

# %%
# As a table there is one row for each residue. The reconstruction loss says how well the model knows such
# surroundings: 0 is perfect, and about 1 is chance.

table = to_table(embeddings)
print(table[["structure", "residue_number", "residue_name", "reconstruction_cosine_loss"]].head(3))

first = embeddings.index["structure"] == embeddings.index["structure"][0]
plt.figure("The 128 components of z along the chain of sperm whale myoglobin (1BVC)", figsize=(7, 3.2))
plt.imshow(embeddings.invariants[first].T, aspect="auto", cmap="RdBu", vmin=-2, vmax=2)
plt.xlabel("residue")
plt.ylabel("component of z")
plt.colorbar(label="value")
