"""What z is worth, on a folder made of shipped structures: the table, and rows whose answer is known."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from biotite.structure.io.pdb import PDBFile
from scipy.stats import special_ortho_group

import holo_features
from holo_types import Basis, FormatError, HoloError, Zernike
from holo_vae import Condition, ModelConfig, Recipe, initial_model, write_model
from holo_vae.cli.program import main
from holo_vae.evaluation.structure_table import read_structure_table
from holo_vae.evaluation.worth import PROBES, Worth, measure_worth

EXAMPLES = holo_features.datasets.example_structures()
COLUMNS = ("file", "chain", "cluster", "protein", "relative", "split", "ligand")


def a_model(envelope: float | None, heads: tuple[Condition, ...] = ()):
    basis = Basis(
        lmax=2, radial=Zernike(nmax=6, cutoff=10.0, envelope=envelope), channels=("C", "N", "O", "S")
    )
    config = ModelConfig(
        basis=basis, latent_dim=12, lmax=(2, 1), channels=(16, 16), initial_projection=16, heads=heads
    )
    return initial_model(Recipe(model=config), 1.0, "small")


def write_table(folder: Path, rows: list[dict[str, str]], columns: tuple[str, ...] = COLUMNS) -> None:
    with (folder / "structures.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def write_pdb(path: Path, number: int, seed: int) -> None:
    """Write a shipped structure in another pose."""
    atoms = holo_features.read_structure(EXAMPLES[number]).atoms.copy()
    atoms.coord = (atoms.coord @ special_ortho_group.rvs(3, random_state=seed).T).astype(np.float32)
    file = PDBFile()
    file.set_structure(atoms)
    file.write(path)


def write_ligand(path: Path, protein: Path) -> None:
    """Write four carbon atoms, one Å from atoms of the protein."""
    atoms = holo_features.read_structure(protein).atoms
    places = atoms.coord[[300, 320, 340, 360]] + 1.0
    lines = [f"{x:10.4f}{y:10.4f}{z:10.4f} C   0  0  0  0  0  0  0  0  0  0  0  0" for x, y, z in places]
    counts = "  4  0  0  0  0  0  0  0  0  0999 V2000"
    path.write_text("\n".join(["ligand", "", "", counts, *lines, "M  END", "$$$$", ""]))


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("structures")
    rows = []
    for number in range(18):
        name = f"{number}.pdb"
        write_pdb(folder / name, number, number)
        rows.append({"file": name, "cluster": str(number), "split": "train" if number < 9 else "valid"})
    # Crystals of two proteins: each twice, in other poses; both are said to be relatives of their own copies.
    for number, protein in ((20, "P"), (21, "Q")):
        for copy, suffix in enumerate(("", "'")):
            name = f"{number}{copy}.pdb"
            write_pdb(folder / name, number, 100 + copy)
            write_ligand(folder / f"{name}.sdf", folder / name)
            rows.append(
                {"file": name, "split": "valid", "ligand": f"{name}.sdf", "protein": protein}
                | {"cluster": protein, "relative": ""}
            )
            rows.append(
                {"file": name, "split": "test", "ligand": f"{name}.sdf", "protein": protein + suffix}
                | {"cluster": protein, "relative": protein}
            )
    rows.append({"file": "9.pdb", "cluster": "9", "split": "test"})
    rows += [{"file": f"{number}.pdb", "cluster": str(number), "split": "test"} for number in range(10, 16)]
    write_table(folder, rows)
    return folder


def value(worth: Worth, row: str, of: str = "z", scaling: str = "") -> float:
    (found,) = (
        figure for figure in worth.figures if (figure.row, figure.of, figure.scaling) == (row, of, scaling)
    )
    return found.value.estimate


def test_all_rows_of_a_smooth_model(folder: Path) -> None:
    parts: list[str] = []
    worth = measure_worth(
        a_model(1.5, (Condition(column="burial", categories=("buried", "exposed")),)),
        folder,
        residues=850,
        trained_for=["residue type"],
        on_part=parts.append,
    )
    assert parts[0] == "reading structures"
    assert worth.residues >= 850
    assert worth.clusters >= 5
    features = {"z", "l = 0", "norms", "power spectrum", "PCA 12", "untrained"}
    for row in PROBES:
        assert {figure.of for figure in worth.figures if figure.row == row} == features
        assert value(worth, row) <= 1
    # The copies of a protein hold the same residues: all but what rounding moves are found, by all invariants.
    assert value(worth, "same residue in another crystal", "z", "white") > 0.98
    assert value(worth, "same residue in another crystal", "power spectrum", "std") > 0.98
    assert 0 < value(worth, "same residue in another crystal", "chance", "std") < 0.02
    assert value(worth, "turned and rounded: share beyond 1 %", "z", "white") == 0
    assert value(worth, "cosine loss", "mean hologram") < value(worth, "cosine loss")  # nobody has trained it
    assert 1 <= value(worth, "effective dimension") <= 12
    assert any(reason.startswith("aligned residue in a relative") for reason in worth.left_out)
    trained = {figure.row for figure in worth.figures if figure.trained}
    assert trained == {"residue type", "burial"}
    gains = [figure.z_above for figure in worth.figures if figure.row == "burial"]
    assert gains.count(None) == 1
    # Own atoms tell the type: without them, or with a backbone alone, less is known.
    assert value(worth, "residue type", "power spectrum") > value(
        worth, "residue type, own atoms left out", "power spectrum"
    )


def test_a_sharp_model_jumps_and_relatives_are_found(folder: Path) -> None:
    worth = measure_worth(a_model(None), folder, split="test", residues=100)
    assert value(worth, "turned and rounded: largest", "z", "std") > 0.01
    assert value(worth, "turned and rounded: largest", "norms", "std") < 0.01  # of a basis with an envelope
    assert value(worth, "aligned residue in a relative", "z", "white") > 0.95
    # Of one cluster nothing can be cross-validated: that is said.
    assert {reason.partition(":")[0] for reason in worth.left_out} == {
        *PROBES,
        "same residue in another crystal",
    }


def test_z_is_worth_the_same_without_what_needs_no_training(folder: Path) -> None:
    model = a_model(1.5)
    alone = measure_worth(model, folder, split="test", residues=100, baselines=False)
    beside = measure_worth(model, folder, split="test", residues=100)
    assert {figure.of for figure in alone.figures} == {"z", "mean hologram", "chance"}
    for figure in alone.figures:
        assert value(beside, figure.row, figure.of, figure.scaling) == figure.value.estimate


def test_the_command_names_what_is_missing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = tmp_path / "structures"
    small.mkdir()
    for number in range(8):
        write_pdb(small / f"{number}.pdb", number, number)
    rows = [{"file": f"{number}.pdb", "split": "train" if number < 3 else "valid"} for number in range(8)]
    write_table(small, [*rows, {"file": "gone.pdb", "split": "valid"}], ("file", "split"))
    write_model(a_model(1.5), tmp_path / "model")
    out = tmp_path / "worth"
    assert main(["worth", str(tmp_path / "model"), str(small), "--out", str(out), "--count", "1000"]) == 3
    said = capsys.readouterr().out
    for name in ("chain", "cluster", "protein", "relative", "ligand"):
        assert f"{name}: structures.csv has no such column" in said
    assert "gone.pdb" in said
    assert "same residue in another crystal: no residue of a pocket" in said
    written = json.loads((out / "worth.json").read_text())
    assert {figure["row"] for figure in written["figures"]} >= {"cosine loss", *PROBES}
    assert "| burial |" in (out / "worth.md").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file\na.pdb\n", "has no column split; it must have file, split"),
        ("file,split\na.pdb,training\n", "line 2 has split 'training'; it must be one of train, valid, test"),
        ("file,split\n,test\n", "line 2 has no file"),
        ("file,split,extent\na.pdb,test,half\n", "line 2 has extent 'half'; it must be one of whole, pocket"),
        ("file,split,extent\na.pdb,test,pocket\n", "line 2 has extent 'pocket' and no ligand"),
    ],
)
def test_tables_that_are_wrong(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "structures.csv").write_text(text)
    with pytest.raises(HoloError, match=message):
        read_structure_table(tmp_path)


def test_a_folder_without_a_table(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"structures\.csv: cannot be read as a table"):
        read_structure_table(tmp_path)
