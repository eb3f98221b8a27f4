"""Samples, interpolations and the canonical frame, beside what they are by definition."""

from functools import partial

import attrs
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from holo_nn import rotate
from holo_nn.testing import random_rotations
from holo_types import Basis, Embeddings, HoloError, Holograms, concatenate
from holo_vae import HolographicAutoencoder, Model, Recipe
from holo_vae.generation.coverage import coverage
from holo_vae.generation.densities import sample_fitted
from holo_vae.generation.sampling import (
    canonical,
    interpolate,
    sample_posterior,
    sample_prior,
    to_canonical_frame,
    traverse,
)
from holo_vae.networks.row_losses import row_cosine_losses
from holo_vae.recipes.model import Condition


@pytest.fixture
def model(recipe: Recipe) -> Model:
    torch.manual_seed(0)
    return Model(HolographicAutoencoder(attrs.evolve(recipe.model, variational=True)).double(), "vae")


@pytest.fixture
def conditional(recipe: Recipe) -> Model:
    torch.manual_seed(0)
    condition = Condition(column="structure", categories=tuple(f"s{i}" for i in range(8)))
    config = attrs.evolve(recipe.model, variational=True, condition=condition)
    return Model(HolographicAutoencoder(config).double(), "conditional")


def _turned(holograms: Holograms, rotation: torch.Tensor) -> Holograms:
    coefficients = torch.from_numpy(holograms.coefficients).double()
    return attrs.evolve(
        holograms, coefficients=rotate(coefficients, str(holograms.basis.irreps), rotation).numpy()
    )


