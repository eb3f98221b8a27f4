"""What a model expects of surroundings, beside its head asked by hand."""

import attrs
import numpy as np
import pytest
import torch

from holo_features import (
    STANDARD_AMINO_ACIDS,
    Structure,
    alpha_carbons,
    datasets,
    neighborhoods,
    read_structure,
    residue_numbers,
    zernike_transform,
)
from holo_types import Basis, HoloError, Zernike
from holo_vae import HolographicAutoencoder, Model, ModelConfig, fill_in
from holo_vae.recipes.model import Condition

BASIS = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=8.0), channels=("C", "N", "O", "S"))
HEADS = (
    Condition(column="secondary_structure", categories=("helix", "coil")),
    Condition(column="residue_name", categories=STANDARD_AMINO_ACIDS),
)


def untrained(heads: tuple[Condition, ...] = HEADS, basis: Basis = BASIS) -> Model:
    torch.manual_seed(0)
    config = ModelConfig(
        basis=basis, latent_dim=5, lmax=(2, 1), channels=(6, 6), initial_projection=6, heads=heads
    )
    return Model(HolographicAutoencoder(config), name="untrained")


@pytest.fixture(scope="module")
def structure() -> Structure:
    return read_structure(datasets.example_structures()[0])


def test_it_is_the_head_on_what_is_around_without_the_residue(structure: Structure) -> None:
    model = untrained()
    filled = fill_in(structure, model)
    clouds = neighborhoods(structure, 8.0, BASIS.channels, central_residue=False)
    z = model.encode(zernike_transform(clouds, BASIS)).invariants
    np.testing.assert_allclose(filled.surroundings.invariants, z, atol=1e-5)
    with torch.inference_mode():
        scores = model.network.heads[1](torch.from_numpy(z)).numpy()
    expected = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(filled.log_probabilities, expected, atol=1e-5)
    assert filled.residue_names == STANDARD_AMINO_ACIDS


def test_it_does_not_know_the_residue_that_is_there(structure: Structure) -> None:
    model, row = untrained(), 40
    own = (
        residue_numbers(structure.atoms)
        == residue_numbers(structure.atoms)[alpha_carbons(structure).atoms[row]]
    )
    kept = ~own | np.isin(structure.atoms.atom_name, ("N", "CA", "C", "O"))
    bare = attrs.evolve(structure, atoms=structure.atoms[kept])
    before, after = fill_in(structure, model), fill_in(bare, model)
    np.testing.assert_allclose(before.log_probabilities[row], after.log_probabilities[row], atol=1e-5)
    np.testing.assert_allclose(before.backbones.invariants[row], after.backbones.invariants[row], atol=1e-5)
    assert np.abs(before.log_probabilities - after.log_probabilities).max() > 1e-4  # its neighbors know


def test_some_sites_and_one_type_for_each(structure: Structure) -> None:
    model, rows = untrained(), np.array([9, 2])
    some = fill_in(structure, model, alpha_carbons(structure)[rows])
    whole = fill_in(structure, model).take(rows)
    np.testing.assert_allclose(some.log_probabilities, whole.log_probabilities, atol=1e-5)
    expected = [some.log_probabilities[0, 0], some.log_probabilities[1, 19]]
    np.testing.assert_array_equal(some.of(["ALA", "VAL"]), expected)
    for wrong in (["ALA"], ["ALA", "MSE"]):
        with pytest.raises(HoloError, match="there must be one each of ALA"):
            some.of(wrong)


def test_a_model_that_cannot_say_it_is_refused(structure: Structure) -> None:
    with pytest.raises(HoloError, match="model 'untrained' has no head"):
        fill_in(structure, untrained(()))
    with pytest.raises(HoloError, match="has heads on secondary_structure"):
        fill_in(structure, untrained(HEADS[:1]))
    images = Basis(lmax=2, radial=None, channels=("image",))
    with pytest.raises(HoloError, match="one of structures with a head on residue_name"):
        fill_in(structure, untrained(basis=images))
