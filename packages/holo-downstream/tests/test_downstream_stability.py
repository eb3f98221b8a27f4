"""Stability of mutants: folds without refitting beside refits, oddness, intervals, and the predictor's file."""

from pathlib import Path

import attrs
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct

import holo_types
from holo_downstream import (
    Columns,
    KernelSettings,
    Substitutions,
    fit_stability,
    read_stability_predictor,
    write_stability_predictor,
)
from holo_downstream.stability.kernels import natural_kernel, odd_kernel
from holo_downstream.stability.predictor import Scales
from holo_downstream.validation.cross_validation import group_folds
from holo_types import FormatError, HoloError, NamedArrays

SETTINGS = KernelSettings(
    sharpness={"around": 0.5, "chain": 0.1},
    type_sharpness=0.3,
    type_weight=0.3,
    site_weight=1.0,
    change_weight=0.5,
    offset=1.0,
    natural_site_weight=0.5,
    natural_type_weight=0.5,
    noise=0.2,
)


def exchanges(count: int = 120, seed: int = 0) -> Substitutions:
    random = np.random.default_rng(seed)
    types = random.normal(size=(20, 4))
    before, after = random.integers(20, size=(2, count))
    around = random.normal(size=(count, 3))
    changes = (types[after] - types[before])[:, :2] * around[:, :2]
    return Substitutions(
        {
            "around": Columns(("a", "b", "c"), around),
            "chain": Columns(("d",), random.normal(size=(count, 1))),
        },
        Columns(("e", "f", "g", "h"), types[before]),
        Columns(("e", "f", "g", "h"), types[after]),
        Columns(("i", "j"), changes),
    )


def measured(some: Substitutions) -> NDArray[np.float64]:
    """Return an odd part, plus a cost of every substitution, plus noise."""
    noise = np.random.default_rng(9).normal(size=len(some))
    return np.asarray(some.changes.values.sum(axis=1) - 1.5 + 0.2 * noise)


FAMILIES = np.arange(120) % 13


def test_folds_without_a_refit_are_those_of_refits() -> None:
    """Each fold is predicted by solving for the weights of the others, as the textbook has it."""
    some, ddg = exchanges(), measured(exchanges())
    fit = fit_stability(some, ddg, FAMILIES, SETTINGS, folds=5)
    scaled = Scales.of(some, SETTINGS).scale(some)
    odd, natural = odd_kernel(scaled, scaled, SETTINGS), natural_kernel(scaled, scaled, SETTINGS)
    covariance = odd + natural
    for fold in group_folds(FAMILIES.astype(str), 5):
        train, test = fold.training, fold.test
        weights = np.linalg.solve(covariance[np.ix_(train, train)] + 0.2 * np.eye(len(train)), ddg[train])
        np.testing.assert_allclose(fit.predicted[test], covariance[np.ix_(test, train)] @ weights, atol=1e-9)
        np.testing.assert_allclose(fit.odd[test], odd[np.ix_(test, train)] @ weights, atol=1e-9)
        assert not set(FAMILIES[train]) & set(FAMILIES[test])


def test_the_odd_kernel_is_that_of_a_difference_of_one_function() -> None:
    """A plain Gaussian process g on (amino acid, site) gives the covariance of g(mutant) - g(wild type)."""
    some = Scales.of(exchanges(8), SETTINGS).scale(exchanges(8))
    kernel = ConstantKernel(SETTINGS.type_weight) * RBF(np.sqrt(0.5))
    placed = kernel(np.concatenate([some.wild_types, some.mutants]))
    sites = RBF(np.sqrt(0.5))(some.sites)
    whole = placed + SETTINGS.site_weight * RBF(np.sqrt(0.5))(
        np.concatenate([some.wild_types, some.mutants])
    ) * np.tile(sites, (2, 2))
    difference = np.hstack([-np.eye(8), np.eye(8)])
    linear = SETTINGS.change_weight * DotProduct(sigma_0=1e-9)(some.changes)
    np.testing.assert_allclose(
        odd_kernel(some, some, SETTINGS), difference @ whole @ difference.T + linear, atol=1e-12
    )


def test_predictions_of_what_was_not_learned_are_scikit_learns() -> None:
    """With no sites and no types but a linear part and an offset, it is a textbook regression."""
    plain = attrs.evolve(
        SETTINGS, type_weight=0.0, site_weight=0.0, natural_site_weight=0.0, natural_type_weight=0.0
    )
    some, new = exchanges(), exchanges(seed=1)
    predictor = fit_stability(some, measured(some), FAMILIES, plain, folds=5).predictor
    kernel = ConstantKernel(plain.offset) + ConstantKernel(plain.change_weight) * DotProduct(sigma_0=1e-9)
    process = GaussianProcessRegressor(kernel, alpha=plain.noise, optimizer=None)
    scaled = predictor.scales.scale(some)
    process.fit(scaled.changes, measured(some))
    expected = process.predict(predictor.scales.scale(new).changes)
    np.testing.assert_allclose(predictor.predict(new).values, expected, atol=1e-9)