def test_the_same_seed_draws_the_same_and_another_does_not(model: Model) -> None:
    first, again, other = (sample_prior(model, 5, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first.coefficients.shape == (5, model.config.basis.dim)
    assert not np.allclose(first.coefficients, other.coefficients)


def test_prior_samples_decode_normal_numbers_in_the_identity_frame(model: Model) -> None:
    z = np.random.default_rng(2).standard_normal((4, model.config.latent_dim))
    with torch.inference_mode():
        decoded = model.network.eval().decode(torch.from_numpy(z), torch.eye(3).double().expand(4, 3, 3))
    samples = sample_prior(model, 4, seed=2)
    expected = (decoded * model.network.scale).numpy()
    np.testing.assert_allclose(samples.coefficients, expected, atol=1e-12)


def test_samples_of_a_category_carry_it_and_differ_from_others(conditional: Model) -> None:
    samples = sample_prior(conditional, 2, "s3", seed=1)
    assert samples.index["structure"].tolist() == ["s3", "s3"]
    assert not np.allclose(samples.coefficients, sample_prior(conditional, 2, "s4", seed=1).coefficients)
    with pytest.raises(HoloError, match="is conditional"):
        sample_prior(conditional, 2)


def test_samples_of_a_learned_prior_are_of_the_mixture_of_their_category(
    conditional: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts, means and deviations of both components, of a category whose mixture is set by hand."""
    config = attrs.evolve(conditional.config, prior_components=2)
    learned = Model(HolographicAutoencoder(config).double(), "learned")
    prior = learned.network.prior
    assert prior is not None
    means = torch.tensor([[-50.0], [50.0]]).expand(2, learned.config.latent_dim)
    covariances = torch.diag_embed(torch.tensor([[1.0], [np.e**2]]).expand_as(means))
    prior.set_mixture(3, torch.tensor([0.75, 0.25]), means, covariances)
    given = _recorded(monkeypatch)
    sample_prior(learned, 4000, "s3")
    z = given[-1].invariants
    first = z[:, 0] < 0
    assert (first == (z < 0).T).all()  # one component in all dimensions
    assert first.mean() == pytest.approx(0.75, abs=0.03)
    np.testing.assert_allclose(z[first].mean(axis=0), -50, atol=0.1)
    np.testing.assert_allclose(z[~first].mean(axis=0), 50, atol=0.4)
    np.testing.assert_allclose(z[first].std(axis=0), 1, atol=0.1)
    np.testing.assert_allclose(z[~first].std(axis=0), np.e, atol=0.3)
    with pytest.raises(HoloError, match="is conditional"):
        sample_prior(learned, 2)


def test_posterior_samples_scatter_as_the_encoder_says(model: Model, holograms: Holograms) -> None:
    """Samples of a tiny variance are the reconstruction; the index repeats each row."""
    assert model.network.log_variance is not None
    with torch.no_grad():
        model.network.log_variance.weight.zero_()
        model.network.log_variance.bias.fill_(-40.0)
    samples = sample_posterior(model, holograms[:3], draws=2)
    assert samples.index["residue_number"].tolist() == [0, 0, 1, 1, 2, 2]
    reconstructed = model.decode(model.encode(holograms[:3])).coefficients
    np.testing.assert_allclose(samples.coefficients, reconstructed.repeat(2, axis=0), atol=1e-6)
    with torch.no_grad():
        model.network.log_variance.bias.zero_()
    wide = sample_posterior(model, holograms[:3], draws=2)
    assert not np.allclose(wide.coefficients[0], wide.coefficients[1], atol=1e-3)


def test_what_is_not_variational_has_nothing_to_draw_from(recipe: Recipe, holograms: Holograms) -> None:
    model = Model(HolographicAutoencoder(recipe.model), "ae")
    with pytest.raises(HoloError, match="'ae' is not variational: it has no prior"):
        sample_prior(model, 1)
    with pytest.raises(HoloError, match="no posterior"):
        sample_posterior(model, holograms)


def test_canonical_reconstructions_do_not_turn(model: Model, holograms: Holograms) -> None:
    still = canonical(model, model.encode(holograms))
    for rotation in random_rotations(3, seed=1):
        turned = canonical(model, model.encode(_turned(holograms, rotation)))
        np.testing.assert_allclose(turned.coefficients, still.coefficients, atol=1e-9)


def test_data_turned_to_its_frame_does_not_turn(model: Model, holograms: Holograms) -> None:
    encoded = model.encode(holograms)
    rotation = random_rotations(1, seed=2)[0]
    other = _turned(holograms, rotation)
    aligned = to_canonical_frame(holograms, encoded.frames)
    again = to_canonical_frame(other, model.encode(other).frames)
    np.testing.assert_allclose(again.coefficients, aligned.coefficients, atol=1e-4)  # of float32 data
    # The canonical reconstruction is as far from the aligned data as the reconstruction is from the data.
    losses = row_cosine_losses(holograms, model.decode(encoded))
    np.testing.assert_allclose(row_cosine_losses(aligned, canonical(model, encoded)), losses, atol=1e-5)


def test_rows_without_a_frame_are_not_turned(model: Model, holograms: Holograms) -> None:
    frames = np.zeros((80, 3, 3))
    assert np.array_equal(to_canonical_frame(holograms, frames).coefficients, holograms.coefficients)


def test_an_interpolation_begins_and_ends_in_the_reconstructions(model: Model, holograms: Holograms) -> None:
    encoded = model.encode(holograms[:2])
    ends = model.decode(encoded)
    for path in ("linear", "spherical"):
        steps = interpolate(model, encoded[:1], encoded[1:], 5, path=path)
        assert len(steps) == 5
        np.testing.assert_allclose(steps.coefficients[[0, -1]], ends.coefficients, atol=1e-9)
    aligned = interpolate(model, encoded[:1], encoded[1:], 3, frames="canonical")
    np.testing.assert_allclose(
        aligned.coefficients[[0, -1]], canonical(model, encoded).coefficients, atol=1e-12
    )


def test_frames_turn_evenly_and_z_keeps_to_its_arc(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2, 6))
    frames = random_rotations(2, seed=5).numpy()
    rows = Embeddings(z, frames, model.reference)
    decoded = _recorded(monkeypatch)
    interpolate(model, rows[:1], rows[1:], 5, path="spherical")
    (seen,) = decoded
    # The angle of each step by the trace of its rotation: all the same, a quarter of the whole.
    steps = [
        np.arccos((np.trace(b @ a.T) - 1) / 2) for a, b in zip(seen.frames, seen.frames[1:], strict=False)
    ]
    whole = np.arccos((np.trace(frames[1] @ frames[0].T) - 1) / 2)
    np.testing.assert_allclose(steps, whole / 4, rtol=1e-9)
    np.testing.assert_allclose(
        np.linalg.norm(seen.invariants, axis=1), np.linspace(*np.linalg.norm(z, axis=1), 5)
    )
    directions = seen.invariants / np.linalg.norm(seen.invariants, axis=1, keepdims=True)
    turns = np.arccos((directions[:-1] * directions[1:]).sum(axis=1))
    np.testing.assert_allclose(turns, turns[0])


def test_an_interpolation_names_what_it_cannot_use(model: Model, holograms: Holograms) -> None:
    encoded = model.encode(holograms[:2])
    with pytest.raises(HoloError, match="start has 2 rows; it must have one"):
        interpolate(model, encoded, encoded[1:])
    with pytest.raises(HoloError, match="steps is 1"):
        interpolate(model, encoded[:1], encoded[1:], 1)
    symmetric = attrs.evolve(encoded[1:], frames=np.zeros((1, 3, 3)))
    with pytest.raises(HoloError, match="frame of end is not defined"):
        interpolate(model, encoded[:1], symmetric)
    assert len(interpolate(model, encoded[:1], symmetric, 3, frames="canonical")) == 3


def test_a_traversal_changes_one_number(model: Model, holograms: Holograms) -> None:
    encoded = model.encode(holograms[:1])
    z = encoded.invariants[0]
    steps = traverse(model, z, 2, np.array([z[2], z[2] + 3.0]))
    np.testing.assert_allclose(steps.coefficients[0], canonical(model, encoded).coefficients[0], atol=1e-12)
    assert not np.allclose(steps.coefficients[0], steps.coefficients[1])
    with pytest.raises(HoloError, match="dimension is 6; it must be from 0 to 5"):
        traverse(model, z, 6, np.zeros(2))


def test_a_fitted_density_is_that_of_z_of_the_class(
    conditional: Model, holograms: Holograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one component it is the normal distribution that has the mean and the covariance of the rows' z."""
    assert conditional.network.log_variance is not None
    with torch.no_grad():  # z of the posterior is its mean
        conditional.network.log_variance.weight.zero_()
        conditional.network.log_variance.bias.fill_(-40.0)
    rows = concatenate([holograms] * 3)
    decoded = _recorded(monkeypatch)
    samples = sample_fitted(conditional, rows, 20_000, "s3", components=1, seed=4)
    assert set(samples.index["structure"].tolist()) == {"s3"}
    z, own = decoded[0].invariants, conditional.encode(rows[rows.index["structure"] == "s3"]).invariants
    deviations = own.std(axis=0)
    np.testing.assert_allclose((z.mean(axis=0) - own.mean(axis=0)) / deviations, 0, atol=0.05)
    np.testing.assert_allclose(np.cov(z.T), np.cov(own.T, bias=True), atol=0.05 * deviations.max() ** 2)

    wanted = np.array(["s1", "s2"] * 3)
    again = [sample_fitted(conditional, rows, 6, wanted, components=2, seed=seed) for seed in (1, 1, 2)]
    assert again[0] == again[1] != again[2]
    assert again[0].index["structure"].tolist() == wanted.tolist()


def test_a_fitted_density_needs_rows_and_gives_a_deterministic_model_samples(
    recipe: Recipe, conditional: Model, holograms: Holograms
) -> None:
    model = Model(HolographicAutoencoder(recipe.model), "ae")
    assert len(sample_fitted(model, holograms, 5, components=3)) == 5
    with pytest.raises(HoloError, match="the rows are 80; a mixture of 50 components needs at least 100"):
        sample_fitted(model, holograms, 5, components=50)
    with pytest.raises(HoloError, match="the rows of s1 are 10"):
        sample_fitted(conditional, holograms, 5, "s1")
    with pytest.raises(HoloError, match="is not conditional"):
        sample_fitted(model, holograms, 5, "s1", components=3)
    with pytest.raises(HoloError, match="is conditional"):
        sample_fitted(conditional, holograms, 5, components=3)


def test_coverage_is_what_distances_between_all_rows_say(basis: Basis) -> None:
    rng = np.random.default_rng(3)

    def rows(count: int, width: float) -> tuple[Holograms, NDArray[np.int64]]:
        labels = np.arange(count) % 2
        middle = np.random.default_rng(9).normal(size=(2, basis.dim))
        return Holograms(middle[labels] + width * rng.normal(size=(count, basis.dim)), basis), labels

    (test, of_test), (training, of_training) = rows(60, 1.0), rows(80, 1.0)
    good, bad = rows(60, 1.0), rows(60, 4.0)
    measure = partial(coverage, test, training, test_labels=of_test, training_labels=of_training)
    found = measure(good[0], sample_labels=good[1])
    assert found.classes == (0, 1)
    assert np.mean(found.samples) == pytest.approx(np.mean(found.real), abs=0.2)
    worse = measure(bad[0], sample_labels=bad[1])
    assert worse.real == found.real  # the same halves
    assert max(worse.samples) < 0.1

    # Of 30 copies of a class's test rows as many are taken as half of its training rows are, and each is the nearest.
    assert min(measure(test, sample_labels=of_test).samples) >= 20 / 30
    # By cosine losses of all pairs, for one class.
    one, other = test[of_test == 0], training[of_training == 0]
    losses = np.stack(
        [row_cosine_losses(one, _repeated(other[row : row + 1], len(one))) for row in range(len(other))]
    )
    drawn = good[0][good[1] == 0][: len(other) // 2]
    sampled = np.stack(
        [row_cosine_losses(one, _repeated(drawn[row : row + 1], len(one))) for row in range(len(drawn))]
    )
    half = np.random.default_rng(0).permutation(len(other))[: len(other) // 2]
    expected = (sampled.min(axis=0) < losses[half].min(axis=0)).mean()
    assert found.samples[0] == pytest.approx(expected)

    with pytest.raises(HoloError, match="class 1 has 40 training rows and 0 samples"):
        measure(drawn, sample_labels=np.zeros(len(drawn)))


def _recorded(monkeypatch: pytest.MonkeyPatch) -> list[Embeddings]:
    """Return a list to which is added whatever a model decodes from now on."""
    decoded: list[Embeddings] = []
    decode = Model.decode

    def record(self: Model, embeddings: Embeddings, condition: int | str | None = None) -> Holograms:
        decoded.append(embeddings)
        return decode(self, embeddings, condition)

    monkeypatch.setattr(Model, "decode", record)
    return decoded


def _repeated(one: Holograms, count: int) -> Holograms:
    return one[np.zeros(count, int)]
