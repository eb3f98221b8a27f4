"""z of real surroundings is continuous where the basis has an envelope, with weights that nobody has trained."""

import attrs
import numpy as np
import pytest
import torch
from jaxtyping import Float
from scipy.stats import special_ortho_group

from holo_features import datasets, neighborhoods, read_structure, zernike_transform
from holo_types import Basis, PointClouds, Zernike
from holo_vae import HolographicAutoencoder, Model, ModelConfig

CHANNELS = ("C", "N", "O", "S")


def fresh(envelope: float | None) -> Model:
    basis = Basis(4, Zernike(12, 10.0, envelope=envelope), CHANNELS)
    config = ModelConfig(
        basis=basis, latent_dim=32, lmax=(3, 2, 1), channels=(16,) * 3, initial_projection=16
    )
    torch.manual_seed(5)
    return Model(HolographicAutoencoder(config).eval(), "fresh")


def embedded(model: Model, clouds: PointClouds) -> Float[np.ndarray, "n d"]:
    return model.encode(zernike_transform(clouds, model.config.basis)).invariants


def median_distance(z: Float[np.ndarray, "n d"]) -> float:
    first, second = np.random.default_rng(0).integers(len(z), size=(2, 2000))
    return float(np.median(np.linalg.norm(z[first] - z[second], axis=1)))


def steepest(model: Model, clouds: PointClouds, row: int) -> float:
    """Carry an atom from 8 to 12 Å in steps of 0.01 Å: the longest step of z, in median distances per Å."""
    cloud = clouds[row : row + 1]
    radii = np.linspace(8, 12, 401)
    distances = np.linalg.norm(cloud.coordinates, axis=1)
    chosen = int(np.argmin(np.abs(distances - 8)))
    coordinates = np.repeat(cloud.coordinates[None], len(radii), axis=0).astype(np.float64)
    coordinates[:, chosen] *= radii[:, None] / distances[chosen]
    carried = PointClouds(
        coordinates.reshape(-1, 3),
        np.tile(cloud.weights, (len(radii), 1)),
        np.arange(len(radii) + 1) * len(distances),
        CHANNELS,
    )
    steps = np.linalg.norm(np.diff(embedded(model, carried), axis=0), axis=1)
    return float(steps.max()) / 0.01 / median_distance(embedded(model, clouds))


@pytest.mark.parametrize("number", [0, 7, 20])
def test_z_moves_little_as_an_atom_leaves(number: int) -> None:
    clouds = neighborhoods(read_structure(datasets.example_structures()[number]), 13.0, CHANNELS)
    row = len(clouds) // 2
    assert steepest(fresh(1.5), clouds, row) < 1
    assert steepest(fresh(None), clouds, row) > 3


def test_z_of_files_that_are_turned_and_rounded_agrees() -> None:
    """As PDB's three decimals do: no residue moves by 1 % of the median distance of two."""
    rotation = special_ortho_group.rvs(3, random_state=2)
    worst: dict[float | None, list[float]] = {1.5: [], None: []}
    for path in datasets.example_structures()[:4]:
        structure = read_structure(path)
        atoms = structure.atoms.copy()
        atoms.coord = np.round(atoms.coord.astype(np.float64) @ rotation.T, 3).astype(np.float32)
        moved = attrs.evolve(structure, atoms=atoms)
        for envelope, found in worst.items():
            z, other = (
                embedded(fresh(envelope), neighborhoods(each, 10.0, CHANNELS)) for each in (structure, moved)
            )
            found.append(float(np.linalg.norm(other - z, axis=1).max()) / median_distance(z))
    assert max(worst[1.5]) < 0.01 < max(worst[None])
