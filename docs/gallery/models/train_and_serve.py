"""
Train a model, serve it, and ask it
===================================

Residues of forty proteins become holograms, a small model is trained on them, and a service answers requests with it. These
are the commands that you would type. They take some minutes, so this page shows a recorded run (``nox -s gallery``).
"""

# sphinx_gallery_thumbnail_path = 'gallery/recorded/train_and_serve.png'
import csv
import subprocess

import matplotlib.pyplot as plt
import numpy as np

from holo_features.datasets import example_structures
from holo_vae import Service, embed

*learned, unseen = map(str, example_structures())
subprocess.run(["holo", "structures", *learned, "--lmax", "4", "--nmax", "12", "--out", "residues.h5"], check=True)
subprocess.run(["holo", "train", "residues.h5", "--out", "run"], check=True)
server = subprocess.Popen(["holo", "serve", "--model", "run/model", "--port", "5017", "--workers", "1"])
try:
    answer = Service("http://127.0.0.1:5017").embed([unseen])
finally:
    server.terminate()
print("z of the service and z computed here:", np.abs(answer.invariants - embed(unseen, "run/model").invariants).max(), "apart")

with open("run/history.csv", encoding="utf-8", newline="") as file:
    history = list(csv.DictReader(file))
plt.figure("The loss of the training and validation residues over the epochs", figsize=(6, 3.5))
for name in ("loss", "validation_loss"):
    plt.plot([float(epoch[name]) for epoch in history], label=name.replace("_", " "))
plt.xlabel("epoch")
plt.ylabel("loss")
plt.legend()

# %%
# .. figure:: /gallery/recorded/train_and_serve.png
#    :alt: The loss of the training and validation residues over the epochs
#    :figclass: job only-light
#
#    The loss of the training and validation residues over the epochs.
#
# .. figure:: /gallery/recorded/train_and_serve_dark.png
#    :alt: The loss of the training and validation residues over the epochs
#    :figclass: job only-dark
#
#    The loss of the training and validation residues over the epochs.
#
# .. literalinclude:: /gallery/recorded/train_and_serve.txt
#    :language: text
