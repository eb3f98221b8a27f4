"""The meshes of the study, encoded once, with copies for training and with descriptors that need no training."""

from pathlib import Path
from typing import Literal

import attrs
import numpy as np
import torch
from jaxtyping import Float, Shaped
from scipy.spatial.transform import Rotation

import holo_types
from holo_downstream import full_power_spectrum, power_spectrum
from holo_downstream.vectors.spectra import scalar_coefficients
from holo_features import distance_distribution, mesh_set, read_mesh, shell_harmonics
from holo_nn import rotate
from holo_types import Holograms, NamedArrays
from holo_types.console import progress
from holo_vae import Recipe, ShapeData
from holo_vae.data.shape_sets import encode_shape_split

__all__ = ["ShapeSet", "descriptors", "encoded", "shape_set", "turned"]


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
    """Encode and describe the meshes of a folder, rotated at random, unless this was done before."""
    turned = encoded(source, recipe, folder, rotation="each", copies=0)
    return ShapeSet(turned, _descriptors(source, turned, folder / "descriptors.h5"))


def encoded(
    source: Path, recipe: Recipe, folder: Path, *, rotation: Literal["fixed", "each"], copies: int
) -> Holograms:
    """Encode all meshes of a folder with a number of copies each, unless this was done before."""
    assert isinstance(recipe.data, ShapeData)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{rotation}-{copies}.h5"
    data = attrs.evolve(recipe.data, rotation=rotation, copies=copies)
    encode_shape_split(data, recipe.model.basis, mesh_set(source), path, workers=1)
    return holo_types.load(path, kind=Holograms)


def turned(rows: Holograms) -> Holograms:
    """Rotate each row at random, which is the same as rotating its mesh up to the error of the grid."""
    rotations = torch.from_numpy(Rotation.random(len(rows), random_state=0).as_matrix())
    coefficients = rotate(torch.from_numpy(rows.coefficients), str(rows.basis.irreps), rotations)
    return attrs.evolve(rows, coefficients=coefficients.numpy())


def descriptors(rows: Holograms) -> dict[str, Float[np.ndarray, "rows _"]]:
    """Return the descriptors of holograms that need no training, by name."""
    return {
        "l = 0": scalar_coefficients(rows).astype(np.float64),
        "power spectrum": power_spectrum(rows).astype(np.float64),
        "power spectrum, all pairs of channels": full_power_spectrum(rows).astype(np.float64),
    }


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
        **descriptors(turned),
        "spherical harmonics descriptor": kept.arrays["shells"],
        "D2 shape distribution": kept.arrays["distances"],
    }
