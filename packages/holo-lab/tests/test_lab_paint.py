"""``holo paint``: values as B-factors, and scripts that color by them in PyMOL and ChimeraX."""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import attrs
import numpy as np
import pytest
from numpy.typing import NDArray

from holo_features import Selection, Structure, read_structure, write_structure
from holo_features.datasets import example_structures
from holo_lab.cli.program import main
from holo_lab.painting.scales import CLUSTERS, FADING, NO_VALUE
from holo_lab.painting.scripts import script_paths
from holo_types import Embeddings, FormatError, ModelReference, concatenate, save

PYMOL = shutil.which("pymol")
HOSTILE = "A; system touch pwned\nquit"
Color = tuple[int, int, int]


@pytest.fixture(scope="module")
def structure() -> Structure:
    """Return 40 residues of a protein, the last of which is made a ligand, in a chain with a hostile name."""
    whole = read_structure(example_structures()[0])
    atoms = whole.atoms[np.isin(whole.atoms.res_id, range(5, 45))].copy()
    atoms.chain_id = np.full(len(atoms), HOSTILE)
    ligand = atoms.res_id == 44
    atoms.res_name[ligand], atoms.amino_acid[ligand] = "LIG", False
    return attrs.evolve(whole, name="small", atoms=atoms)


def embedded(structure: Structure, name: str = "small") -> Embeddings:
    """Return random embeddings of all its residues except number 12."""
    atoms = structure.atoms
    alpha = atoms[atoms.amino_acid & (atoms.atom_name == "CA") & (atoms.res_id != 12)]
    rng, count = np.random.default_rng(0), len(alpha)
    index = {
        "structure": [name] * count,
        "model": [1] * count,
        "chain": alpha.chain_id,
        "residue_number": alpha.res_id,
        "insertion_code": alpha.ins_code,
        "residue_name": alpha.res_name,
        "score": np.where(alpha.res_id == 20, np.nan, np.linspace(-3, 9, count)),
    }
    frames = np.linalg.qr(rng.normal(size=(count, 3, 3)))[0]
    frames[0] = 0
    return Embeddings(
        rng.normal(size=(count, 6)).astype(np.float32),
        frames.astype(np.float32),
        ModelReference("small", "1", "0" * 64, "0" * 64),
        index,
        centers=alpha.coord,
        reconstruction_cosine_loss=rng.uniform(0, 0.3, count).astype(np.float32),
    )


