"""The page on which residues are explored: its data, safety and errors; `browser/` tests what a browser does."""

import base64
import gzip
import hashlib
import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from numpy.typing import NDArray

from holo_features import alpha_carbons, read_structure, residue_numbers, structure_stem
from holo_features.datasets import example_structures
from holo_lab.cli.program import main
from holo_lab.explore import page
from holo_lab.explore.columns import Categories
from holo_lab.explore.contents import Contents
from holo_lab.explore.making import make_contents
from holo_lab.explore.page import page_text, write_explore_page
from holo_lab.explore.residues import MOST_ROWS, find_residues
from holo_types import Embeddings, HoloError, Index, ModelReference, in_frame, save
from holo_vae import Model, embed, load

HOSTILE = ("</script><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "&amp;\u2028'")


@pytest.fixture(scope="module")
def paths() -> list[Path]:
    return sorted(example_structures(), key=lambda path: path.stat().st_size)[:3]


@pytest.fixture(scope="module")
def model() -> Model:
    return load("microenvironment-z128", Model)


@pytest.fixture(scope="module")
def embeddings(paths: list[Path], model: Model) -> Embeddings:
    return embed(paths, model)


@pytest.fixture(scope="module")
def named(embeddings: Embeddings) -> str:
    """Name the tenth residue as --density takes it."""
    index = embeddings.index
    return f"{index['structure'][10]} {index['chain'][10]}:{index['residue_number'][10]}"


@pytest.fixture(scope="module")
def contents(embeddings: Embeddings, paths: list[Path], model: Model, named: str) -> Contents:
    return make_contents(embeddings, paths, "three", projection="pca", density=[named], model=model)


def read_back(text: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read a page as its own scripts do, without any code of the writer."""
    facts = json.loads(re.findall(rb'id="facts">(.*?)</script>', text, re.DOTALL)[0])
    block = gzip.decompress(base64.b64decode(re.findall(rb'id="arrays">(.*?)</script>', text, re.DOTALL)[0]))
    return facts, {
        one["name"]: np.frombuffer(block, one["type"], one["count"], one["start"]) for one in facts["arrays"]
    }


def test_the_page_holds_each_residue_where_it_is(contents: Contents, embeddings: Embeddings) -> None:
    facts, arrays = read_back(page_text(contents, atoms=True))
    names = [facts["structures"][code] for code in arrays["structure"]]
    assert sorted(names) == sorted(embeddings.index["structure"].tolist())
    keys = list(
        zip(
            names, [facts["chains"][code] for code in arrays["chain"]], arrays["number"].tolist(), strict=True
        )
    )
    index = embeddings.index
    rows = {
        key: row
        for row, key in enumerate(
            zip(*(index[name].tolist() for name in ("structure", "chain", "residue_number")), strict=True)
        )
    }
    found = [rows[key] for key in keys]
    assert (index["residue_name"][found] == [facts["residueNames"][code] for code in arrays["name"]]).all()
    axes = arrays["frames"].reshape(-1, 2, 3) / 32767
    assert np.abs(axes - embeddings.frames[found][:, :2]).max() < 1e-4


def test_atoms_about_a_residue_are_those_of_its_file(contents: Contents, paths: list[Path]) -> None:
    """Places of 16 bits are within 0.01 Å of the file's, of the residue in another structure than the first too."""
    facts, arrays = read_back(page_text(contents, atoms=True))
    structures = {structure_stem(path): read_structure(path).atoms for path in paths}
    places = np.cumsum(arrays["atom.places"].reshape(3, -1), axis=1, dtype=np.int16).T
    for row in (5, len(arrays["alpha"]) - 5):
        number = int(arrays["structure"][row])
        start, end = arrays["atom.firsts"][number : number + 2].tolist()
        atoms = structures[facts["structures"][number]]
        alpha = int(arrays["alpha"][row])
        assert atoms.atom_name[alpha - start] == "CA"
        assert atoms.res_id[alpha - start] == arrays["number"][row]
        stored = (places[start:end] - places[alpha].astype(np.float64)) * arrays["atom.steps"][number]
        assert np.abs(stored - (atoms.coord - atoms.coord[alpha - start])).max() < 0.02
        kinds = arrays["atom.kinds"][start:end]
        assert [facts["elements"][kind >> 2 & 31] for kind in kinds.tolist()] == atoms.element.tolist()
        assert (np.cumsum(kinds >> 7) - 1 == residue_numbers(atoms)).all()


def test_neighbors_are_the_nearest_of_other_structures(contents: Contents) -> None:
    z = contents.residues.embeddings.invariants.astype(np.float64)
    z = (z - z.mean(axis=0)) / np.where(z.std(axis=0) > 0, z.std(axis=0), 1)
    structures = contents.residues.embeddings.index["structure"]
    for row in (0, 100, len(z) - 1):
        apart = np.linalg.norm(z - z[row], axis=1)
        apart[structures == structures[row]] = np.inf
        assert contents.neighbors[row].tolist() == np.argsort(apart)[:10].tolist()
    random = np.random.default_rng(1).permutation(len(z))
    usual = np.median(np.linalg.norm(z - z[random], axis=1))
    assert contents.distances[0, 0] * usual == pytest.approx(
        np.linalg.norm(z[contents.neighbors[0, 0]] - z[0]), rel=0.05
    )


def test_of_one_structure_neighbors_are_its_other_residues(embeddings: Embeddings, paths: list[Path]) -> None:
    one = embeddings[embeddings.index["structure"] == structure_stem(paths[0])]
    found = make_contents(one, paths, "one", projection="pca")
    assert (found.neighbors != np.arange(len(one))[:, None]).all()
    assert (np.sort(found.neighbors, axis=1)[:, 0] >= 0).all()


def test_the_density_lies_over_the_atoms(contents: Contents, paths: list[Path]) -> None:
    """In the frame, the true density is higher where atoms of its element are than where none is near."""
    densities, residues = contents.densities, contents.residues
    assert densities is not None
    row = int(densities.rows[0])
    structure = read_structure(
        {structure_stem(p): p for p in paths}[residues.structures[residues.structure_of_row[row]]]
    )
    about = alpha_carbons(structure)
    place = int(
        np.flatnonzero(about.index["residue_number"] == residues.embeddings.index["residue_number"][row])[0]
    )
    atoms = structure.atoms
    near = in_frame(
        atoms.coord.astype(np.float64) - about.positions[place],
        residues.embeddings.frames[row].astype(np.float64),
    )
    side = np.linspace(-densities.radius, densities.radius, densities.values.shape[-1])
    grid = np.stack(np.meshgrid(side, side, side, indexing="ij"), axis=-1)
    for channel, element in enumerate(densities.channels[:3]):
        own = near[(atoms.element == element) & (np.linalg.norm(near, axis=1) > 0.5)]
        apart = np.linalg.norm(grid[..., None, :] - own, axis=-1).min(axis=-1)
        inside = np.linalg.norm(grid, axis=-1) < 6
        true, again = densities.values[0, :, channel].astype(float)
        for values in (true, again):
            assert values[inside & (apart < 1)].mean() > 2 * values[inside & (apart > 2.5)].mean(), element


def test_nothing_of_a_file_becomes_code(contents: Contents) -> None:
    """Hostile names are in all texts, and the page has the same tags as one without them."""
    ordinary = page_text(contents, atoms=False)
    rows = len(contents.residues)
    bad = np.array([HOSTILE[row % 3] for row in range(rows)])
    index = Index(
        {
            **contents.residues.embeddings.index,
            **dict.fromkeys(("chain", "insertion_code", "residue_name"), bad),
        }
    )
    made_by = ModelReference(HOSTILE[0], HOSTILE[1], "", "")
    residues = attrs.evolve(
        contents.residues,
        embeddings=attrs.evolve(contents.residues.embeddings, index=index, model=made_by),
        structures=HOSTILE,
        elements=HOSTILE,
    )
    column = Categories(HOSTILE[0], HOSTILE[1], np.arange(rows) % 3, HOSTILE, ("#000000",) * 3)
    hostile = attrs.evolve(contents, title=HOSTILE[0], residues=residues, columns=(column,), note=HOSTILE[1])
    text = page_text(hostile, atoms=False)
    tags = re.compile(rb"<[a-z!/][^>]*>", re.IGNORECASE)
    scripts = re.compile(rb"<script>.*?</script>", re.DOTALL)
    assert [scripts.sub(b"", each).count(b"<") for each in (text, ordinary)] == [
        len(tags.findall(scripts.sub(b"", ordinary)))
    ] * 2
    assert b"<img" not in text
    assert read_back(text)[0]["structures"] == list(HOSTILE)


def test_the_policy_allows_the_scripts_of_the_page_and_nothing_else(contents: Contents) -> None:
    text = page_text(contents, atoms=True).decode()
    policy = html.unescape(re.findall(r'Content-Security-Policy" content="([^"]*)"', text)[0])
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert parts["default-src"] == "'none'"
    assert "unsafe" not in policy
    assert "http" not in policy

    def allowed(tag: str) -> str:
        bodies = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        hashes = [base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for body in bodies]
        return " ".join(f"'sha256-{one}'" for one in hashes)

    assert parts["script-src"] == allowed("script")
    assert parts["style-src"] == allowed("style")
    assert not re.search(r"<[^>]+ (style|on\w+)=", re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL))


def test_3d_is_left_out_where_the_page_would_be_too_large(
    contents: Contents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, without = (len(page_text(contents, atoms=atoms)) for atoms in (True, False))
    assert write_explore_page(contents, tmp_path / "whole.html")
    monkeypatch.setattr(page, "MOST_BYTES", (whole + without) // 2)
    assert not write_explore_page(contents, tmp_path / "part.html")
    facts, arrays = read_back((tmp_path / "part.html").read_bytes())
    assert facts["note"].startswith("3D is left out, since the page would have ")
    assert not facts["atoms"]
    assert not {"atom.places", "density", "frames"} & arrays.keys()
    monkeypatch.setattr(page, "MOST_BYTES", 1000)
    with pytest.raises(HoloError, match="give fewer residues"):
        write_explore_page(contents, tmp_path / "none.html")
    assert not (tmp_path / "none.html").exists()


UMAP_TWICE = """
import numpy as np
from holo_lab.explore.projection import uniform_manifold
rng = np.random.default_rng(0)
vectors = np.concatenate([rng.normal(size=(15, 5)), rng.normal(size=(15, 5)) + 12]).astype(np.float32)
points = uniform_manifold(vectors, seed=3).points
print(np.array_equal(points, uniform_manifold(vectors, seed=3).points))
middles = points[:15].mean(axis=0), points[15:].mean(axis=0)
widest = max(np.ptp(points[:15], axis=0).max(), np.ptp(points[15:], axis=0).max())
print(np.linalg.norm(middles[0] - middles[1]) > 2 * widest)
"""


def test_umap_is_the_same_for_the_same_seed_and_keeps_groups_apart() -> None:
    """Two groups that lie far apart do so in the map. Uncompiled, in a process of its own: compiling takes a minute."""
    command = [sys.executable, "-W", "error", "-c", UMAP_TWICE]
    variables = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True", "True"], done.stderr


def test_the_command_writes_a_page(
    embeddings: Embeddings, paths: list[Path], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(embeddings, tmp_path / "three.h5")
    out = tmp_path / "page.html"
    asked = [
        "explore",
        str(tmp_path / "three.h5"),
        *map(str, paths),
        "--out",
        str(out),
        "--projection",
        "pca",
    ]
    assert main([*asked, "--density", named]) == 0
    assert f"{len(embeddings)} residues of 3 structures, PCA: {out}" in capsys.readouterr().out
    facts, _ = read_back(out.read_bytes())
    assert [one["title"] for one in facts["columns"]][:3] == ["residue type", "secondary structure", "burial"]
    assert len(facts["densities"]["rows"]) == 1


def test_bad_input_is_one_line(
    embeddings: Embeddings,
    paths: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(rows: Embeddings, files: list[Path], *more: str) -> str:
        save(rows, tmp_path / "rows.h5")
        asked = [
            "explore",
            str(tmp_path / "rows.h5"),
            *map(str, files),
            "--out",
            str(tmp_path / "page.html"),
            *more,
        ]
        assert main(asked) == 1
        assert not (tmp_path / "page.html").exists()
        (line,) = (
            line for line in capsys.readouterr().err.splitlines() if not line.startswith("structures: ")
        )
        return line

    assert "no residues; a page needs at least 2" in refused(embeddings[:0], paths)
    assert "say where the structures are" in refused(embeddings, [])
    assert f"the embeddings are of {structure_stem(paths[1])}" in refused(embeddings, [paths[0], paths[2]])
    moved = attrs.evolve(embeddings, centers=None if embeddings.centers is None else embeddings.centers + 3.0)
    assert "lies 5.20 Å from where it was embedded" in refused(moved, paths)
    other = attrs.evolve(embeddings, index=embeddings.index.assign(chain=np.full(len(embeddings), "Z")))
    assert "has no residue Z:" in refused(other, paths)
    plain = attrs.evolve(embeddings, index={"label": np.arange(len(embeddings))})
    assert "no column 'structure'; they must be of residues" in refused(plain, paths)
    assert "there is no structure '9xyz'" in refused(
        embeddings, paths, "--density", "9xyz A:5", "--projection", "pca"
    )
    strange = attrs.evolve(embeddings, model=ModelReference("mine", "1", "0" * 64, "0" * 64))
    assert "say where it is by --model" in refused(strange, paths, "--density", "9xyz A:5")
    given = ("--density", "9xyz A:5", "--model", "microenvironment-z128", "--projection", "pca")
    assert "there is no structure" in refused(strange, paths, *given)
    monkeypatch.setitem(sys.modules, "umap", None)
    assert "umap" in refused(embeddings, paths)
    with pytest.raises(HoloError, match=f"a page holds 2 to {MOST_ROWS}"):
        find_residues(embeddings[np.zeros(MOST_ROWS + 1, int)], paths)
