"""Predictors of complexes: no fold has seen a group that it predicts, intervals hold what they say, flags are true."""

import json

import attrs
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn.metrics import root_mean_squared_error
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

import holo_types
from holo_downstream import (
    CrossFitSettings,
    FeatureTable,
    Labeled,
    cross_fit,
    read_complex_predictor,
    score_by_group,
    write_complex_predictor,
)
from holo_downstream.affinity import cross_fit as module
from holo_downstream.affinity.complex_predictor import ComplexPredictor, write_flagged_predictions
from holo_downstream.affinity.domain import Domain
from holo_downstream.affinity.regressors import Ensemble, ExtraTrees, Ridge, SupportVectors, fit
from holo_downstream.affinity.widths import Widths, fit_widths
from holo_downstream.validation.grouping import group_complexes
from holo_downstream.vectors.csv_files import read_csv
from holo_types import FormatError, HoloError, NamedArrays

CARBON = frozenset({"C"})
SMALL = CrossFitSettings(Ensemble((ExtraTrees(0.5, 2, 8), SupportVectors(2.0, 0.1, 0.3, 0.01))))
LINEAR = CrossFitSettings(Ridge(0.1))


def example(count=80, clusters=16, seed=0):
    """Three features, of which one is constant and one not finite; the label is the first and noise."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 4)).astype(np.float32).astype(np.float64)
    x[:, 2], x[3, 3] = 7.0, np.nan
    ids = np.array([f"{number:03}a" for number in range(count)])
    table = FeatureTable(ids, ("a", "b", "constant", "broken"), x, (CARBON,) * count, ("",) * count)
    labels = 6 + x[:, 0] + 0.3 * random.normal(size=count)
    complexes = [
        Labeled(name, label, str(number % clusters))
        for number, (name, label) in enumerate(zip(ids.tolist(), labels.tolist(), strict=True))
    ]
    return table, complexes


def test_each_complex_is_predicted_by_a_model_that_has_not_seen_its_cluster():
    """Fitted again, fold by fold, by hand."""
    table, complexes = example()
    found = cross_fit(table, complexes, LINEAR)
    clusters, measured = np.array([one.cluster for one in complexes]), found.measured
    vectors = table.values[:, :2]
    for fold in range(5):
        test = found.folds == fold
        assert not set(clusters[test]) & set(clusters[~test])
        alone = fit(Ridge(0.1), vectors[~test], measured[~test]).predict(vectors[test])
        np.testing.assert_allclose(found.unseen.values[test], alone, rtol=1e-9)
    assert found.scores["rmsd"].estimate == pytest.approx(
        root_mean_squared_error(measured, found.unseen.values)
    )
    assert np.bincount(found.folds).tolist() == [20, 15, 15, 15, 15]
    assert found.curve[-1].rmsd == found.scores["rmsd"]
    assert [point.complexes for point in found.curve] == [8, 16, 32, 64]


def test_what_is_not_finite_or_the_same_in_all_is_left_aside_and_may_be_missing_later():
    table, complexes = example()
    predictor = cross_fit(table, complexes, LINEAR).predictor
    assert [predictor.names[column] for column in predictor.kept] == ["a", "b"]
    values = table.values[:3].copy()
    values[:, 2:] = np.nan, np.inf
    values[1, 1] = np.nan
    values[2, 0] = np.inf
    found = predictor.predict(attrs.evolve(table.rows(np.arange(3)), values=values))
    whole = predictor.predict(table.rows(np.arange(3)))
    assert found.values[0] == whole.values[0]
    assert np.isfinite(found.values).all()
    at_the_end = table.values[2:3].copy()
    at_the_end[0, 0] = table.values[:, 0].max()
    end = predictor.predict(attrs.evolve(table.rows(np.array([2])), values=at_the_end))
    assert found.values[2] == pytest.approx(end.values[0], rel=1e-12)


def test_a_predictor_comes_back_from_its_file_and_predicts_the_same(tmp_path):
    table, complexes = example()
    predictor = cross_fit(table, complexes, SMALL, blocks=["shells", "size"]).predictor
    write_complex_predictor(predictor, tmp_path)
    read = read_complex_predictor(tmp_path)
    other, _ = example(seed=1)
    one, again = predictor.predict(other), read.predict(other)
    for name in ("values", "lower", "upper", "distances", "nearest"):
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name))
    assert (read.blocks, read.names, again.flags) == (("shells", "size"), table.names, one.flags)
    write_flagged_predictions(again, tmp_path / "p.csv")
    written = read_csv(tmp_path / "p.csv")
    assert list(written) == ["id", "prediction", "lower", "upper", "flags", "nearest"]
    np.testing.assert_allclose(np.array(written["prediction"], float), one.values, atol=5e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"widths": {"base": -1.0}},
        {"limit": "far"},
        {"blocks": [3]},
        {"members": []},
        {"members": [{"form": "none"}]},
        {"format": 7},
    ],
)
def test_a_file_that_describes_no_predictor_is_refused(tmp_path, change):
    table, complexes = example()
    write_complex_predictor(cross_fit(table, complexes, LINEAR).predictor, tmp_path)
    stored = holo_types.load(tmp_path / "predictor.h5", kind=NamedArrays)
    header = json.loads(json.dumps(stored.header)) | change
    holo_types.save(attrs.evolve(stored, header=header), tmp_path / "predictor.h5")
    with pytest.raises(
        FormatError, match=r"predictor\.h5: (does not describe|holds ComplexPredictor of format 7)"
    ):
        read_complex_predictor(tmp_path)


def test_a_folder_without_a_predictor_is_named(tmp_path):
    with pytest.raises(FormatError, match=r"holds no predictor\.h5"):
        read_complex_predictor(tmp_path)


def test_other_features_are_refused():
    table, complexes = example()
    predictor = cross_fit(table, complexes, LINEAR).predictor
    with pytest.raises(HoloError, match="the features lack 'b'"):
        predictor.predict(attrs.evolve(table, names=("a", "B", "constant", "broken")))
    with pytest.raises(HoloError, match="in another order"):
        predictor.predict(attrs.evolve(table, names=("b", "a", "constant", "broken")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t, c: (t.rows(np.arange(9)), c[:9]),
            "there are 9 complexes with a label and features; at least 10",
        ),
        (lambda t, c: (t, c[::-1]), "in another order"),
        (lambda t, c: (t, [attrs.evolve(one, label=5.0) for one in c]), "all 80 labels are 5"),
        (lambda t, c: (attrs.evolve(t, values=np.full((80, 4), 2.0)), c), "no feature is finite"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(change, message):
    with pytest.raises(HoloError, match=message):
        cross_fit(*change(*example()), LINEAR)


def test_nearest_complexes_are_those_of_scikit_learn():
    table, complexes = example()
    predictor = cross_fit(table, complexes, LINEAR).predictor
    scaler = StandardScaler().fit(table.values[:, :2])
    other = example(seed=5)[0]
    tree = NearestNeighbors(n_neighbors=1).fit(scaler.transform(table.values[:, :2]))
    distances, rows = tree.kneighbors(scaler.transform(other.values[:, :2]))
    found = predictor.predict(other)
    np.testing.assert_array_equal(found.nearest, table.ids[rows[:, 0]])
    np.testing.assert_allclose(found.distances, distances[:, 0] / np.sqrt(2), atol=1e-7)


def test_flags_name_what_is_unlike():
    table, complexes = example()
    found = cross_fit(table, complexes, LINEAR)
    asked = attrs.evolve(
        table.rows(np.arange(3)),
        values=np.array([table.values[0], [9.0, 9.0, 7, 0], table.values[1]]),
        elements=(CARBON, CARBON, frozenset({"C", "B", "Ru"})),
    )
    assert found.predictor.domain.most_outside <= 1
    usual, far, metal = found.predictor.predict(asked).flags
    assert usual == ""
    assert far.startswith("far from every training complex")
    assert far.endswith("outside of the training complexes' range: a, b")
    assert metal == "ligand has B, Ru, which no training ligand has"
    limit = np.quantile(found.unseen.distances, 0.99)
    assert [("far" in flag) for flag in found.unseen.flags] == (found.unseen.distances > limit).tolist()
    # Of the complexes themselves one in twenty at most has more features out of range than is usual.
    assert np.mean(["outside" in flag for flag in found.unseen.flags]) <= 0.05


def test_intervals_hold_what_they_are_meant_to_and_are_wider_where_errors_are():
    """2,000 simulated complexes whose error grows with the distance; the share held differs by less than three σ."""
    random = np.random.default_rng(0)
    distances, spreads = random.uniform(0.2, 2, 2000), random.uniform(0, 0.5, 2000)
    residuals = (0.3 + distances) * random.normal(size=2000)
    folds = np.arange(2000) % 5
    for coverage in (0.5, 0.8, 0.9):
        widths, halves = fit_widths(residuals, distances, spreads, folds, coverage=coverage, usual=2.0)
        new = (0.3 + distances) * random.normal(size=2000)
        for errors, half in ((residuals, halves), (new, widths.half_widths(distances, spreads))):
            held = np.abs(errors) <= half
            assert np.mean(held) == pytest.approx(coverage, abs=0.04)
            # Near and far alike: intervals of one width would hold too many of the near ones.
            assert np.mean(held[distances < 0.6]) == pytest.approx(coverage, abs=0.08)
        assert widths.coverage == coverage


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(12, 60))
def test_a_complex_that_is_farther_or_less_certain_never_has_a_narrower_interval(seed, count):
    random = np.random.default_rng(seed)
    inputs = (random.normal(size=count), random.uniform(0, 3, count), random.uniform(0, 1, count))
    widths, halves = fit_widths(*inputs, np.arange(count) % 5, coverage=0.8, usual=2.5)
    assert (halves > 0).all()
    grid = np.linspace(0, 10, 20)
    for half in (widths.half_widths(grid, np.ones(20)), widths.half_widths(np.ones(20), grid)):
        assert (np.diff(half) >= 0).all()
    twice = widths.half_widths(np.array([2.5, 5.0]), np.zeros(2))
    assert twice[1] >= 2 * twice[0] * (1 - 1e-12)


def test_widths_are_numbers_that_are_not_negative():
    with pytest.raises(HoloError, match=r"Widths.by_spread is -0.1"):
        Widths(1.0, 0.0, -0.1, 1.0, 1.0, 0.9)


@pytest.mark.parametrize(
    ("clusters", "scaffolds", "by", "caveat"),
    [
        (["1", "2", "3"] * 4, ["s"] * 12, "cluster", ""),
        (
            [""] * 12,
            ["s", "t", "u"] * 4,
            "scaffold",
            "the complexes have no clusters, so folds consist of whole ligand scaffolds",
        ),
        (["7"] * 12, ["s", "t", ""] * 4, "scaffold", "all complexes are of one cluster"),
        (
            ["7"] * 11 + [""],
            ["s"] * 12,
            "none",
            "1 of 12 complexes have no cluster, and scaffolds of ligands are too few",
        ),
        (["1"] * 10 + ["2", "3"], ["s"] * 12, "none", "3 clusters are too few, or one has most complexes"),
        ([""] * 12, [""] * 12, "none", "so folds are random"),
    ],
)
def test_groups_are_clusters_or_else_scaffolds(clusters, scaffolds, by, caveat):
    found = group_complexes([f"{row}abc" for row in range(12)], clusters, scaffolds, 3)
    assert found.by == by
    assert caveat in found.caveat
    folds = found.folds(3, seed=0)
    assert sorted(np.unique(folds)) == [0, 1, 2]
    for group in np.unique(found.groups):
        assert len(np.unique(folds[found.groups == group])) == 1


def test_the_summary_has_the_caveat_of_one_series():
    table, complexes = example()
    found = cross_fit(table, [attrs.evolve(one, cluster="") for one in complexes], LINEAR)
    assert found.grouping.by == "none"
    assert found.summary().endswith("errors on new complexes will be larger.")


def test_a_group_weighs_no_more_than_it_may():
    """As many copies of each complex as it weighs, by weights of scikit-learn."""
    random = np.random.default_rng(0)
    labels, groups = random.normal(size=60), np.repeat(["a", "b", "c"], [40, 15, 5])
    predictions = labels + random.normal(size=60) * np.repeat([2.0, 1.0, 0.5], [40, 15, 5])
    weights = np.repeat([10 / 40, 10 / 15, 1.0], [40, 15, 5])
    capped = score_by_group("rmsd", predictions, labels, groups, most=10)
    expected = root_mean_squared_error(labels, predictions, sample_weight=weights)
    assert capped.estimate == pytest.approx(expected)
    covariance = np.cov(labels, predictions, aweights=weights)
    pearson = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    assert score_by_group("pearson", predictions, labels, groups, most=10).estimate == pytest.approx(pearson)
    assert capped.lower < capped.estimate < capped.upper


def test_domains_and_tables_check_what_they_hold():
    domain = Domain.of(np.array(["1abc"]), np.ones((1, 2)), [CARBON])
    for change, message in (
        ({"scales": np.zeros(2)}, "is not positive"),
        ({"means": np.array([0.0, np.nan])}, "not finite"),
        ({"means": np.zeros(3)}, "do not fit"),
    ):
        with pytest.raises(HoloError, match=message):
            attrs.evolve(domain, **change)
    table, _ = example()
    with pytest.raises(HoloError, match="name 'a' twice"):
        attrs.evolve(table, names=("a", "a", "c", "d"))
    with pytest.raises(HoloError, match="1 sets of elements"):
        attrs.evolve(table, elements=(CARBON,))


def test_members_must_fit_the_features():
    table, complexes = example()
    predictor = cross_fit(table, complexes, LINEAR).predictor
    with pytest.raises(HoloError, match="asks for a feature that is none of 4"):
        attrs.evolve(predictor, kept=np.array([0, 4]))
    assert isinstance(predictor, ComplexPredictor)
    assert module.fits_of(LINEAR) == 21
