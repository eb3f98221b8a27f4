"""Checks on the folds and the pieces of the study of affinities."""

import csv
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from biotite.structure.info import residue

from holo_features import Ligand

PLACE = Path(__file__).with_name("affinity")
sys.path.insert(0, str(PLACE))

from affinity_kinds import KINDS, ligand_kinds, protein_kind  # noqa: E402 - beside this file, as for the script
from affinity_learned import Atoms, log_odds  # noqa: E402
from affinity_rows import ALL, ROWS, predicted  # noqa: E402
from affinity_scores import Scored, score, table  # noqa: E402
from affinity_series import in_series  # noqa: E402


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
