"""
Cluster residues by their surroundings
======================================

Which kinds of surroundings are there? The clusters in z follow the secondary structure, although k-means does not
know it.
"""

import matplotlib.pyplot as plt
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE

from holo_downstream import cluster_scores, standardization
from holo_features.datasets import example_structures
from holo_types import concatenate
from holo_vae import embed_structures

results = embed_structures(example_structures()[:8], "microenvironment-z128", secondary_structure=True)
embeddings = concatenate([result.embeddings for result in results])
z = standardization(embeddings.invariants).of(embeddings.invariants)
structure = embeddings.index["secondary_structure"]
print(cluster_scores(z, structure, clusters=12, starts=2))

# %%
# Purity is the share of residues whose secondary structure is the most frequent one in their cluster.

places = TSNE(random_state=0).fit_transform(z)
_, (left, right) = plt.subplots(1, 2, num="Residues of eight proteins in a t-SNE of z", figsize=(9, 4.4))
left.scatter(*places.T, c=KMeans(12, random_state=0).fit_predict(z), s=8, cmap="tab20")
left.set_title("twelve clusters")
for name in ("helix", "sheet", "coil"):
    right.scatter(*places[structure == name].T, s=8, label=name)
right.set_title("secondary structure (P-SEA)")
right.legend(markerscale=3)
