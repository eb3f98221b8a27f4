"""What a model expects of surroundings, beside its head asked by hand."""

import attrs
import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

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
from holo_types import Basis, Embeddings, HoloError, ModelReference, Zernike
from holo_vae import HolographicAutoencoder, Model, ModelConfig, fill_in, imprint
from holo_vae.filling import FilledIn
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
        with pytest.raises(HoloError, match="each needs one of ALA"):
            some.of(wrong)


def test_a_model_that_cannot_say_it_is_refused(structure: Structure) -> None:
    with pytest.raises(HoloError, match="model 'untrained' has no head"):
        fill_in(structure, untrained(()))
    with pytest.raises(HoloError, match="has heads on secondary_structure"):
        fill_in(structure, untrained(HEADS[:1]))
    images = Basis(lmax=2, radial=None, channels=("image",))
    with pytest.raises(HoloError, match="one of structures with a head on residue_name"):
        fill_in(structure, untrained(basis=images))


def of_odds(names: list[str], log_odds: np.ndarray) -> FilledIn:
    """Return the predictions of a model with these log-odds of all types, at residues with these names."""
    z = Embeddings(
        np.zeros((len(names), 2)),
        np.broadcast_to(np.eye(3), (len(names), 3, 3)).copy(),
        ModelReference("planted", "1", "0" * 64, "0" * 64),
        {"residue_name": names},
    )
    values = log_odds - np.logaddexp.reduce(log_odds, axis=1, keepdims=True)
    return FilledIn(z, z, STANDARD_AMINO_ACIDS, values)


@given(st.integers(0, 2**32 - 1), st.floats(-3, 3))
def test_a_planted_imprint_is_found_and_taken_away(seed: int, planted: float) -> None:
    """Both relatives have the same odds at each position, except that their own residue has an imprint in nats."""
    random = np.random.default_rng(seed)
    same, types = random.normal(size=(30, 20)) * 3, np.array(STANDARD_AMINO_ACIDS)
    names = [types[random.integers(20, size=30)] for _ in range(2)]
    ones, others = (of_odds(each.tolist(), same + planted * (types == each[:, None])) for each in names)
    found = imprint(ones, others)
    assert len(found) == (names[0] != names[1]).sum()
    np.testing.assert_allclose(found, planted, atol=1e-9)
    bare = ones.without_imprint(planted)
    np.testing.assert_allclose(
        bare.log_probabilities, of_odds(names[0].tolist(), same).log_probabilities, atol=1e-9
    )
    np.testing.assert_allclose(np.exp(bare.log_probabilities).sum(axis=1), 1, atol=1e-9)


def test_each_residue_has_its_other() -> None:
    filled = of_odds(["ALA", "GLY"], np.zeros((2, 20)))
    with pytest.raises(HoloError, match="imprint: 2 residues and 1"):
        imprint(filled, filled.take(np.array([0])))
    modified = of_odds(["ALA", "MSE"], np.zeros((2, 20)))
    with pytest.raises(HoloError, match="does not know MSE"):
        imprint(filled, modified)
    np.testing.assert_allclose(modified.without_imprint(1.0).log_probabilities[1], -np.log(20))
