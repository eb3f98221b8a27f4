"""
Predict binding affinities
==========================

``holo affinity fit`` turns a folder of complexes with measured affinities into a predictor. Each complex is also
predicted once by a model that has not seen its scaffold, with an interval. Here all ligands bind to one protein;
:doc:`/results/affinity` says what to expect for others.
"""

import subprocess
import tempfile

import matplotlib.pyplot as plt
import pandas as pd

from holo_features.datasets import example_complexes

folder = example_complexes()  # or a folder of your own: structure files, and labels.csv, which names them
out = tempfile.mkdtemp()
fit = ["holo", "affinity", "fit", str(folder), "--unit=kcal/mol", f"--out={out}"]
print(subprocess.run(fit, check=True, stdout=subprocess.PIPE, text=True).stdout)

# %%
# The intervals are meant to contain nine of ten measured affinities. ``holo affinity predict`` predicts new
# complexes.

table = pd.read_csv(f"{out}/cross-validated.csv")
error = table["prediction"] - table["lower"], table["upper"] - table["prediction"]
plt.figure("Measured and predicted affinities of 34 ligands of p38 kinase", figsize=(4.5, 4.5))
plt.axes(xlabel="measured pK", ylabel="predicted pK")
plt.errorbar(table["label"], table["prediction"], error, fmt="o", elinewidth=0.7)
plt.axline((7, 7), slope=1, color="0.6", ls="--")
