"""Search among residues and sites, beside comparisons one by one and planted sites."""

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation
from sklearn.neighbors import NearestNeighbors

import holo_types
from holo_downstream import (
    SearchIndex,
    build_search_index,
    read_search_index,
    search_residues,
    search_sites,
    select_site,
    with_clusters,
    write_search_index,
)
from holo_downstream.cli.program import main
from holo_downstream.matching import triples
from holo_downstream.matching.correspondences import Correspondences, Site
from holo_downstream.search import calibration, index_files, inverted_lists, nearest
from holo_downstream.search.calibration import random_sites, site_of
from holo_downstream.search.inverted_lists import build_inverted_lists
from holo_downstream.search.matching import match_site
from holo_types import (
    Embeddings,
    FormatError,
    HoloError,
    ModelReference,
    NamedArrays,
    PartsWriter,
    concatenate,
    write_table,
)

MODEL = ModelReference("demo", "1", "0" * 64, "1" * 64)
PROTEINS, LENGTH = 24, 60
TYPES = np.array(["ALA", "ASP", "HIS", "LEU", "SER"])
SITE = np.array([10, 12, 31])  # of the first protein; the second has it too, elsewhere and turned
POCKET = np.arange(2, 38, 3)  # of the third protein; of these twelve residues the fourth has seven
FOUND = np.array([0, 2, 3, 5, 8, 9, 11])
TURN = Rotation.from_euler("xyz", [0.3, -1.1, 2.0]).as_matrix()


def protein(number: int, generator: np.random.Generator) -> Embeddings:
    """Draw a chain folded into a ball, with uninformative surroundings."""
    steps = generator.normal(size=(LENGTH, 3))
    centers = np.cumsum(3.8 * steps / np.linalg.norm(steps, axis=1, keepdims=True), axis=0) * 0.7
    index: dict[str, ArrayLike] = {
        "structure": [f"p{number:02}"] * LENGTH,
        "chain": ["A"] * LENGTH,
        "residue_number": np.arange(1, LENGTH + 1),
        "insertion_code": [""] * LENGTH,
        "residue_name": generator.choice(TYPES, LENGTH),
    }
    frames = np.tile(np.eye(3, dtype=np.float32), (LENGTH, 1, 1))
    z = generator.normal(size=(LENGTH, 8)).astype(np.float32) * np.arange(1, 9, dtype=np.float32)
    return Embeddings(z, frames, MODEL, index, centers=centers)


def planted(
    first: Embeddings, second: Embeddings, here: NDArray[np.int64], there: NDArray[np.int64]
) -> Embeddings:
    """Give the second protein residues of the first, with what is before and after each, elsewhere and turned."""
    assert first.centers is not None
    assert second.centers is not None
    z, centers = second.invariants.copy(), second.centers.copy()
    names = second.index["residue_name"].copy()
    for mine, its in zip(here.tolist(), there.tolist(), strict=True):
        z[its] = first.invariants[mine] + 0.01
        names[its] = first.index["residue_name"][mine]
        moved = first.centers[mine - 1 : mine + 2] @ TURN.T + np.array([5.0, -3.0, 40.0])
        centers[its - 1 : its + 2] = moved
    return attrs.evolve(second, invariants=z, centers=centers, index=second.index.assign(residue_name=names))


@pytest.fixture(scope="module")
def proteins() -> Embeddings:
    generator = np.random.default_rng(1)
    drawn = [protein(number, generator) for number in range(PROTEINS)]
    drawn[1] = planted(drawn[0], drawn[1], SITE, np.array([20, 25, 50]))
    drawn[3] = planted(drawn[2], drawn[3], POCKET[FOUND], 20 + POCKET[FOUND])
    return concatenate(drawn)


@pytest.fixture(scope="module")
def index(proteins: Embeddings) -> SearchIndex:
    return build_search_index(proteins)