@pytest.fixture(scope="module")
def folder(structure: Structure, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("paint")
    write_structure(structure, path / "small.cif")
    plain = structure.atoms.copy()
    plain.chain_id[:] = "B"
    write_structure(attrs.evolve(structure, atoms=plain), path / "plain.cif")
    save(embedded(structure), path / "small.h5")
    save(embedded(attrs.evolve(structure, atoms=plain)), path / "plain.h5")
    return path


def paint(folder: Path, by: str, out: str, what: str = "small") -> int:
    return main(
        [
            "paint",
            str(folder / f"{what}.cif"),
            str(folder / f"{what}.h5"),
            "--by",
            by,
            "--out",
            str(folder / out),
        ]
    )


def rgb(color: str) -> Color:
    red, green, blue = (int(color[place : place + 2], 16) for place in (0, 2, 4))
    return red, green, blue


def expected(values: NDArray[np.float64], least: float, most: float) -> NDArray[np.float64]:
    """Interpolate the colors of a scale, with gray for missing values."""
    stops = np.array([rgb(color) for color in FADING], float)
    places = np.clip((values - least) / (most - least), 0, 1)
    colors = np.stack([np.interp(places, [0, 0.5, 1], stops[:, part]) for part in range(3)], axis=1)
    return np.where(np.isnan(values)[:, None], rgb(NO_VALUE), colors)


def values_of(
    structure: Structure, values: NDArray[np.floating], embeddings: Embeddings
) -> NDArray[np.float64]:
    """Return the value of each atom from its residue, computed by hand."""
    by_number = dict(zip(embeddings.index["residue_number"].tolist(), values.tolist(), strict=True))
    numbers = zip(structure.atoms.res_id.tolist(), structure.atoms.amino_acid.tolist(), strict=True)
    return np.array(
        [by_number.get(number, np.nan) if amino_acid else np.nan for number, amino_acid in numbers]
    )


# A reader of the commands of ChimeraX that are used, and nothing else.


def chimerax_colors(script: Path, b_factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Follow a script by hand; any word in it that is not one of the commands expected fails."""
    colors = np.full((len(b_factors), 3), -1.0)
    serial, name = np.arange(1, len(b_factors) + 1), ""
    b_factors = np.nan_to_num(b_factors)  # readers of structures take none for 0
    for line in script.read_text().splitlines():
        if line.startswith("#"):
            continue
        assert ";" not in line
        words = shlex.split(line, posix=False)
        if words[0] == "open":
            assert words[2] == "name"
            assert re.fullmatch(r'"[^"]+"', words[1])
            assert (script.parent / words[1][1:-1]).is_file()
            name = name or words[3]
        elif words[:2] == ["color", "byattribute"]:
            assert words[2:5] == ["a:bfactor", f'##name="{name}"', "palette"]
            stops = np.array([rgb(each.removeprefix("#")) for each in words[5].split(":")], float)
            least, most = map(float, words[7].split(","))
            places = np.linspace(least, most, len(stops))
            colors = np.stack([np.interp(b_factors, places, stops[:, part]) for part in range(3)], axis=1)
        elif words[0] == "color":
            chosen = np.ones(len(colors), bool)
            assert words[1] == f'##name="{name}"'
            for term in words[3:-1:2]:
                attribute, sign, number = re.fullmatch(r"@@(\w+)(>=|<=|>|<)([0-9.]+)", term).groups()  # type: ignore[union-attr]
                values = {"serial_number": serial, "bfactor": b_factors}[attribute]
                compared = {">=": np.greater_equal, "<=": np.less_equal, ">": np.greater, "<": np.less}[sign]
                chosen &= compared(values, float(number))
            assert set(words[2:-1:2]) <= {"&"}
            colors[chosen] = rgb(words[-1].removeprefix("#"))
        else:
            assert words[0] in ("hide", "view")
            assert words[1].startswith(f'##name="{name}')
    return colors


def pymol_colors(script: Path) -> tuple[NDArray[np.float64], Mapping[str, object]]:
    """Let PyMOL run a script, and ask it for the colors of the atoms."""
    assert PYMOL is not None
    asked = script.with_suffix(".py")
    answer = script.with_suffix(".json")
    asked.write_text(
        "import json\nfrom pymol import cmd\nname = cmd.get_object_list()[0]\ncolors = []\n"
        "cmd.iterate(name, 'colors.append((ID, cmd.get_color_tuple(color)))', space=globals())\n"
        f"told = {{'objects': cmd.get_object_list(), 'colors': [color for _, color in sorted(colors)]}}\n"
        f"json.dump(told, open({str(answer)!r}, 'w'))\n"
    )
    # The program's own Python, not the one that runs this.
    path = os.pathsep.join([str(Path(PYMOL).parent), "/usr/bin", "/bin"])
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run(
        [PYMOL, "-cqk", script.name, asked.name],
        cwd=script.parent,
        env={**surroundings, "PATH": path},
        check=True,
        capture_output=True,
        timeout=120,
    )
    told = json.loads(answer.read_text())
    return 255 * np.array(told["colors"]), told


@pytest.mark.parametrize("form", ["cif", "pdb"])
def test_values_are_b_factors_and_the_script_of_chimerax_colors_by_them(
    folder: Path, structure: Structure, form: str
) -> None:
    what = "small" if form == "cif" else "plain"  # a PDB file has one letter for a chain
    assert paint(folder, "score", f"score.{form}", what) == 0
    embeddings = embedded(structure)
    values = values_of(structure, embeddings.index["score"], embeddings)
    painted = read_structure(folder / f"score.{form}", Selection(hetero=True))
    np.testing.assert_allclose(painted.atoms.b_factor, values, atol=0.006)
    assert np.isnan(values).sum() > 10  # of the residues 12 and 20, and of the ligand
    colors = chimerax_colors(folder / "score.cxc", painted.atoms.b_factor)
    np.testing.assert_allclose(colors, expected(values, -3, 9), atol=0.5)


def test_the_loss_and_the_similarity_are_what_they_say(folder: Path, structure: Structure) -> None:
    embeddings = embedded(structure)
    z = embeddings.invariants.astype(float) / embeddings.invariants.astype(float).std(axis=0)
    apart = np.linalg.norm(z - z[7], axis=1)
    random = np.median([np.linalg.norm(a - b) for i, a in enumerate(z) for b in z[:i]])
    number = embeddings.index["residue_number"][7]
    losses = embeddings.reconstruction_cosine_loss
    assert losses is not None
    for by, found in (("loss", 100 * losses), (f"similarity:B:{number}", 100 * (1 - apart / random))):
        assert paint(folder, by, "painted.cif", "plain") == 0
        atoms = read_structure(folder / "painted.cif", Selection(hetero=True)).atoms
        # 20,000 pairs are drawn of the 741 that there are, whose median they give to a percent.
        np.testing.assert_allclose(atoms.b_factor, values_of(structure, found, embeddings), atol=2)
    assert paint(folder, f"similarity:B{number}", "short.cif", "plain") == 0
    assert (folder / "short.cif").read_text() == (folder / "painted.cif").read_text()


def test_clusters_have_a_color_each(folder: Path) -> None:
    assert paint(folder, "cluster", "clusters.cif") == 0
    values = read_structure(folder / "clusters.cif", Selection(hetero=True)).atoms.b_factor
    colors = chimerax_colors(folder / "clusters.cxc", values)
    known = ~np.isnan(values)
    assert set(values[known].tolist()) == set(range(1, 9))
    assert [tuple(color) for color in colors[known]] == [
        rgb(CLUSTERS[int(value) - 1]) for value in values[known]
    ]
    assert (colors[~known] == rgb(NO_VALUE)).all()


def test_arrows_lie_along_the_frames(folder: Path, structure: Structure) -> None:
    assert paint(folder, "loss", "framed.cif") == 0
    embeddings = embedded(structure)
    assert embeddings.centers is not None
    axis = -1
    found: list[tuple[int, NDArray[np.float64]]] = []
    for line in (folder / "framed.bild").read_text().splitlines():
        command, *rest = line.split()
        assert command in (".comment", ".color", ".arrow")
        if command == ".color":
            axis += 1
            assert rest == [("red", "green", "blue")[axis]]
        elif command == ".arrow":
            assert len(rest) == 9
            found.append((axis, np.array(rest[:6], float)))
    assert len(found) == 3 * (len(embeddings) - 1)  # one has no frame
    for number, (axis, ends) in enumerate(found):
        row = 1 + number % (len(embeddings) - 1)
        start, end = ends[:3], ends[3:]
        np.testing.assert_allclose(start, embeddings.centers[row], atol=6e-4)
        np.testing.assert_allclose((end - start) / 2, embeddings.frames[row, axis], atol=6e-4)


@pytest.mark.skipif(PYMOL is None, reason="PyMOL is not here: apt install pymol")
@pytest.mark.parametrize("by", ["score", "cluster"])
def test_pymol_colors_as_chimerax_does(folder: Path, by: str) -> None:
    """Both scripts give each atom the same color, in whatever folder they run, and no name becomes a command."""
    out = folder / "another folder" / f"{by} (1).cif"
    out.parent.mkdir(exist_ok=True)
    assert paint(folder, by, str(out.relative_to(folder))) == 0
    colors, told = pymol_colors(out.with_suffix(".pml"))
    assert told["objects"] == [f"holo_{by}__1_"]
    values = read_structure(out, Selection(hetero=True)).atoms.b_factor
    # PyMOL has 256 shades of a scale.
    np.testing.assert_allclose(colors, chimerax_colors(out.with_suffix(".cxc"), values), atol=1.5)
    assert not list(folder.rglob("pwned"))


def test_no_name_of_a_file_or_a_chain_is_in_a_script(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert paint(folder, "loss", "safe.cif") == 0
    for name in ("safe.pml", "safe.cxc", "safe.bild"):
        text = (folder / name).read_text()
        assert "pwned" not in text
        assert "system" not in text
    for name in (
        "x;quit.cif",
        'x"quit.cif',
        "x\nquit.cif",
        "x$(touch pwned).cif",
        "x'.cif",
        "x\\n.pdb",
        "a*.cif",
    ):
        assert paint(folder, "loss", name) == 1
        assert "which a script cannot name" in capsys.readouterr().err
        assert not (folder / name).exists()


def test_what_cannot_be_painted_is_refused_in_one_line(
    folder: Path, structure: Structure, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(by: str = "loss", out: str = "no.cif", what: str = "small") -> str:
        assert paint(folder, by, out, what) == 1
        message = capsys.readouterr().err
        assert message.count("\n") == 1
        return message

    assert "--by 'colour' is not a column of the embeddings" in refused("colour")
    assert "--by 'residue_name' is a column of text" in refused("residue_name")
    assert "the embeddings have no residue B:999" in refused("similarity:B:999", what="plain")
    assert "has 1 ASCII letters for a chain" in refused(out="no.pdb")
    assert "must end in .cif or .mmcif or .pdb or .ent" in refused(out="no.txt")

    other = read_structure(example_structures()[1])
    write_structure(other, folder / "other.cif")
    save(embedded(structure), folder / "other.h5")
    assert "are of another structure: it has no residue" in refused(what="other")
    moved = structure.atoms.copy()
    moved.coord[:] += 1
    write_structure(attrs.evolve(structure, atoms=moved), folder / "moved.cif")
    save(embedded(structure), folder / "moved.h5")
    assert "lies 1.73 Å from theirs" in refused(what="moved")
    save(concatenate([embedded(structure, "one"), embedded(structure, "two")]), folder / "small2.h5")
    write_structure(structure, folder / "small2.cif")
    assert "of 2 structures, none of them 'small2': one, two" in refused(what="small2")
    save(attrs.evolve(embedded(structure), reconstruction_cosine_loss=None), folder / "moved.h5")
    write_structure(structure, folder / "moved.cif")
    assert "the embeddings have no reconstruction loss" in refused(what="moved")
    assert not list(folder.glob("no.*"))


@pytest.mark.parametrize("ending", [".pml", ".cxc"])
def test_scripts_are_not_written_through_links(tmp_path: Path, ending: str) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    (tmp_path / f"painted{ending}").symlink_to(mine)
    with pytest.raises(FormatError, match=rf"painted\{ending} is a link"):
        script_paths(tmp_path / "painted.cif")
