"""
Predict binding affinities
==========================

A random forest learns free energies of binding from counts of contacts between protein and ligand, and predicts those
of ligands that it has not seen, with intervals. Here all ligands bind to one protein; :doc:`/results/affinity` says
what to expect for others. For folders of structures, use ``holo affinity fit`` and ``holo affinity predict``.
"""

import matplotlib.pyplot as plt
import numpy as np

from holo_downstream import StudySettings, example_series, read_labels, read_vectors, run_study

vectors, labels = example_series()  # p38 kinase and 34 ligands, in kcal/mol
settings = StudySettings("forest", seeds=2)
study = run_study(read_vectors(vectors), read_labels(labels, unit="kcal/mol"), settings)
print(study.summary())

# %%
# The bars are the intervals of the predictions, which are meant to contain nine of ten labels and all have one width.

seen = study.splits == "test"
predicted = np.nanmean(study.predictions, axis=0)[seen]
plt.figure("Measured and predicted affinities of seven ligands of p38 kinase", figsize=(4.5, 4.5))
plt.errorbar(study.labels[seen], predicted, study.predictor.half_width, fmt="o")
plt.axline((7.5, 7.5), slope=1, color="0.6", ls="--")
plt.xlabel("measured pK")
plt.ylabel("predicted pK")