def test_without_natural_residues_the_reverse_costs_the_negative() -> None:
    some, new = exchanges(), exchanges(seed=1)
    predictor = fit_stability(some, measured(some), FAMILIES, SETTINGS, folds=5).predictor
    there, back = (predictor.predict(each, natural=False).values for each in (new, new.reverse()))
    np.testing.assert_allclose(there, -back, atol=1e-9)
    assert np.abs(there).max() > 0.5
    natural = predictor.predict(new).values - there
    assert natural.mean() == pytest.approx(-1.5, abs=0.5)  # what every exchange costs here


def test_intervals_hold_about_what_they_are_meant_to() -> None:
    some, new = exchanges(), exchanges(1000, seed=1)
    predictor = fit_stability(some, measured(some), FAMILIES, SETTINGS, folds=5, coverage=0.8).predictor
    predicted, found = predictor.predict(new), measured(new)
    assert 0.7 < ((predicted.lower <= found) & (found <= predicted.upper)).mean() < 0.95


def test_a_predictor_comes_back_from_its_file(tmp_path: Path) -> None:
    some = exchanges()
    predictor = fit_stability(some, measured(some), FAMILIES, SETTINGS, folds=5).predictor
    write_stability_predictor(predictor, tmp_path / "predictor.h5", {"model": "small"})
    back, about = read_stability_predictor(tmp_path / "predictor.h5")
    assert about == {"model": "small"}
    assert back.settings == predictor.settings
    assert back.columns == predictor.columns
    new = exchanges(7, seed=2)
    np.testing.assert_array_equal(back.predict(new).values, predictor.predict(new).values)
    np.testing.assert_array_equal(back.predict(new).upper, predictor.predict(new).upper)


def test_other_numbers_than_those_learned_from_are_refused() -> None:
    some = exchanges()
    predictor = fit_stability(some, measured(some), FAMILIES, SETTINGS, folds=5).predictor
    other = attrs.evolve(some, changes=Columns(("i", "k"), some.changes.values))
    with pytest.raises(HoloError, match="'change'"):
        predictor.predict(other)
    with pytest.raises(HoloError, match="'site chain'"):
        predictor.predict(attrs.evolve(some, sites={"around": some.sites["around"]}))


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("weights", np.zeros(3)),
        ("weights", np.full(120, np.nan)),
        ("learned_sites", np.zeros((120, 2))),
        ("site_means", np.zeros(1)),
        ("type_factors", np.zeros(4, dtype=np.float32)),
    ],
)
def test_a_file_whose_parts_do_not_fit_is_refused(
    tmp_path: Path, part: str, value: NDArray[np.float64]
) -> None:
    some = exchanges()
    predictor = fit_stability(some, measured(some), FAMILIES, SETTINGS, folds=5).predictor
    path = tmp_path / "predictor.h5"
    write_stability_predictor(predictor, path)
    stored = holo_types.load(path, kind=NamedArrays)
    holo_types.save(NamedArrays(stored.kind, {**stored.arrays, part: value}, stored.header), path)
    with pytest.raises(FormatError, match="does not describe a predictor of stability"):
        read_stability_predictor(path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"format": 7}, "of format 7"),
        ({"half_width": "wide"}, "is not a finite number"),
        ({"blocks": ["elsewhere"]}, "elsewhere"),
        ({"columns": 3}, "does not describe"),
        ({"settings": {"noise": 1.0}}, "does not describe"),
    ],
)
def test_a_header_that_says_something_else_is_refused(
    tmp_path: Path, header: dict[str, object], message: str
) -> None:
    some = exchanges()
    path = tmp_path / "predictor.h5"
    write_stability_predictor(
        fit_stability(some, measured(some), FAMILIES, SETTINGS, folds=5).predictor, path
    )
    stored = holo_types.load(path, kind=NamedArrays)
    holo_types.save(NamedArrays(stored.kind, stored.arrays, {**stored.header, **header}), path)
    with pytest.raises(FormatError, match=message):
        read_stability_predictor(path)


def test_wrong_values_and_missing_blocks_are_refused() -> None:
    some = exchanges()
    with pytest.raises(HoloError, match="119 numbers, 0 of them not finite; they must be 120"):
        fit_stability(some, np.zeros(119), FAMILIES[:119], SETTINGS)
    with pytest.raises(HoloError, match="120 numbers, 1 of them not finite"):
        fit_stability(some, np.where(np.arange(120) == 3, np.nan, 0.0), FAMILIES, SETTINGS)
    with pytest.raises(HoloError, match="'z' is needed and missing"):
        fit_stability(some, np.zeros(120), FAMILIES, attrs.evolve(SETTINGS, sharpness={"z": 1.0}))
    with pytest.raises(HoloError, match="13 groups for 20 folds"):
        fit_stability(some, measured(some), FAMILIES, SETTINGS, folds=20)


def test_substitutions_must_fit_one_another() -> None:
    some = exchanges(5)
    with pytest.raises(HoloError, match="they must be equally many"):
        attrs.evolve(some, changes=Columns(("i",), np.zeros((4, 1))))
    with pytest.raises(HoloError, match="they must be the same"):
        attrs.evolve(some, mutants=Columns(("x",), np.zeros((5, 1))))
    with pytest.raises(HoloError, match="sites is empty"):
        attrs.evolve(some, sites={})
    with pytest.raises(HoloError, match="2 names for 1 columns"):
        Columns(("i", "j"), np.zeros((4, 1)))
    with pytest.raises(HoloError, match="is not finite"):
        Columns(("i",), np.full((4, 1), np.nan))
