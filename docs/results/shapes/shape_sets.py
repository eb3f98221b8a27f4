"""The meshes of the study, encoded once, with copies for training and with descriptors that need no training."""

from pathlib import Path

import attrs
import numpy as np
from halvings import Rotation
from jaxtyping import Float, Shaped

import holo_types
from holo_downstream import full_power_spectrum, power_spectrum
from holo_downstream.vectors.spectra import scalar_coefficients
from holo_features import distance_distribution, mesh_set, read_mesh, shell_harmonics
from holo_types import Holograms, NamedArrays
from holo_types.console import progress
from holo_vae import Recipe, ShapeData
from holo_vae.data.shape_sets import encode_shape_split

__all__ = ["ShapeSet", "shape_set"]


@attrs.frozen(eq=False)
class ShapeSet:
    """A set of encoded meshes.

    Parameters
    ----------
    turned
        A row for each mesh, rotated at random, which is used for evaluation.
    descriptors
        The descriptors of the same rows that need no training, by name.
    """

    turned: Holograms
    descriptors: dict[str, Float[np.ndarray, "meshes _"]]

    @property
    def labels(self) -> Shaped[np.ndarray, "meshes"]:
        """The class of each mesh."""
        return self.turned.index["label"]

    @property
    def names(self) -> Shaped[np.ndarray, "meshes"]:
        """The name of each mesh."""
        return self.turned.index["structure"]


def shape_set(source: Path, recipe: Recipe, folder: Path) -> ShapeSet:
    """Encode and describe the meshes of a folder, unless this was done before."""
    turned = holo_types.load(encoded(source, recipe, folder, rotation="each", copies=0), kind=Holograms)
    return ShapeSet(turned, _descriptors(source, turned, folder / "descriptors.h5"))


def encoded(source: Path, recipe: Recipe, folder: Path, *, rotation: Rotation, copies: int) -> Path:
    """Encode all meshes of a folder with a number of copies each, and return the file."""
    assert isinstance(recipe.data, ShapeData)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{rotation}-{copies}.h5"
    data = attrs.evolve(recipe.data, rotation=rotation, copies=copies)
    encode_shape_split(data, recipe.model.basis, mesh_set(source), path, workers=1)
    return path


def _descriptors(source: Path, turned: Holograms, path: Path) -> dict[str, Float[np.ndarray, "meshes _"]]:
    if not path.exists():
        paths = {mesh.name: mesh.path for mesh in mesh_set(source)}
        distances, shells = [], []
        with progress(len(turned), "describing shapes") as advance:
            for name in turned.index["structure"].tolist():
                mesh = read_mesh(paths[name])
                distances.append(distance_distribution(mesh))
                shells.append(shell_harmonics(mesh).ravel())
                advance(1)
        arrays = {"distances": np.array(distances), "shells": np.array(shells)}
        holo_types.save(NamedArrays("ShapeDescriptors", arrays), path)
    kept = holo_types.load(path, kind=NamedArrays)
    return {
        "l = 0": scalar_coefficients(turned).astype(np.float64),
        "power spectrum": power_spectrum(turned).astype(np.float64),
        "power spectrum, all pairs of channels": full_power_spectrum(turned).astype(np.float64),
        "spherical harmonics descriptor": kept.arrays["shells"],
        "D2 shape distribution": kept.arrays["distances"],
    }
