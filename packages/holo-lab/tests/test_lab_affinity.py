"""From a folder of complexes to a predictor, a report and predictions, and what the report draws of atoms."""

import csv
import io
import json
import re
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import attrs
import numpy as np
import pytest
from biotite.structure.io.pdb import PDBFile

from holo_downstream import ComplexPredictor, CrossFitSettings
from holo_downstream.affinity.domain import Domain
from holo_downstream.affinity.fitted import LinearModel
from holo_downstream.affinity.regressors import Ensemble, ExtraTrees, HistogramBoosting, SupportVectors
from holo_downstream.affinity.widths import Widths
from holo_features import Selection, ligand_burial, read_complex, shell_contacts
from holo_lab.affinity.atoms import AtomContributions, atom_contributions
from holo_lab.affinity.blocks import DEFAULT_FEATURES, block_numbers
from holo_lab.affinity.folders import find_bound, folder_table, read_bound
from holo_lab.cli import affinity_fit
from holo_lab.cli.program import main
from holo_lab.report.molecules import library, viewer
from holo_types import FormatError, HoloError
from holo_types.files.locks import PathLock

COMPLEXES = Path(__file__).parents[2] / "holo-features" / "tests" / "golden" / "complexes"
SMALL = Ensemble(
    (HistogramBoosting(5, 4, 2, 0.3, 1.0, 0.5), ExtraTrees(0.2, 2, 4), SupportVectors(2.0, 0.3, 0.3, 0.01))
)


def series(count: int) -> str:
    """Return copies of three ligands of thrombin, each displaced by a few tenths of an Å, under different names."""
    blocks = (COMPLEXES / "ligands.sdf").read_text().split("$$$$\n")[:3]
    random = np.random.default_rng(0)
    copies = []
    for number in range(count):
        lines = blocks[number % 3].splitlines()
        lines[0] = f"copy{number}"
        shift = random.normal(size=3) * 0.2
        for row in range(4, 4 + int(lines[3][:3])):
            place = np.array([float(lines[row][start : start + 10]) for start in (0, 10, 20)]) + shift
            lines[row] = "".join(f"{value:10.4f}" for value in place) + lines[row][30:]
        copies.append("\n".join(lines))
    return "\n$$$$\n".join([*copies, ""])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder of 14 complexes in 7 clusters, of which one has no file, and one an invalid label."""
    monkeypatch.setattr(affinity_fit, "CrossFitSettings", partial(CrossFitSettings, regressor=SMALL))
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "complexes"
    place.mkdir()
    (place / "thrombin.pdb").write_bytes((COMPLEXES / "thrombin.pdb").read_bytes())
    (place / "series.sdf").write_text(series(14))
    rows = ["id,protein,ligand,molecule,label,cluster,target"]
    for number in range(14):
        protein = "gone.pdb" if number == 5 else "thrombin.pdb"
        label = "strong" if number == 6 else f"{5 + number % 3 + 0.1 * number:.2f}"
        rows.append(
            f"c{number},{protein},series.sdf,copy{number},{label},{number // 2},{'<b>' if number < 7 else 'x'}"
        )
    (place / "labels.csv").write_text("\n".join([*rows, ""]))
    return place


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


class Page(HTMLParser):
    """The addresses that a page would fetch, and its text outside scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attributes):
        self.sources += [
            value or "" for name, value in attributes if name in ("src", "href", "srcset", "action")
        ]
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "script":
            self.text += data


