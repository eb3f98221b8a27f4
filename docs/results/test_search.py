"""The program of docs/results/search, on chains of noise in which two have the same three residues."""

import importlib
import json
import runpy
import sys
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from sklearn.metrics import roc_auc_score

import holo_types
from holo_downstream import SiteHit
from holo_downstream.search import calibration
from holo_types import Embeddings, Index, ModelReference

SCRIPT = Path(__file__).parent / "search" / "triads.py"
CHAINS, LENGTH = 12, 60
NAMES = ["1acb_E_x", "1cse_E_x", "1ppf_E_x", *(f"{number}abc_A_x" for number in range(3, CHAINS))]
TRIADS = {"1acb_E_x": (7, 20, 31), "1cse_E_x": (13, 2, 40), "1ppf_E_x": (51, 28, 33)}


def chains() -> Embeddings:
    """Draw chains; the triads of the first three lie alike and have like z."""
    generator = np.random.default_rng(0)
    z, centers = (
        generator.normal(size=(CHAINS, LENGTH, 6)),
        generator.uniform(0, 30, size=(CHAINS, LENGTH, 3)),
    )
    kinds = generator.choice(["ALA", "ASP", "HIS", "SER"], (CHAINS, LENGTH))
    for chain, rows in enumerate(map(list, TRIADS.values())):
        z[chain, rows] = z[0, [7, 20, 31]] + 0.01 * chain
        centers[chain, rows] = np.array([[0.0, 0, 0], [6, 0, 0], [0, 8, 0]]) + chain
        kinds[chain, rows] = ["HIS", "ASP", "SER"]
    count = CHAINS * LENGTH
    index = {
        "structure": np.repeat(NAMES, LENGTH),
        "chain": np.repeat([name[5] for name in NAMES], LENGTH),
        "residue_number": np.tile(np.arange(LENGTH), CHAINS),
        "insertion_code": np.full(count, ""),
        "residue_name": kinds.ravel(),
    }
    frames, model = np.tile(np.eye(3), (count, 1, 1)), ModelReference("demo", "1", "", "")
    return Embeddings(z.reshape(count, 6), frames, model, index, centers=centers.reshape(count, 3))


def test_the_triad_of_another_cluster_is_ranked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(calibration, "_SITES", 20)
    lines = [f"{name}.pdb\t{number}" for number, name in enumerate(NAMES)]
    (tmp_path / "index.tsv").write_text("\n".join(["file\tcluster30", *lines]) + "\n")
    out = tmp_path / "out"
    out.mkdir()
    holo_types.save(chains(), out / "chains.h5")
    program: dict[str, Any] = runpy.run_path(str(SCRIPT))
    shared = program["main"].__globals__
    shared |= {
        "QUERIES": {"1acb_E": "E:7,20,31", "1ppf_E": "E:51,28,33"},
        "TRIAD": ("E:13 HIS", "E:2 ASP", "E:40 SER"),
        "SITES": 5,
        "SIZES": (3,),
        "RESIDUES": 50,
    }
    monkeypatch.setattr(sys, "argv", ["triads.py", str(tmp_path), "--out", str(out)])
    program["main"]()
    figures = json.loads((out / "figures.json").read_text())
    assert [(each["query"], each["rank"] in (1, 2)) for each in figures["triads"]] == [
        ("1acb_E", True),
        ("1ppf_E", True),
    ]
    assert all(each["rmsd"] < 1e-5 and each["expected"] <= 0.1 for each in figures["triads"])
    assert set(figures["calibration"]) >= {"residues of one type", "sites of 3 residues, one type"}
    assert json.loads(capsys.readouterr().out)["chains"] == CHAINS


