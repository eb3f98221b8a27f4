"""The one split of all chains: what its file must hold, and how its recipe links and uses clusters."""

import csv
import importlib.util
import sys
from collections import defaultdict
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parent / "split"
USES = {"train", "valid", "test", "relative-valid", "relative-test"}


def rows() -> list[dict[str, str]]:
    with (FOLDER / "chains.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def recipe() -> ModuleType:
    pytest.importorskip("parasail")
    spec = importlib.util.spec_from_file_location("cluster_chains", FOLDER / "cluster_chains.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["cluster_chains"] = module  # attrs looks its classes up there
    spec.loader.exec_module(module)
    return module


def test_a_cluster_has_one_use_and_a_protein_one_cluster() -> None:
    uses, clusters = defaultdict(set), defaultdict(set)
    for row in rows():
        uses[row["cluster"]].add(row["use"])
        clusters[row["protein"]].add(row["cluster"])
    assert {len(found) for found in uses.values()} == {1}
    assert set.union(*uses.values()) == USES
    assert {len(found) for found in clusters.values()} == {1}


def test_what_is_known_of_some_chains() -> None:
    found = {(row["archive"], row["structure"]): row for row in rows()}
    # T4 lysozyme with three ligands.
    assert len({found["refined", name]["protein"] for name in ("184l", "185l", "186l")}) == 1
    # What two archives have of one entry has one use: half of casf2016 is in refined.
    both = [name for archive, name in found if archive == "refined" and ("affinity", name) in found]
    assert len(both) > 100
    assert all(found["refined", name]["use"] == found["affinity", name]["use"] for name in both)


def test_components_are_what_is_linked_in_any_number_of_steps() -> None:
    components = recipe().Components(6)
    components.link_equal(["a", None, "b", "a", None, "b"])
    assert components.numbers() == [1, 2, 3, 1, 4, 3]
    components.link(3, 5)
    assert components.numbers() == [1, 2, 1, 1, 3, 1]


def test_relatives_are_linked_and_strangers_are_not() -> None:
    module = recipe()
    kinase = "MENFQKVEKIGEGTYGVVYKARNKLTGEVVALKKIRLDTETEGVPSTAIREISLLKELNHPNIVKLLDVIHTENKLYLVFEFLHQDLKKFMDAS"
    other = "MEKYHGLEKIGEGTYGVVYKAQNNYGETFALKKIRLEKEDEGIPSTTIREISILKELKHSNIVKLYDVIHTKKRLVLVFEHLDQDLKKLLDVC"
    lysozyme = "MNIFEMLRIDEGLRLKIYKDTEGYYTIGIGHLLTKSPSLNAAKSELDKAIGRNTNGVITKDEAEKLFNQDVDAAVRGILRNAKLKPVYDSLDA"
    (link,) = module.links([kinase, other, lysozyme])
    assert (link.first, link.second) == (0, 1)
    assert 0.5 < link.identity < 0.8
    assert link.columns > 80
