"""
Generate digits
===============

An autoencoder that was trained on MNIST encodes the digits of another collection, projected onto a sphere. A Gaussian
is fitted to the z of each digit, and samples from it are decoded to new digits. Some are upside down, because z
does not contain the orientation.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import zoom
from sklearn.datasets import load_digits

from holo_features import encode_images
from holo_lab.report.views import camera, sphere_view
from holo_types import Embeddings, concatenate
from holo_vae import canonical, load

model, rng = load("spherical-mnist-z16"), np.random.default_rng(0)
images, labels = load_digits(return_X_y=True)
larger = np.pad(
    zoom(images.reshape(-1, 8, 8), (1, 2.5, 2.5), order=1), ((0, 0), (4, 4), (4, 4))
)  # as in MNIST
seen = model.encode(concatenate(list(encode_images(larger, labels, rotation="fixed"))))
z = [seen.invariants[labels == digit] for digit in range(10)]
drawn = np.concatenate([rng.multivariate_normal(one.mean(axis=0), np.cov(one.T), 5) for one in z]).astype(
    np.float32
)

# %%
# Each digit is seen from the center of the sphere.

frames = np.tile(np.eye(3, dtype=np.float32), (50, 1, 1))
made = canonical(model, Embeddings(drawn, frames, seen.model))
pictures = sphere_view(made, camera(made))
_, axes = plt.subplots(5, 10, num="Five digits of each kind, drawn from z", figsize=(9, 4.7))
for number, picture in enumerate(pictures):
    axes[number % 5, number // 5].imshow(picture, origin="lower", cmap="gray_r", vmin=0)
    axes[number % 5, number // 5].set_axis_off()
