"""Record the output of the published program of the spherical MNIST data set for random images.

    python record_sphere_images.py CHECKOUT OUT

CHECKOUT is a folder of https://github.com/gvisani/Holographic-VAE, whose experiments/mnist/src/preprocessing/gendata.py
is run; OUT is tests/golden/sphere_images.npz. Of its imports only numpy is needed, because the grid is passed to it.
"""

import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

BANDWIDTH = 8


def _program(path: Path) -> types.ModuleType:
    for name in ("lie_learn", "lie_learn.spaces", "lie_learn.spaces.S2", "torchvision"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["torchvision"].datasets = None  # type: ignore[attr-defined]
    spec = importlib.util.spec_from_file_location("gendata", path)
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


def main(checkout: Path, out: Path) -> None:
    """Write images, rotations in Holo's form, and the projected images."""
    program = _program(checkout / "experiments/mnist/src/preprocessing/gendata.py")
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (6, 28, 28)).astype(np.uint8)
    rotations = Rotation.random(6, random_state=generator).as_matrix()
    theta = np.pi * (2 * np.arange(2 * BANDWIDTH) + 1) / (4 * BANDWIDTH)
    phi = np.pi * np.arange(2 * BANDWIDTH) / BANDWIDTH
    theta, phi = np.meshgrid(theta, phi, indexing="ij")
    grid = (np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta))
    values = [
        program.project_2d_on_sphere(image[None].astype(np.float64), program.rotate_grid(rotation.T, grid))[0]
        for image, rotation in zip(images, rotations, strict=True)
    ]
    np.savez_compressed(out, images=images, rotations=rotations, values=np.array(values))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