def test_a_folder_becomes_a_predictor_a_report_and_predictions(folder, tmp_path, capsys):
    assert main(["affinity", "fit", "complexes", "--out", "predictor"]) == 3
    said = capsys.readouterr().out
    assert "12 complexes of 7 clusters, in 5 folds" in said
    assert "2 complexes were left out (c6, c5); skipped.csv says why" in said
    skipped = {row["file"]: row["reason"] for row in rows_of(tmp_path / "predictor" / "skipped.csv")}
    assert skipped["c6"] == "its label is 'strong'; it must be a number"
    assert "gone.pdb" in skipped["c5"]

    unseen = rows_of(tmp_path / "predictor" / "cross-validated.csv")
    figures = json.loads((tmp_path / "predictor" / "figures.json").read_text())
    errors = [float(row["prediction"]) - float(row["label"]) for row in unseen]
    assert figures["scores"]["rmsd"][0] == pytest.approx(np.sqrt(np.mean(np.square(errors))), abs=1e-3)
    fold_of = {row["cluster"]: row["fold"] for row in unseen}
    assert all(fold_of[row["cluster"]] == row["fold"] for row in unseen)
    assert all(row["nearest"] != row["id"] for row in unseen)

    text = (tmp_path / "predictor" / "report.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert page.open == []
    assert all(source.startswith("data:image/webp;base64,") for source in page.sources)
    assert "http" not in page.text
    for words in (
        "Predicted and measured",
        "Residuals by family",
        "Atoms that contribute most",
        "c6",
        "<b>",
        "12 complexes",
    ):
        assert words in page.text
    assert text.count('class="molecule"') == text.count("<script>drawMolecule(") == 6

    # The same complexes again, without labels, one of them with an atom that no training ligand has.
    (folder / "labels.csv").rename(folder / "old.csv")
    sdf = (folder / "series.sdf").read_text().split("$$$$\n")
    sdf[2] = re.sub(r" C ", " B ", sdf[2], count=1)
    (folder / "series.sdf").write_text("$$$$\n".join(sdf))
    lines = [",".join(line.split(",")[:4]) for line in (folder / "old.csv").read_text().splitlines()]
    (folder / "new.csv").write_text("\n".join([*lines[:4], lines[6], ""]))
    assert main(["affinity", "predict", "predictor", "complexes", "--out", "p.csv"]) == 1
    assert "--table must name one; found: new.csv, old.csv" in capsys.readouterr().err
    assert (
        main(["affinity", "predict", "predictor", "complexes", "--out", "p.csv", "--table", "new.csv"]) == 3
    )
    said = capsys.readouterr().out
    assert "3 complexes predicted" in said
    predicted = rows_of(tmp_path / "p.csv")
    assert list(predicted[0]) == ["id", "prediction", "lower", "upper", "flags", "nearest"]
    assert [(row["id"], row["nearest"]) for row in predicted[:2]] == [("c0", "c0"), ("c1", "c1")]
    assert all(float(row["lower"]) < float(row["prediction"]) < float(row["upper"]) for row in predicted)
    assert "ligand has B, which no training ligand has" in predicted[2]["flags"]
    assert [row["file"] for row in rows_of(tmp_path / "p.skipped.csv")] == ["c5"]

    (folder / "old.csv").rename(folder / "labels.csv")
    assert main(["affinity", "fit", "complexes", "--out", "predictor"]) == 1
    assert "predictor contains a predictor; name another folder" in capsys.readouterr().err

    for name in ("p.csv", "p.skipped.csv"):
        (tmp_path / name).unlink()
        with PathLock(tmp_path / name):
            assert main(["affinity", "predict", "predictor", "complexes", "--out", "p.csv"]) == 1
        assert f"{name}: another run is alive" in capsys.readouterr().err
        assert not (tmp_path / "p.csv").exists()


def test_a_column_that_is_no_pk_is_asked_about_before_anything_is_read(folder, tmp_path, capsys):
    table = folder / "labels.csv"
    table.write_text(table.read_text().replace(",5.00,", ",4500,"))
    assert main(["affinity", "fit", "complexes", "--out", "predictor"]) == 1
    assert "column 'label' is read as pK, but c0 has 4500" in capsys.readouterr().err
    assert not (tmp_path / "predictor").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["fit", "nowhere", "--out", "p"], 1, "nowhere is not a folder"),
        (["fit", "complexes", "--out", "p", "--table", "x.csv"], 1, "has no file x.csv"),
        (["fit", "complexes", "--out", "p", "--coverage", "1.5"], 2, "--coverage"),
        (["predict", "complexes", "complexes", "--out", "p.csv"], 1, "holds no predictor.h5"),
    ],
)
def test_what_cannot_be_is_one_line(folder, arguments, status, words, capsys):
    assert main(["affinity", *arguments]) == status
    assert words in capsys.readouterr().err


def test_a_folder_may_hold_one_table_of_another_name(folder):
    assert folder_table(folder).name == "labels.csv"
    (folder / "labels.csv").rename(folder / "thrombin.csv")
    assert folder_table(folder).name == "thrombin.csv"
    (folder / "thrombin.csv").unlink()
    with pytest.raises(FormatError, match=r"must contain labels\.csv or one other CSV file, .*found: none"):
        folder_table(folder)


