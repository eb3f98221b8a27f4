"""``holo mutations``: from structures and a table to a predictor and to ranked lists; bad rows are named."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from holo_features import STANDARD_AMINO_ACIDS, all_mutations, datasets, read_structure, residue_name_of
from holo_features.mutations.amino_acids import PROPERTIES, properties
from holo_lab.cli.program import main
from holo_lab.mutations.heat_map import heat_map
from holo_lab.mutations.tables import read_mutations
from holo_types import Basis, FormatError, Zernike
from holo_types.files.locks import PathLock
from holo_vae import HolographicAutoencoder, Model, ModelConfig, write_model
from holo_vae.recipes.model import Condition

COLUMNS = ("file", "chain", "residue", "wild_type", "mutant", "ddg", "family", "source")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: list[list[object]], columns: tuple[str, ...] = COLUMNS) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of four structures, and a table of mutations whose ddG is computed from volumes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "structures").mkdir()
    random, rows = np.random.default_rng(0), []
    for path in datasets.example_structures()[:4]:
        shutil.copy(path, tmp_path / "structures" / path.name)
        mutations = all_mutations(read_structure(path))
        for number in random.choice(len(mutations), 60, replace=False).tolist():
            mutation = mutations[number]
            names = [residue_name_of(letter) for letter in (mutation.wild_type or "", mutation.mutant)]
            volume = properties(names)[:, PROPERTIES.index("volume")]
            residue = mutation.residue
            rows.append(
                [
                    path.name,
                    residue.chain,
                    f"{residue.residue_number}{residue.insertion_code}",
                    mutation.wild_type,
                    mutation.mutant,
                    round(float(volume[1] - volume[0]) / 40 - 0.5, 3),
                    path.name[:4],
                    "made",
                ]
            )
    write(tmp_path / "mutations.csv", rows)
    return tmp_path


def fit(model: str = "none") -> int:
    given = ["structures", "mutations.csv", "--filling-model", model, "--out", "predictor", "--folds", "4"]
    return main(["mutations", "fit", *given])


def test_from_a_table_to_predictions_of_the_same_table(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit() == 0
    said = capsys.readouterr().out
    assert "240 mutations of 4 families, 4 folds by family" in said
    rows = read(folder / "predictor" / "cross-validated.csv")
    predicted, measured = (np.array([float(row[name]) for row in rows]) for name in ("prediction", "ddg"))
    assert np.corrcoef(predicted, measured)[0, 1] > 0.9

    table = [
        "mutations",
        "predict",
        "predictor",
        "structures",
        "--table",
        "mutations.csv",
        "--out",
        "new.csv",
    ]
    assert main(table) == 0
    new = read(folder / "new.csv")
    assert list(new[0]) == [*COLUMNS, "prediction", "lower", "upper", "antisymmetric"]
    given = read(folder / "mutations.csv")
    assert [[row[name] for name in COLUMNS] for row in new] == [list(row.values()) for row in given]
    assert all(float(row["lower"]) < float(row["prediction"]) < float(row["upper"]) for row in new)


def test_a_scan_gives_a_table_a_heat_map_and_a_colored_structure(folder: Path) -> None:
    assert fit() == 0
    path = datasets.example_structures()[0]
    assert (
        main(["mutations", "predict", "predictor", f"structures/{path.name}", "--scan", "--out", "scan.csv"])
        == 0
    )
    rows, structure = read(folder / "scan.csv"), read_structure(path)
    assert len(rows) == 19 * 153
    assert (folder / "scan.png").read_bytes()[:4] == b"\x89PNG"
    colored = read_structure(folder / "scan.cif")
    first = [float(row["prediction"]) for row in rows if row["residue"] == rows[0]["residue"]]
    assert len(colored.atoms) == len(structure.atoms)
    assert "spectrum b, 0xb2182b 0xf7f7f7 0x2166ac" in (folder / "scan.pml").read_text()
    assert colored.atoms.b_factor[0] == pytest.approx(
        np.mean(first), abs=2e-3
    )  # both are written in three places


def test_some_mutations_and_those_that_cannot_be_made(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit() == 0
    path = f"structures/{datasets.example_structures()[0].name}"
    wanted = ["A:1:L", "A:2:L", "A:999:L"]
    assert main(["mutations", "predict", "predictor", path, *wanted, "--out", "some.csv"]) == 3
    assert [(row["residue"], row["wild_type"], row["mutant"]) for row in read(folder / "some.csv")] == [
        ("1", "V", "L")
    ]
    said = capsys.readouterr().out
    assert "left out: A:2L: A:2 is L already" in said
    assert "left out: A:999L: there is no residue A:999" in said
    # Of residues that were not asked for nothing is known.
    assert np.isnan(read_structure(folder / "some.cif").atoms.b_factor[-1])
    assert main(["mutations", "predict", "predictor", path, "A:999:L", "--out", "none.csv"]) == 1
    assert not (folder / "none.csv").exists()


def test_bad_rows_are_named_and_the_others_go_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = datasets.example_structures()[0].name
    given = [list(row.values()) for row in read(folder / "mutations.csv")]
    bad = [
        [name, "A", "1", "W", "A", "-1", "f", ""],
        [name, "A", "999", "V", "A", "-1", "f", ""],
        [name, "A", "1", "V", "B", "-1", "f", ""],
        [name, "A", "1", "V", "A", "high", "f", ""],
        [name, "A", "one", "V", "A", "-1", "f", ""],
        ["absent.pdb", "A", "1", "V", "A", "-1", "f", ""],
    ]
    write(folder / "mutations.csv", given + bad)
    assert fit() == 3
    said = capsys.readouterr().out
    for line in (
        f"row 241, {name} A:W1A: A:1 is V; the mutation says that it is W",
        f"row 242, {name} A:V999A: there is no residue A:999",
        f"row 243, {name}: amino acid 'B'",
        f"row 244, {name}: its ddg is 'high'; it must be a finite number",
        f"row 245, {name}: residue 'A:one'",
        "row 246, absent.pdb A:V1A: ",
    ):
        assert f"left out: {line}" in said
    assert "240 mutations of 4 families" in said
    assert len(read(folder / "predictor" / "skipped.csv")) == 6


def test_values_of_the_other_sign_and_missing_families_are_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [list(row.values())[:6] for row in read(folder / "mutations.csv")]
    for row in given:
        row[5] = str(abs(float(row[5])) + 0.1)
    write(folder / "mutations.csv", given, COLUMNS[:6])
    assert fit() == 3
    said = capsys.readouterr().out
    assert "240 of 240 values of ddg are positive" in said
    assert "the table has no column family" in said


def test_a_models_numbers_are_taken_and_another_model_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    basis = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=8.0), channels=("C", "N", "O", "S"))
    heads = (Condition(column="residue_name", categories=STANDARD_AMINO_ACIDS),)
    config = ModelConfig(
        basis=basis, latent_dim=4, lmax=(2, 1), channels=(6, 6), initial_projection=6, heads=heads
    )
    write_model(Model(HolographicAutoencoder(config), "filling"), folder / "model")
    assert fit("model") == 0
    one = [
        "mutations",
        "predict",
        "predictor",
        f"structures/{datasets.example_structures()[0].name}",
        "A:1:L",
    ]
    assert main([*one, "--out", "one.csv"]) == 0
    shutil.rmtree(folder / "model")
    write_model(Model(HolographicAutoencoder(config), "filling"), folder / "model")
    assert main([*one, "--out", "two.csv"]) == 1
    assert "was fitted with the model" in capsys.readouterr().err


def test_no_predictor_is_overwritten_and_one_run_at_a_time_writes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit() == 0
    written = (folder / "predictor" / "predictor.h5").read_bytes()
    assert fit() == 1
    assert "predictor contains a predictor; name another folder" in capsys.readouterr().err
    assert (folder / "predictor" / "predictor.h5").read_bytes() == written
    structure = f"structures/{datasets.example_structures()[0].name}"
    one = ["mutations", "predict", "predictor", structure, "A:1:L", "--out"]
    for name in ("one.csv", "one.png", "one.cif", "one.pml", "one.cxc"):
        with PathLock(folder / name):
            assert main([*one, "one.csv"]) == 1
        assert f"{name}: another run is alive" in capsys.readouterr().err
    with PathLock(folder / "other", folder=True):
        assert main(["mutations", "fit", "structures", "mutations.csv", "--out", "other"]) == 1
    assert "other: another run is alive" in capsys.readouterr().err
    (folder / ".one.cif.0123abcd.tmp").write_text("what a killed run left")
    assert main([*one, "one.csv"]) == 0
    assert not list(folder.glob(".*"))


def test_a_table_is_not_written_over_its_views(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("scan.cif", "scan.png", "scan.pml", "scan.cxc"):
        assert main(["mutations", "predict", "predictor", "a.pdb", "A:1:L", "--out", name]) == 1
        assert f"{name}: is to be a table" in capsys.readouterr().err


def test_one_way_of_naming_mutations_is_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options in ([], ["A:1:L", "--scan"], ["--scan", "--table", "mutations.csv"]):
        assert main(["mutations", "predict", "predictor", "a.pdb", *options, "--out", "x.csv"]) == 1
        assert "one of the three" in capsys.readouterr().err


def test_a_table_without_a_column_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "table.csv", [["a.pdb", "A", "1", "V"]], COLUMNS[:4])
    with pytest.raises(FormatError, match="has no column 'mutant'"):
        read_mutations(tmp_path / "table.csv")
    write(tmp_path / "table.csv", [["a.pdb", "A", "1", "V", "L"]], COLUMNS[:5])
    assert read_mutations(tmp_path / "table.csv").rows[0].ddg is None
    with pytest.raises(FormatError, match="has no column 'ddg'"):
        read_mutations(tmp_path / "table.csv", measured=True)


def test_a_heat_map_has_a_square_for_each_mutation() -> None:
    mutations = all_mutations(read_structure(datasets.example_structures()[0]))
    figure = heat_map(mutations, np.linspace(-4, 1, len(mutations)), "a protein")
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == 3  # 153 residues, 60 a line
    shown = np.concatenate([axes.images[0].get_array().filled(np.nan) for axes in panels], axis=1)
    assert shown.shape == (20, 153)
    assert (np.isnan(shown).sum(axis=0) == 1).all()  # the wild type


def test_a_heat_map_of_more_residues_than_a_picture_holds_shows_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("holo_lab.mutations.heat_map._MOST", 70)
    mutations = all_mutations(read_structure(datasets.example_structures()[0]))
    figure = heat_map(mutations, np.linspace(-4, 1, len(mutations)), "a protein")
    assert figure.axes[0].get_title() == "a protein: the first 70 of 153 residues"
    shown = [axes.images[0].get_array().shape[1] for axes in figure.axes if axes.images]
    assert shown == [60, 10]
