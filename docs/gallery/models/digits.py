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
from holo_types import concatenate
from holo_vae import load, sample_fitted

images, labels = load_digits(return_X_y=True)
larger = zoom(images.reshape(-1, 8, 8), (1, 2.5, 2.5), order=1)
padded = np.pad(larger, ((0, 0), (4, 4), (4, 4)))  # as in MNIST
digits = concatenate(list(encode_images(padded, labels, rotation="fixed")))
model = load("spherical-mnist-z16")
drawn = [sample_fitted(model, digits[labels == digit], 5, components=1) for digit in range(10)]

# %%
# Each digit is seen from the center of the sphere.

pictures = sphere_view(concatenate(drawn), camera(concatenate(drawn)))
_, axes = plt.subplots(5, 10, num="Five digits of each kind, drawn from z", figsize=(9, 4.7))
for panel, picture in zip(axes.T.flat, pictures, strict=True):
    panel.imshow(picture, origin="lower", cmap="gray_r", vmin=0)
    panel.set_axis_off()
