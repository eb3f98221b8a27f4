"""Checks on the folds and the pieces of the study of affinities."""

import csv
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from biotite.structure.info import residue
from sklearn.mixture import GaussianMixture

from holo_downstream.affinity.regressors import ENSEMBLE
from holo_features import Ligand

PLACE = Path(__file__).with_name("affinity")
sys.path.insert(0, str(PLACE))

from affinity_kinds import KINDS, ligand_kinds, protein_kind  # noqa: E402 - beside this file, as for the script
from affinity_learned import Atoms, log_odds  # noqa: E402
from affinity_pooling import (  # noqa: E402
    FisherVectors,
    HistogramsByElement,
    Mask,
    Pooling,
    SumsByElement,
    Values,
    elements,
    fisher_scores,
    set_kernel,
)
from affinity_rows import ALL, ROWS, predicted  # noqa: E402
from affinity_scores import Scored, score, table  # noqa: E402
from affinity_series import in_series  # noqa: E402
from affinity_trials import by_support_vectors, nested, number_kernel, process_mean  # noqa: E402


@pytest.mark.parametrize("draw", ["draw1", "draw2", "draw3"])
def test_no_cluster_is_in_two_folds(draw: str) -> None:
    folds: dict[str, set[str]] = defaultdict(set)
    with (PLACE / "folds.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        folds[row["cluster30"]].add(row[draw])
    assert len(rows) == 2211
    assert len(folds) == 371
    assert all(len(each) == 1 for each in folds.values())
    assert set.union(*folds.values()) == set("01234")


def test_rows_have_names_of_their_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert ALL.estimators[-1] == "ensemble"


def test_capped_score_weighs_a_large_cluster_less() -> None:
    """30 complexes of one cluster, all wrong by 3, weigh as 20 beside ten that are right."""
    scored = Scored(np.full(40, 6.0), np.array(["a"] * 30 + [f"b{number}" for number in range(10)]))
    wrong = scored.labels + np.where(scored.family, 3.0, 0.0)
    assert score(scored, "rmsd", wrong, None) == pytest.approx(np.sqrt(9 * 30 / 40))
    assert score(scored, "rmsd", wrong, 20) == pytest.approx(np.sqrt(9 * 20 / 30))
    (line,) = table(scored, [("all", "nothing", wrong[None])])[2:]
    assert line.split(" | ")[2:5:2] == ["2.598", "2.449"]


def test_ranks_inside_series_are_of_five_ligands_at_least() -> None:
    series = np.array(["a"] * 5 + ["b"] * 4 + ["c"] * 6)
    labels = np.arange(15.0)
    values = np.where(series == "c", 1.0, -labels)
    assert in_series(values, labels, series).tolist() == pytest.approx([-1.0, 0.0])


NAMES = "ALA ARG ASN ASP CYS GLN GLU ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL"


@pytest.mark.parametrize("name", NAMES.split())
def test_side_chains_are_of_one_kind_whether_by_name_or_by_bonds(name: str) -> None:
    """The kinds in the table for protein atoms are those that RDKit finds in the free amino acids."""
    atoms = residue(name)
    atoms = atoms[atoms.element != "H"]
    by_bonds = dict(zip(atoms.atom_name.tolist(), ligand_kinds(Ligand(name, atoms)).tolist(), strict=True))
    side = [atom for atom in by_bonds if atom not in ("N", "CA", "C", "O", "OXT")]
    assert side
    assert {atom: protein_kind(name, atom) for atom in side} == {atom: by_bonds[atom] for atom in side}


def test_log_odds_are_those_of_the_atoms_kinds() -> None:
    """The log-odds of an atom that is four times as likely as on average is log 4, and of an unknown one 0."""
    count = len(KINDS)
    chances = np.full((count + 2, count), 0.05)
    kinds = np.array([*range(count), -1, 0])
    prior = (np.bincount(kinds[kinds >= 0], minlength=count) + 5.0) / (count + 1 + 5 * count)
    chances[np.arange(count), kinds[:count]] = 4 * prior[kinds[:count]]
    chances[-1, 0] = prior[0] / 2
    rows = np.array([0] * count + [1, 1])
    found = log_odds(Atoms(("a", "b"), rows, np.zeros((count + 2, 3)), np.log(chances), kinds))
    assert found.shape == (2, 12)
    assert found[0, :4] == pytest.approx([count * np.log(4), np.log(4), 0, np.log(4)], abs=1e-6)
    assert found[1, :6] == pytest.approx(
        [-np.log(2), -np.log(2) / 2, np.log(2) / 2, -np.log(2), 0, -np.log(2)]
    )
    assert found[0, 8:].sum() == pytest.approx((count - 1) * np.log(4))  # all but S


def test_feature_that_does_not_vary_in_training_is_left_out() -> None:
    random = np.random.default_rng(0)
    train, test = random.normal(size=(60, 2)), random.normal(size=(20, 2))
    train[:, 1], test[:, 1] = 0.0, 1e6
    found = predicted("forest", train, train[:, 0], test)
    np.testing.assert_array_equal(found, predicted("forest", train[:, :1], train[:, 0], test[:, :1]))
    assert np.corrcoef(found, test[:, 0])[0, 1] > 0.9


def some_atoms() -> Atoms:
    """Return 20 complexes of 3 to 12 atoms, of all kinds."""
    rng = np.random.default_rng(1)
    rows = np.repeat(np.arange(20), rng.integers(3, 13, size=20))
    count = len(rows)
    names = tuple(f"c{number}" for number in range(20))
    kinds = rng.integers(-1, len(KINDS), size=count)
    return Atoms(names, rows, rng.normal(size=(count, 6)), np.zeros((count, len(KINDS))), kinds)


def test_elements_are_those_of_the_kinds() -> None:
    atoms = some_atoms()
    elements_of = dict(zip(atoms.kinds.tolist(), elements(atoms).tolist(), strict=True))
    letters = {
        kind: "CNOS"[elements_of[number]] for number, kind in enumerate(KINDS) if number in elements_of
    }
    assert {kind for kind, letter in letters.items() if letter not in kind.split()} == set()
    assert elements_of[-1] == 4


def test_fisher_vectors_are_gradients_of_the_log_likelihood() -> None:
    """By the change of scikit-learn's log-likelihood when a parameter changes by a millionth."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(40, 2))
    mixture = GaussianMixture(3, covariance_type="diag", random_state=0).fit(points)
    weights, means, scales = mixture.weights_, mixture.means_, np.sqrt(mixture.covariances_)

    def log_likelihood(logits: Values, centers: Values, widths: Values) -> Values:
        mixture.weights_ = np.exp(logits) / np.exp(logits).sum()
        mixture.means_, mixture.covariances_, mixture.precisions_cholesky_ = centers, widths**2, 1 / widths
        found: Values = mixture.score_samples(points)
        return found

    expected = fisher_scores(mixture, points)
    parameters = [np.log(weights), means, scales]
    units = [
        np.sqrt(weights),
        np.sqrt(weights)[:, None] / scales,
        np.sqrt(2 * weights)[:, None] / scales,
    ]
    columns = []
    for number, parameter in enumerate(parameters):
        for place in np.ndindex(parameter.shape):
            moved = [[each.copy() for each in parameters] for _ in range(2)]
            moved[0][number][place] += 1e-6
            moved[1][number][place] -= 1e-6
            slope = (log_likelihood(*moved[0]) - log_likelihood(*moved[1])) / 2e-6
            columns.append(slope / units[number][place])
    np.testing.assert_allclose(np.stack(columns, axis=1), expected, atol=1e-6)


def test_kernel_of_sets_is_the_sum_over_pairs_of_one_element() -> None:
    atoms = some_atoms()
    of, found = elements(atoms), set_kernel(atoms, 2.0)
    for one, other in ((0, 0), (3, 7), (19, 2)):
        first, second = np.flatnonzero(atoms.rows == one), np.flatnonzero(atoms.rows == other)
        pairs = [(i, j) for i in first for j in second if of[i] == of[j]]
        distances = [((atoms.z[i] - atoms.z[j]) ** 2).sum() for i, j in pairs]
        assert found[one, other] == pytest.approx(np.exp(-2.0 / 6 * np.array(distances)).sum(), rel=1e-5)


POOLINGS: tuple[Pooling, ...] = (SumsByElement(3), HistogramsByElement(2, 3), FisherVectors(2, 3, root=True))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_pooling_is_fitted_to_training_complexes_alone(pooling: Pooling) -> None:
    """What is not learned from may change, and no vector of another complex does."""
    atoms, train = some_atoms(), np.arange(20) < 14
    outside = ~train[atoms.rows]
    moved = Atoms(
        atoms.ids, atoms.rows, atoms.z + 5.0 * outside[:, None], atoms.log_probabilities, atoms.kinds
    )
    found, other = pooling(atoms, train), pooling(moved, train)
    np.testing.assert_array_equal(found[train], other[train])
    assert np.abs(found[~train] - other[~train]).max() > 0.1


def test_atoms_are_counted_by_element() -> None:
    atoms, train = some_atoms(), np.ones(20, bool)
    counts = np.array([np.bincount(elements(atoms)[atoms.rows == row], minlength=5) for row in range(20)])
    np.testing.assert_array_equal(SumsByElement(3)(atoms, train)[:, ::4], counts)
    histograms = HistogramsByElement(2, 3)(atoms, train).reshape(20, 5, 2, 3)
    np.testing.assert_array_equal(histograms.sum(axis=3)[:, :, 0], counts)
    overall = histograms.sum(axis=(0, 1))
    assert np.ptp(overall) <= 1  # a third of all atoms each


def test_choice_inside_the_folds_does_not_see_the_fold_that_is_tested() -> None:
    """Other labels in a fold change nothing of what is predicted there; the better setting is chosen."""
    rng = np.random.default_rng(0)
    numbers, folds = rng.normal(size=(60, 4)), np.repeat(np.arange(3), 20)
    labels = numbers[:, 0] + 6.0
    clusters = np.array([f"{number}" for number in range(60)])

    def tested(of: Values) -> tuple[Values, dict[int, float]]:
        def predict(noises: Sequence[float], train: Mask) -> list[Values]:
            kernel = number_kernel(numbers, train)
            return [process_mean(kernel, of, train, noise) for noise in noises]

        return nested([100.0, 0.01], predict, folds, Scored(of, clusters))

    changed = labels + 3.0 * (folds == 1)
    found, chosen = tested(labels)
    assert chosen == {0: 0.01, 1: 0.01, 2: 0.01}
    np.testing.assert_array_equal(tested(changed)[0][folds == 1], found[folds == 1])
    assert np.corrcoef(found, labels)[0, 1] > 0.9


def test_support_vectors_of_a_kernel_are_those_of_the_ensemble() -> None:
    rng = np.random.default_rng(0)
    numbers, train = rng.normal(size=(60, 4)), np.arange(60) < 40
    labels = numbers[:, 0] + 6.0
    usual = ENSEMBLE.members[2].make(0, 4).fit(numbers[train], labels[train]).predict(numbers)
    np.testing.assert_allclose(
        by_support_vectors(number_kernel(numbers, train), labels, train), usual, atol=2e-3
    )
