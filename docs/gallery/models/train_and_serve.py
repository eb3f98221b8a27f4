"""
Train a model, serve it, and send requests
==========================================

Residues of some proteins become holograms, a small model is trained on them, and a service answers requests with it.
The commands are those that you would type. They take minutes, so this page shows a recorded run (``nox -s gallery``).
"""

# sphinx_gallery_thumbnail_path = 'gallery/recorded/train_and_serve.png'
import subprocess

import matplotlib.pyplot as plt
import pandas as pd
import urllib3

from holo_features.datasets import example_structures
from holo_vae import Service, embed

*learned, unseen = map(str, example_structures()[:13])
subprocess.run(["holo", "structures", *learned, "--lmax=4", "--nmax=12", "--out=residues.h5"], check=True)
subprocess.run(["holo", "train", "residues.h5", "--out=run"], check=True)
server = subprocess.Popen(["holo", "serve", "--model=run/model", "--port=5017", "--workers=1"])
try:
    patience = urllib3.Retry(99, status_forcelist=[503], backoff_factor=0.5, backoff_max=5)
    urllib3.request("GET", "http://127.0.0.1:5017/ready", retries=patience)
    answer = Service("http://127.0.0.1:5017").embed([unseen])
finally:
    server.terminate()
apart = abs(answer.invariants - embed(unseen, "run/model").invariants).max()
print(len(answer), "residues; largest difference between service and local z:", apart)

axes = plt.figure("The loss of training and validation residues over the epochs", figsize=(6, 3.5)).gca()
pd.read_csv("run/history.csv").plot(y=["loss", "validation_loss"], ax=axes, xlabel="epoch", ylabel="loss")

# %%
# .. figure:: /gallery/recorded/train_and_serve.png
#    :alt: The loss of training and validation residues over the epochs
#    :figclass: job only-light
#
#    The loss of training and validation residues over the epochs.
#
# .. figure:: /gallery/recorded/train_and_serve_dark.png
#    :alt: The loss of training and validation residues over the epochs
#    :figclass: job only-dark
#
#    The loss of training and validation residues over the epochs.
#
# .. literalinclude:: /gallery/recorded/train_and_serve.txt
#    :language: text