def test_a_ligand_is_placed_where_its_pocket_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pockets are moved parts of proteins, which are found where they are only by numbers that know residues."""
    monkeypatch.syspath_prepend(SCRIPT.parent)
    where = importlib.import_module("where")
    generator = np.random.default_rng(0)

    def described(name: str, centers: Any, z: Any, ligand: Any) -> Any:
        count = len(centers)
        index = Index(
            {
                "structure": np.full(count, name),
                "cluster": np.full(count, name),
                "chain": np.full(count, "A"),
                "residue_number": np.arange(count),
                "insertion_code": np.full(count, ""),
                "residue_name": np.full(count, "ALA"),
            }
        )
        rows, apart = (
            {"z": z, "noise": generator.normal(size=z.shape)},
            np.linalg.norm(centers - ligand, axis=1),
        )
        return where.Described(name, frozenset({name}), index, centers, apart, ligand, rows)

    proteins, pockets = [], []
    for number in range(6):
        centers, z = generator.uniform(0, 20, (80, 3)), generator.normal(size=(80, 8)).astype(np.float32)
        nearest = np.argsort(np.linalg.norm(centers - centers[17], axis=1))[:8]
        turn = Rotation.random(random_state=number)
        proteins.append(described(f"p{number}", centers, z, centers[17]))
        pockets.append(
            described(f"q{number}", turn.apply(centers[nearest]), z[nearest], turn.apply(centers[17]))
        )
        pockets[-1] = attrs.evolve(pockets[-1], to_ligand=np.zeros(8))
    right, chance = where.best_places(proteins, pockets, "z")
    assert right.shape == (2, 2, 6)
    assert right[:, 0].all()
    assert (chance < 1).all()
    assert where.best_places(proteins, pockets, "noise")[0][:, 1].mean() < 0.5
    related = [attrs.evolve(each, clusters=frozenset({f"p{n}"})) for n, each in enumerate(pockets)]
    assert where.best_places(proteins, related, "z")[0][:, 0].mean() < 0.5


def test_pockets_of_one_family_are_ranked_among_those_of_other_clusters() -> None:
    program: dict[str, Any] = runpy.run_path(str(SCRIPT.with_name("pocket_scores.py")))
    generator = np.random.default_rng(0)
    families = np.array(["sugar", "sugar", "sugar", *["other"] * 200])
    clusters = np.array(["a", "b", "b", "a", *map(str, range(199))])
    task = program["Task"](families, clusters, np.full(203, 10), np.arange(3))
    scores = generator.integers(0, 30, size=(3, 203)).astype(float)
    everything = np.ones(203, dtype=bool)
    pairs = {pair.clusters: pair for pair in task.pairs(scores, everything)}
    assert set(pairs) == {("a", "b"), ("b", "a")}  # clusters do not form pairs with themselves

    # The queries of b look for the one of a, among all of the others, a's own among them.
    expected = [roc_auc_score([1, *[0] * 200], scores[query, [0, *range(3, 203)]]) for query in (1, 2)]
    np.testing.assert_allclose(pairs["b", "a"].auroc, np.mean(expected))
    # The query of a looks for two of b; number 3 is of its own cluster and has no part.
    labels = [1, 1, *[0] * 199]
    np.testing.assert_allclose(
        pairs["a", "b"].auroc, roc_auc_score(labels, scores[0, [1, 2, *range(4, 203)]])
    )

    scores[0, 1] = 100.0
    (first,) = (pair for pair in task.pairs(scores, everything) if pair.clusters == ("a", "b"))
    assert first.first == 0.0  # the logarithm of rank 1
    assert first.enrichment >= 50.0
    values = program["summary"](list(pairs.values()))
    np.testing.assert_allclose(values[0, 0], np.mean([pair.auroc for pair in pairs.values()]))
    few = everything & (np.arange(203) != 1)
    assert {pair.clusters for pair in task.pairs(scores, few)} == {("a", "b"), ("b", "a")}
    task = program["Task"](families, clusters, np.array([10, 10, 10, *[15] * 200]), np.arange(3))
    with np.errstate(all="raise"):
        alike = list(task.pairs(scores, everything, alike_in_size=True))
    assert [pair.auroc for pair in alike] == []  # no ligand is of like size: there is nothing to tell it from


def test_residues_that_bind_a_metal_are_scored_by_cluster() -> None:
    program: dict[str, Any] = runpy.run_path(str(SCRIPT.with_name("metals.py")))
    names = np.array(["HIS", "HIS", "HIS", "HIS", "CYS"])
    metals = np.array(["ZN", "ZN", "ZN", "", "ZN"])
    clusters = np.array(["a", "b", "b", "c", "d"])
    found = program["score"](np.array([[0.0], [1.0], [3.0], [2.0], [0.0]]), names, metals, clusters, "ZN")
    # a looks for two histidines of b, which count one half each, one nearer than that of c; each of b for that of a.
    assert found.clusters == ("a", "b")
    np.testing.assert_allclose(found.values[0], [0.5, (1 + 1 / 2) / 2, 1.0, 2 / 3])
    np.testing.assert_allclose(found.values[1], [0.25, 0.5, 0.5, 0.5])


def test_first_hits_are_of_other_structures_of_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pocket that is alone in its cluster is no query, and none finds itself."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    first_hits = importlib.import_module("own_cluster").first_hits
    clusters = np.array(["a", "a", "b", "b", "c"])
    scores = np.array([[9, 5, 1, 1, 1], [2, 9, 1, 8, 1], [1, 1, 9, 3, 1], [1, 1, 4, 9, 5], [1, 1, 1, 1, 9.0]])
    assert first_hits(scores, clusters) == (0.5, 4)


def test_a_site_is_drawn_where_its_hit_places_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the query that was turned and shifted is drawn on the query, bond by bond."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    picture = importlib.import_module("triad_picture")
    places = np.array([[0.0, 0, 0], [1.5, 0, 0], [1.5, 1.2, 0.4]])
    query = [(np.array(["C", "C", "O"]), places + shift) for shift in ([0, 0, 0], [5, 0, 0], [0, 7, 0])]
    turn = Rotation.from_rotvec([0.3, 1, -2]).as_matrix()
    other = [(elements, (at - 3) @ turn) for elements, at in query]
    hit = SiteHit(
        structure="other",
        residues=("A:1 SER",) * 3,
        rows=np.arange(3),
        rmsd=0.0,
        distances=np.zeros(3),
        p_values=np.full(3, 0.1),
        expected=1.0,
        at_least=False,
        rotation=turn,
        translation=np.full(3, 3.0),
        copies=1,
    )
    (panel,) = picture.triad_figure(query, [("title", hit, other)]).axes
    lines = [line.get_xydata() for line in panel.lines]
    assert len(lines) == 2 * 3 * 2 * 2  # two sites, three residues, two bonds, two halves
    np.testing.assert_allclose(lines[: len(lines) // 2], lines[len(lines) // 2 :], atol=1e-9)