@pytest.fixture
def few_random_sites(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save time in tests that do not depend on the calibration of chance."""
    monkeypatch.setattr(calibration, "_SITES", 20)


def standardized(proteins: Embeddings) -> NDArray[np.float64]:
    wide = proteins.invariants.astype(np.float64)
    scaled: NDArray[np.float64] = (wide - wide.mean(axis=0)) / wide.std(axis=0)
    return scaled


@pytest.mark.parametrize("any_type", [False, True])
def test_neighbors_are_those_of_scikit_learn(
    proteins: Embeddings, index: SearchIndex, any_type: bool
) -> None:
    z, names = standardized(proteins), proteins.index["residue_name"]
    asked = np.array([3, 700, 1203])
    found = search_residues(index, proteins[asked], count=7, any_type=any_type)
    for number, row in enumerate(asked.tolist()):
        others = proteins.index["structure"] != proteins.index["structure"][row]
        rows = np.flatnonzero(others & (any_type | (names == names[row])))
        distances, nearest = NearestNeighbors(n_neighbors=7).fit(z[rows]).kneighbors(z[[row]])
        assert found.rows[number].tolist() == rows[nearest[0]].tolist()
        assert np.allclose(found.distances[number], distances[0], atol=1e-5)  # of float32 beside float64


def test_a_share_is_that_of_all_pairs_of_the_type_in_other_structures(
    proteins: Embeddings, index: SearchIndex
) -> None:
    z = standardized(proteins)
    for kind in ("HIS", ""):
        of_type = np.flatnonzero((proteins.index["residue_name"] == kind) | (kind == ""))
        apart = np.linalg.norm(z[of_type, None] - z[of_type], axis=2)
        groups = proteins.index["structure"][of_type]
        pairs = np.sort(apart[groups[:, None] != groups])
        asked = np.quantile(pairs, [0.001, 0.02, 0.5, 0.99])
        counted = np.searchsorted(pairs, asked, "right") / len(pairs)
        # Between 256 levels they are interpolated: a hundredth of the share, or one pair in a thousand.
        assert np.allclose(index.chance.of(kind, asked), counted, rtol=0.04)
        assert index.chance.of(kind, np.zeros(1))[0] == pytest.approx(1 / len(pairs))
        assert index.chance.least(kind) == pytest.approx(1 / len(pairs))


def test_chance_gives_as_many_neighbors_as_expected(proteins: Embeddings, index: SearchIndex) -> None:
    """Half of all residues are queries, whose true neighbors are two planted sites: one hit with E < 1, to a tenth."""
    found = search_residues(index, proteins[::2], count=40)
    assert (found.expected < 1).sum() / len(found.query) == pytest.approx(1, abs=0.1)
    assert (found.expected < 0.1).sum() / len(found.query) == pytest.approx(0.1, abs=0.04)


def test_sets_are_those_of_trying_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("_OF_STRUCTURE", "_OF_ALL"):
        monkeypatch.setattr(triples, limit, 10**6)
    generator = np.random.default_rng(3)
    centers, structures = generator.uniform(0, 12, size=(24, 3)), np.repeat([0, 1, 2], 8)
    places, rows = (
        np.repeat(np.arange(4), 12),
        np.concatenate([np.arange(0, 24, 2)] * 2 + [np.arange(1, 24, 2)] * 2),
    )
    order = np.argsort(structures[rows], kind="stable")
    places, rows = places[order], rows[order]
    site = Site(np.zeros((4, 1)), ["ALA"] * 4, generator.uniform(0, 8, size=(4, 3)), np.zeros((4, 3)))
    found = Correspondences(
        places, rows, np.full(48, 0.1), structures[rows], centers[rows], np.zeros((48, 3))
    )
    wanted = np.linalg.norm(site.centers[:, None] - site.centers, axis=2)
    expected = []
    for some in itertools.combinations(range(48), 3):
        each = list(some)
        if len(set(places[each])) < 3 or len(set(rows[each])) < 3 or len(set(structures[rows[each]])) > 1:
            continue
        apart = np.linalg.norm(centers[rows[each]][:, None] - centers[rows[each]], axis=2)
        if np.abs(apart - wanted[np.ix_(places[each], places[each])]).max() <= 2:
            expected.append(each)
    assert len(expected) > 10
    assert sorted(map(sorted, triples.seed_sets(found, site).tolist())) == expected


def test_part_of_a_pocket_is_found_in_a_turned_copy_that_lacks_the_rest(
    proteins: Embeddings, index: SearchIndex
) -> None:
    """Seven of twelve residues, with the same transformation as all of them; nothing that is random is as good."""
    assert proteins.centers is not None
    asked = "A:" + ",".join(map(str, POCKET + 1))
    best, *others = search_sites(index, proteins, asked, structure="p02", any_type=True).hits
    expected = np.full(12, -1)
    expected[FOUND] = 3 * LENGTH + 20 + POCKET[FOUND]
    assert best.rows[FOUND].tolist() == expected[FOUND].tolist()
    assert (best.rows >= 0).sum() <= 8  # one of the others may have a partner by chance
    assert np.allclose(best.rotation, TURN.T, atol=0.1)
    assert best.at_least
    assert f"{(best.rows >= 0).sum()} of 12, RMSD" in str(best)
    assert [name == "" for name in best.residues] == (best.rows < 0).tolist()
    assert (np.isnan(best.p_values) == (best.rows < 0)).all()
    assert all(hit.expected > 0.01 for hit in others)


def test_a_planted_site_is_found_first_with_its_transformation(
    proteins: Embeddings, index: SearchIndex
) -> None:
    found = search_sites(index, proteins, "A:11,13,32", structure="p00")
    best = found.hits[0]
    assert (best.structure, best.rows.tolist()) == ("p01", [LENGTH + 20, LENGTH + 25, LENGTH + 50])
    assert [name.split()[0] for name in best.residues] == ["A:21", "A:26", "A:51"]
    assert best.rmsd < 1e-5
    assert np.allclose(best.rotation, TURN.T, atol=1e-6)
    assert proteins.centers is not None
    laid = proteins.centers[best.rows] @ best.rotation.T + best.translation
    assert np.allclose(laid, proteins.centers[SITE], atol=1e-5)
    assert best.at_least
    assert best.expected == pytest.approx(1 / 200)
    assert str(best).endswith("RMSD 0.00 Å, E <0.005")
    assert all(hit.expected > 0.01 for hit in found.hits[1:])
    assert all(hit.structure != "p00" for hit in found.hits)


def test_an_rmsd_is_that_of_scipy(proteins: Embeddings, index: SearchIndex) -> None:
    assert proteins.centers is not None
    hits = search_sites(index, proteins, "A:11,13,32", structure="p00", count=50).hits
    assert len(hits) > 3
    wanted = proteins.centers[SITE] - proteins.centers[SITE].mean(axis=0)
    for hit in hits:
        places = proteins.centers[hit.rows]
        _, left = Rotation.align_vectors(wanted, places - places.mean(axis=0))
        assert hit.rmsd == pytest.approx(left / np.sqrt(3), abs=1e-5)


@pytest.mark.parametrize(("size", "any_type"), [(2, False), (3, False), (6, True)])
def test_chance_gives_as_many_sites_as_expected(index: SearchIndex, size: int, any_type: bool) -> None:
    """Other random sites than those by which E was measured: one structure with E < 1 each, to a factor of 1.5."""
    assert index.site_chance is not None
    counts = []
    for rows in random_sites(index, size, 200, np.random.default_rng(99)):
        unrelated = index.groups != index.groups[rows[0]]
        found = match_site(index, site_of(index, rows), unrelated, 100, any_type=any_type)
        expected = index.site_chance.expected(size, found.scores, any_type=any_type)
        structures = index.groups[found.rows.max(axis=1)]
        counts.append([len(np.unique(structures[expected < limit])) for limit in (1, 0.01)])
    hits, rare = np.mean(counts, axis=0)
    assert 1 / 1.5 < hits < 1.5
    assert rare <= 0.04  # of 200 sites, where .01 is meant


@pytest.mark.usefixtures("few_random_sites")
def test_like_chains_of_a_structure_are_one_hit(proteins: Embeddings) -> None:
    second = proteins[LENGTH : 2 * LENGTH]
    assert second.centers is not None
    copy = attrs.evolve(
        second,
        index=second.index.assign(chain=["B"] * LENGTH),
        centers=second.centers + np.array([90.0, 0, 0]),
    )
    index = build_search_index(concatenate([proteins[: 10 * LENGTH], copy]))
    hits = search_sites(index, proteins, "A:11,13,32", structure="p00").hits
    assert hits[0].structure == "p01"
    assert hits[0].copies >= 2
    numbers = [(hit.structure, *(name.split(":")[1] for name in hit.residues)) for hit in hits]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.usefixtures("few_random_sites")
def test_clusters_are_left_out_and_tell_chance(proteins: Embeddings, tmp_path: Path) -> None:
    table = tmp_path / "clusters.csv"
    lines = [f"p{number:02},{max(number, 1)}" for number in range(PROTEINS)]  # the first two are related
    table.write_text("\n".join(["structure,cluster", *lines]) + "\n")
    known = with_clusters(proteins, table)
    index = build_search_index(known)
    best = search_sites(index, known, "A:11,13,32", structure="p00").hits[0]
    assert best.structure == "p01"
    elsewhere = search_sites(index, known, "A:11,13,32", structure="p00", other="cluster").hits
    assert elsewhere
    assert all(hit.structure not in ("p00", "p01") for hit in elsewhere)
    table.write_text("structure,cluster\np00,1\n")
    with pytest.raises(HoloError, match=r"clusters\.csv: lacks the structure 'p01'"):
        with_clusters(proteins, table)
    stranger = attrs.evolve(proteins[:1], index=proteins[:1].index.assign(structure=["new"]))
    with pytest.raises(HoloError, match="the cluster of new is not known"):
        search_residues(index, stranger, other="cluster")
    with pytest.raises(HoloError, match="index has no column 'cluster'"):
        search_residues(build_search_index(proteins), proteins[:1], other="cluster")


@pytest.mark.usefixtures("few_random_sites")
def test_an_index_comes_back_from_its_files(proteins: Embeddings, index: SearchIndex, tmp_path: Path) -> None:
    write_search_index(proteins, tmp_path / "index")
    back = read_search_index(tmp_path / "index")
    assert holo_types.load(tmp_path / "index" / "embeddings.h5") == proteins
    mine, its = (search_sites(each, proteins, "A:11,13,32", structure="p00") for each in (index, back))
    assert [hit.rows.tolist() for hit in its.hits] == [hit.rows.tolist() for hit in mine.hits]
    assert its.hits[0].expected == 1 / 20
    assert mine.hits[0].expected == 1 / 200
    with pytest.raises(HoloError, match="index: is not empty, and is not replaced"):
        write_search_index(proteins, tmp_path / "index")


@pytest.mark.usefixtures("few_random_sites")
def test_what_does_not_belong_together_is_refused_in_one_line(
    proteins: Embeddings, index: SearchIndex, tmp_path: Path
) -> None:
    write_search_index(proteins[: 5 * LENGTH], tmp_path / "index")
    holo_types.save(proteins, tmp_path / "index" / "embeddings.h5")
    with pytest.raises(FormatError, match=r"search\.h5 does not belong to its embeddings\.h5"):
        read_search_index(tmp_path / "index")
    (tmp_path / "index" / "search.h5").write_bytes(b"")
    with pytest.raises(FormatError, match=r"search\.h5: is empty"):
        read_search_index(tmp_path / "index")
    other = attrs.evolve(proteins[:2], model=attrs.evolve(MODEL, digest="2" * 64))
    with pytest.raises(
        HoloError, match=r"made by demo 1 \(222222222222\); the index is of demo 1 \(000000000000\)"
    ):
        search_residues(index, other)
    basis = attrs.evolve(proteins[:2], model=attrs.evolve(MODEL, basis_digest="2" * 64))
    with pytest.raises(HoloError, match="made from the basis 222222222222"):
        search_sites(index, basis, "A:1,2")
    with pytest.raises(HoloError, match="of one structure or cluster"):
        build_search_index(proteins[:LENGTH])
    with pytest.raises(HoloError, match="the residue p00 A:1 comes twice"):
        build_search_index(concatenate([proteins, proteins[:1]]))
    bare = attrs.evolve(proteins, centers=None)
    with pytest.raises(HoloError, match="the index's embeddings have no centers"):
        search_sites(build_search_index(bare), proteins, "A:11,13", structure="p00")
    with pytest.raises(HoloError, match="the site has 21 residues; it must have 20 at most"):
        search_sites(index, proteins, "A:" + ",".join(map(str, range(1, 22))), structure="p00")


@pytest.fixture(scope="module")
def small_index(proteins: Embeddings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small") / "index"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "_SITES", 20)
        write_search_index(proteins[: 5 * LENGTH], folder)
    return folder


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("chance_distances", lambda a: a * np.nan, "distances of chance are not finite"),
        (
            "chance_distances",
            lambda a: a[:, ::-1].copy(),
            "distances of chance are not finite and in ascending",
        ),
        ("chance_distances", lambda a: a[:, :3], "the p_values of chance have shape"),
        ("chance_distances", lambda a: a[:0], "the p_values of chance have shape"),
        ("chance_distances", lambda a: a - 1e9, "the distances of chance are none, or negative"),
        ("chance_distances", lambda a: a.astype(np.int64), "distances of chance have shape .* dtype int64"),
        ("chance_p_values", lambda a: a * 0, "a p-value of chance is not above 0"),
        ("chance_p_values", lambda a: a * 2, "a p-value of chance is not above 0 and at most 1"),
        ("chance_p_values", lambda a: -a, "the p_values of chance are not finite and in ascending order"),
        ("chance_p_values", lambda a: a * np.nan, "the p_values of chance are not finite"),
        ("chance_types", lambda a: np.roll(a, 1), "texts, of which the first is empty"),
        ("chance_types", lambda a: np.arange(len(a)), "texts, of which the first is empty"),
        ("chance_pairs", lambda a: a * 0, "positive integers"),
        ("chance_pairs", lambda a: a[1:], "positive integers"),
        ("factors", lambda a: a * np.nan, "the factors of a scaling are not finite floating-point numbers"),
        ("factors", lambda a: a.astype(np.int64), "the factors of a scaling are not finite floating-point"),
        ("factors", lambda a: np.zeros((len(a), 7, 1)), "there must be one factor"),
        ("factors", lambda a: a * 1e300, "a scaled value is too large for float32"),
        ("factors", lambda a: np.full_like(a, 1e25), "a scaled z is .* long; it must be at most"),
        ("mean", lambda a: a[:1], "there must be one factor"),
        ("mean", lambda a: np.full(len(a), "a"), "the mean of a scaling are not finite floating-point"),
        ("mean", lambda a: a + 1e300, "a scaled value is too large for float32"),
        (
            "site_scores_4",
            lambda a: -a,
            "scores of sites of 4 residues are not finite and in ascending order",
        ),
        ("site_scores_4", lambda a: a * np.nan, "scores of sites of 4 residues are not finite"),
        ("sites", lambda _: "nan", "the number of random sites is nan"),
        ("sites", lambda _: 0, "the number of random sites is 0"),
    ],
)
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_numbers_that_no_index_has_are_refused_in_one_line(
    small_index: Path, tmp_path: Path, name: str, change: Callable[[Any], Any], message: str
) -> None:
    folder = shutil.copytree(small_index, tmp_path / "index")
    assert len(read_search_index(folder)) == 5 * LENGTH
    there = holo_types.load(folder / "search.h5", kind=NamedArrays)
    arrays, header = dict(there.arrays), dict(there.header)
    where: dict[str, Any] = header if name in header else arrays
    where[name] = change(where[name])
    (folder / "search.h5").unlink()
    holo_types.save(NamedArrays(there.kind, arrays, header), folder / "search.h5")
    with pytest.raises(FormatError, match=rf"search\.h5: .*{message}") as caught:
        read_search_index(folder)
    assert "\n" not in str(caught.value)


def test_a_query_of_impossible_size_is_refused(proteins: Embeddings, index: SearchIndex) -> None:
    for size in (1e300, 1e25):
        far = attrs.evolve(proteins[:1], invariants=np.full((1, proteins.invariants.shape[1]), size))
        with pytest.raises(HoloError, match=r"too large for float32|it must be at most"):
            search_residues(index, far)


def test_residues_that_are_not_there_are_named(proteins: Embeddings) -> None:
    one = proteins[:LENGTH]
    assert select_site(one, "A:5", "A:2,3").index["residue_number"].tolist() == [5, 2, 3]
    for asked, message in (
        ("A:99", "there is no residue A:99"),
        ("57", "written as chain:number"),
        ("A:1,1", "comes twice"),
    ):
        with pytest.raises(HoloError, match=message):
            select_site(one, asked)
    with pytest.raises(HoloError, match="there are 24 structures; say which one"):
        select_site(proteins, "A:1")
    with pytest.raises(HoloError, match="no structure 'p99'"):
        select_site(proteins, "A:1", structure="p99")


@pytest.mark.usefixtures("few_random_sites")
def test_inverted_lists_find_nearly_all_and_are_made_anew_where_they_do_not_belong(
    proteins: Embeddings, index: SearchIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faiss")
    for module in (inverted_lists, index_files):
        monkeypatch.setattr(module, "EXACT_ROWS", 1000)
    monkeypatch.setattr("holo_downstream.search.building.EXACT_ROWS", 1000)
    exact = search_residues(index, proteins[::10], count=10)
    write_search_index(proteins, tmp_path / "index")
    lists = tmp_path / "index" / "lists.h5"
    kept = holo_types.load(lists, kind=holo_types.NamedArrays)
    back = read_search_index(tmp_path / "index")
    assert back.lists is not None
    assert np.array_equal(back.lists.list_of_row, kept.arrays["list_of_row"])
    found = search_residues(back, proteins[::10], count=10)
    shared = [len(set(a) & set(b)) for a, b in zip(found.rows.tolist(), exact.rows.tolist(), strict=True)]
    assert np.mean(shared) / 10 > 0.9
    same = found.rows == exact.rows
    assert np.array_equal(found.distances[same], exact.distances[same])
    strange = holo_types.NamedArrays(kept.kind, {**kept.arrays, "list_of_row": np.full(3, 7)}, kept.header)
    for content in (strange, attrs.evolve(strange, header={"embeddings": "0" * 64})):
        holo_types.save(content, lists)
        again = read_search_index(tmp_path / "index")
        assert again.lists is not None
        assert len(again.lists.list_of_row) == len(proteins)
    lists.write_bytes(b"a graph of a stranger")
    assert read_search_index(tmp_path / "index").lists is not None


def test_every_row_is_in_the_list_of_its_nearest_centroid(index: SearchIndex) -> None:
    pytest.importorskip("faiss")
    lists = build_inverted_lists(index.vectors)
    nearest = NearestNeighbors(n_neighbors=1).fit(lists.centroids).kneighbors(index.vectors)[1][:, 0]
    assert (nearest == lists.list_of_row).mean() > 0.999  # but for rounding


@pytest.mark.usefixtures("few_random_sites")
def test_the_commands(
    proteins: Embeddings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    half = len(proteins) // 2
    write_table(proteins[:half], "first.parquet")
    with PartsWriter("second") as writer:
        writer.append(proteins[half:])
    holo_types.save(proteins[:LENGTH], "query.h5")
    assert main(["index", "first.parquet", "second", "--out", "proteins"]) == 0
    assert "1440 residues of 24 structures, by demo 1" in capsys.readouterr().out
    assert holo_types.load("proteins/embeddings.h5") == proteins
    assert main(["search", "proteins", "query.h5", "--residues", "A:11,13,32", "--out", "hits.csv"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("1. p01 A:21 ")
    assert first.endswith("RMSD 0.00 Å, E <0.05")
    header, best, *_ = Path("hits.csv").read_text().splitlines()
    assert header.startswith("rank,structure,residues,rmsd,expected,less_than,")
    assert best.startswith("1,p01,")
    assert main(["search", "proteins", "query.h5", "--residues", "A:11", "--count", "2"]) == 0
    nearest, second = capsys.readouterr().out.splitlines()
    assert nearest.startswith("1. p01 A:21 ")
    assert ", E " in nearest
    assert second.startswith("2. ")
    assert main(["search", "proteins", "query.h5", "--residues", "A:99"]) == 1
    assert capsys.readouterr().err == "Error: there is no residue A:99; there must be one\n"
    assert main(["search", "second", "query.h5", "--residues", "A:11"]) == 1
    assert "second: is not an index" in capsys.readouterr().err


def test_nearest_rows_are_those_of_all_distances_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """In blocks of a few rows, with groups that have fewer others than are asked for."""
    rng = np.random.default_rng(5)
    vectors, groups = rng.normal(size=(60, 4)) + 100, np.sort(rng.integers(4, size=60))
    monkeypatch.setattr(nearest, "_DISTANCES_AT_ONCE", 420)
    rows, distances = nearest.nearest_rows(vectors, groups, 50)
    for row in range(60):
        others = np.flatnonzero(groups != groups[row])
        apart = np.linalg.norm(vectors[others] - vectors[row], axis=1)
        order = np.argsort(apart)[:50]
        assert rows[row].tolist() == others[order].tolist() + [-1] * (50 - len(order))
        assert np.allclose(distances[row, : len(order)], apart[order])
        assert np.isnan(distances[row, len(order) :]).all()
