"""Scaled distances, effective dimensions, spectra and regularization, against scipy and plain formulas."""

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis

from holo_downstream import (
    best_regularization,
    effective_dimension,
    full_power_spectrum,
    power_spectrum,
    probe,
    standardization,
    whitening,
)
from holo_types import Basis, HoloError, Holograms, Zernike

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(200, 4)) @ RNG.normal(size=(4, 4)) + 3


def test_whitened_distances_are_those_of_mahalanobis() -> None:
    inverse = np.linalg.inv(np.cov(ROWS, rowvar=False, bias=True))
    scaled = whitening(ROWS).of(ROWS)
    for first, second in ((0, 1), (5, 90)):
        expected = mahalanobis(ROWS[first], ROWS[second], inverse)
        assert np.linalg.norm(scaled[first] - scaled[second]) == pytest.approx(expected, rel=1e-9)


def test_no_invertible_linear_map_changes_whitened_distances() -> None:
    other = ROWS @ RNG.normal(size=(4, 4)) + 7
    ours, theirs = (whitening(rows).of(rows) for rows in (ROWS, other))
    np.testing.assert_allclose(
        np.linalg.norm(ours[:50] - ours[50:100], axis=1), np.linalg.norm(theirs[:50] - theirs[50:100], axis=1)
    )


def test_numbers_that_do_not_vary_are_left_out() -> None:
    rows = np.concatenate([ROWS, np.full((200, 1), 5.0)], axis=1)
    assert whitening(rows).of(rows).shape == (200, 4)
    assert not standardization(rows).of(rows)[:, 4].any()


def test_effective_dimension_of_independent_and_of_equal_numbers() -> None:
    independent = np.random.default_rng(1).normal(size=(20_000, 6))
    assert effective_dimension(independent) == pytest.approx(6, rel=0.01)
    assert effective_dimension(np.repeat(independent[:, :1], 6, axis=1)) == pytest.approx(1)
    eigenvalues = np.linalg.eigvalsh(np.corrcoef(ROWS, rowvar=False))
    assert effective_dimension(ROWS) == pytest.approx(eigenvalues.sum() ** 2 / (eigenvalues**2).sum())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: whitening(ROWS[:4]), "there are 4 rows of 4 dimensions; their covariance needs more rows"),
        (lambda: standardization(ROWS[:1]), "there are 1 rows; at least two"),
        (lambda: effective_dimension(np.ones((3, 2))), "no dimension varies"),
        (lambda: whitening(np.full((9, 2), np.nan)), "row 0 is not finite"),
    ],
)
def test_rows_that_cannot_be_scaled(call, message: str) -> None:
    with pytest.raises(HoloError, match=message):
        call()


def test_the_full_spectrum_holds_all_products_and_no_rotation_changes_it() -> None:
    basis = Basis(2, Zernike(4, 10.0), ("C", "N"))
    holograms = Holograms(RNG.normal(size=(3, basis.dim)), basis)
    spectrum = full_power_spectrum(holograms)
    assert spectrum.shape == (3, 21 + 10 + 10)  # 6, 4 and 4 orders and channels
    block = holograms.degree(1)
    expected = [(block[0, a] * block[0, b]).sum() / np.sqrt(3) for a in range(4) for b in range(a, 4)]
    np.testing.assert_allclose(spectrum[0, 21:31], expected)
    diagonal = spectrum[0, [0, 6, 11, 15, 18, 20]]  # of a = b, at l = 0
    np.testing.assert_allclose(np.sqrt(diagonal), power_spectrum(holograms)[0, :6])


def test_of_the_protein_basis_the_spectrum_has_5018_numbers() -> None:
    basis = Basis(6, Zernike(20, 10.0), ("C", "N", "O", "S"))
    assert full_power_spectrum(Holograms(np.zeros((1, basis.dim), np.float32), basis)).shape == (1, 5018)


def test_noise_wants_a_strong_penalty_and_a_clear_signal_a_weak_one() -> None:
    labels, groups = np.repeat(["a", "b"], 90), np.tile(np.arange(18), 10)
    signal = np.where(labels == "a", 1.0, -1.0)[:, None]
    noisy = 0.15 * signal + RNG.normal(size=(180, 100))
    strength = best_regularization(noisy, labels, groups)
    assert strength <= 0.1
    weak = probe(noisy, labels, groups, regularization=100.0).accuracy.estimate
    assert probe(noisy, labels, groups, regularization=strength).accuracy.estimate > weak


def test_a_dimension_too_small_for_its_precision_is_constant() -> None:
    rows = ROWS.astype(np.float32) * np.array([1, 1, 1, 1e-40], np.float32)
    scaled = standardization(rows).of(rows)
    assert np.isfinite(scaled).all()
    assert (scaled[:, 3] == 0).all()
    wide = ROWS * np.array([1, 1, 1, 1e-40])
    np.testing.assert_allclose(standardization(wide).of(wide), standardization(ROWS).of(ROWS), rtol=1e-9)