def predictor_of(complex_, weights) -> ComplexPredictor:
    """Return a predictor that is a weighted sum of features."""
    names = block_numbers(complex_, DEFAULT_FEATURES).names
    width = len(names)
    given = np.array([weights.get(name, 0.0) for name in names])
    member = LinearModel(np.zeros(width), np.ones(width), given, 5.0)
    domain = Domain.of(np.array(["a"]), np.zeros((1, width)), [frozenset({"C"})])
    return ComplexPredictor(
        DEFAULT_FEATURES, names, np.arange(width), (member,), domain, Widths(1.0, 0.0, 0.0, 1.0, 1.0, 0.9)
    )


@pytest.fixture(scope="module")
def thrombin():
    return read_bound(find_bound(COMPLEXES / "labels.csv").sources[0])


def test_a_block_that_is_not_there_is_named(thrombin):
    with pytest.raises(HoloError, match="no block of features 'magic'; there are contacts in shells, burial"):
        block_numbers(thrombin, ["magic"])


def test_contributions_of_what_is_linear_in_contacts_are_each_atoms_own(thrombin):
    """Weights of contacts times the atom's own contacts, counted pair by pair; descriptors add nothing."""
    weights = {"C-C 3.5-4.5 Å": 0.05, "O-N 0-3.5 Å": 0.4, "TPSA": 3.0}
    found = atom_contributions(thrombin, predictor_of(thrombin, weights))
    protein, ligand = thrombin.protein.atoms, thrombin.ligand.atoms
    expected = []
    for element, place in zip(ligand.element, ligand.coord.astype(float), strict=True):
        lengths = np.linalg.norm(protein.coord.astype(float) - place, axis=1)
        near = (lengths > 3.5) & (lengths <= 4.5) & (protein.element == "C")
        bonded = (lengths <= 3.5) & (protein.element == "O")
        expected.append(0.05 * near.sum() * (element == "C") + 0.4 * bonded.sum() * (element == "N"))
    np.testing.assert_allclose(found.contributions, expected, atol=1e-4)  # features are rounded to float32
    assert max(expected) > 0.3
    counted = shell_contacts(thrombin)
    total = sum(
        weights[name] * value
        for name, value in zip(*attrs.astuple(counted, recurse=False), strict=True)
        if name in weights
    )
    assert sum(expected) == pytest.approx(total)


def test_burial_without_an_atom_is_that_of_the_others(thrombin):
    found = atom_contributions(thrombin, predictor_of(thrombin, {"burial 8 Å mean": 0.1}))
    counts = np.array(
        [
            (np.linalg.norm(thrombin.protein.atoms.coord.astype(float) - place, axis=1) <= 8).sum()
            for place in thrombin.ligand.atoms.coord.astype(float)
        ]
    )
    others = (counts.sum() - counts) / (len(counts) - 1)
    np.testing.assert_allclose(found.contributions, 0.1 * (counts.mean() - others), atol=1e-4)
    buried = ligand_burial(thrombin)
    assert dict(zip(buried.names, buried.values, strict=True))["burial 8 Å mean"] == counts.mean()


def test_a_viewer_draws_the_atoms_of_the_files(thrombin):
    contributions = np.zeros(len(thrombin.ligand.atoms))
    contributions[:2] = 0.5, -0.25
    text = viewer(AtomContributions(thrombin, 6.0, contributions), 3)
    scene = json.loads(re.search(r"drawMolecule\(3, (.*)\);</script>", text).group(1))
    assert scene["colors"][:3] == ["#2a5aaa", "#da948e", "#ebebeb"]
    atoms = thrombin.ligand.atoms
    np.testing.assert_allclose([[a["x"], a["y"], a["z"]] for a in scene["ligand"]], atoms.coord, atol=6e-4)
    bonds = {tuple(sorted((a["index"], other))) for a in scene["ligand"] for other in a["bonds"]}
    assert bonds == {tuple(sorted(bond)) for bond in atoms.bonds.as_array()[:, :2].tolist()}
    read = PDBFile.read(io.StringIO(scene["pocket"])).get_structure(model=1)
    whole = read_complex(find_bound(COMPLEXES / "labels.csv").sources[0], Selection())
    drawn, there = (
        {tuple(place) for place in np.rint(atoms.coord.astype(float) * 1000).astype(int).tolist()}
        for atoms in (read, whole.protein.atoms)
    )
    assert drawn <= there
    assert {"C", "N", "O"} <= set(read.element.tolist())
    assert len(set(read.res_id.tolist())) > 10


def test_the_library_is_whole_and_says_its_license():
    text = library()
    assert text.startswith("<script>/*")
    assert "BSD-3-Clause" in text
    assert text.count("</script") == 1
    assert "<!--" not in text
