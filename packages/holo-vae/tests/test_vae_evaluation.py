import attrs
import numpy as np
import pytest

from holo_types import HoloError, Holograms
from holo_vae import (
    Recipe,
    equivariance_errors,
    evaluate,
    initial_model,
    mean_hologram_cosine,
    reconstruction,
)
from holo_vae.evaluation import row_cosines


def _cosine(x: np.ndarray, y: np.ndarray, holograms: Holograms) -> float:
    """Evaluate the definition of DESIGN §5, s = +1, row by row."""
    weights = np.concatenate(
        [np.full(mul * (2 * degree + 1), np.sqrt(2 * degree + 1)) for mul, degree in holograms.basis.irreps]
    )
    return 1 - (weights * x * y).sum() / np.sqrt((weights * x * x).sum() * (weights * y * y).sum())


def test_row_cosines_are_the_definition(holograms: Holograms) -> None:
    rng = np.random.default_rng(1)
    other = attrs.evolve(holograms, coefficients=rng.normal(size=holograms.coefficients.shape))
    losses = row_cosines(holograms, other)
    for row in range(0, 80, 13):
        x, y = holograms.coefficients[row].astype(float), other.coefficients[row]
        assert losses[row] == pytest.approx(_cosine(x, y, holograms), abs=1e-10)


def test_an_empty_hologram_has_cosine_loss_one(holograms: Holograms) -> None:
    zero = attrs.evolve(holograms, coefficients=np.zeros_like(holograms.coefficients))
    assert (row_cosines(zero, holograms) == 1).all()


def test_the_mean_hologram_is_perfect_for_equal_rows(holograms: Holograms) -> None:
    same = holograms[np.zeros(5, dtype=np.int64)]
    assert mean_hologram_cosine(same, same) == pytest.approx(0, abs=1e-6)
    assert mean_hologram_cosine(holograms, holograms) > 0.01


def test_reconstruction_is_measured_in_the_divided_scale(recipe: Recipe, holograms: Holograms) -> None:
    model = initial_model(recipe, 4.0, "small")
    figures = reconstruction(model, holograms)
    decoded = model.decode(model.encode(holograms))
    expected = np.square((decoded.coefficients - holograms.coefficients) / 4.0).mean()
    assert figures.mse == pytest.approx(expected, rel=1e-5)
    assert figures.cosine == pytest.approx(row_cosines(holograms, decoded).mean())
    assert len(figures.cosine_per_degree) == 3


def test_an_untrained_network_is_equivariant(recipe: Recipe, holograms: Holograms) -> None:
    errors = equivariance_errors(initial_model(recipe, 1.0, "small"), holograms)
    assert errors.invariants < 1e-5
    assert errors.frame_p99 < 1e-4
    assert errors.reconstruction_p99 < 1e-4


def test_a_network_that_is_not_equivariant_is_caught(recipe: Recipe, holograms: Holograms) -> None:
    model = initial_model(recipe, 1.0, "small")
    model.network.encoder[0].register_forward_hook(lambda _m, _a, out: out + 0.1)
    errors = equivariance_errors(model, holograms)
    assert errors.invariants > 1e-3
    assert errors.reconstruction > 1e-3


def test_nothing_to_evaluate_is_refused(recipe: Recipe, holograms: Holograms) -> None:
    with pytest.raises(HoloError, match="no holograms"):
        evaluate(initial_model(recipe, 1.0, "small"), holograms[:0])
