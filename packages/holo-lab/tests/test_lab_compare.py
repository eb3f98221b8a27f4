"""Two structures beside one another: who is whose partner, and which surroundings changed."""

import csv
from pathlib import Path

import attrs
import numpy as np
import pytest

from holo_features import Structure, read_structure, write_structure
from holo_features.datasets import example_structures
from holo_lab.cli.program import main
from holo_lab.comparison.changes import compare_structures
from holo_lab.comparison.partners import find_partners
from holo_nn.testing import random_rotations
from holo_types import HoloError, Index
from holo_vae import Model, load


@pytest.fixture(scope="module")
def model() -> Model:
    return load("microenvironment-z128", Model)


@pytest.fixture(scope="module")
def structure() -> Structure:
    return read_structure(example_structures()[0])


def index(chain: str, first: int, names: list[str]) -> Index:
    return Index({
        "chain": [chain] * len(names),
        "residue_number": np.arange(first, first + len(names)),
        "insertion_code": [""] * len(names),
        "residue_name": names,
    })  # fmt: skip


NAMES = ["MET", "LYS", "THR", "ALA", "TYR", "ILE", "ALA", "LYS", "GLN", "ARG", "GLN", "ILE"]


def test_residues_are_matched_by_number_where_names_agree() -> None:
    mutant = [*NAMES]
    mutant[4] = "PHE"
    assert find_partners(index("A", 1, NAMES * 2), index("A", 1, mutant + NAMES)).tolist() == list(range(24))


def test_numbers_count_where_the_sequence_does_not_tell() -> None:
    """Residue 10 of twenty glycines is lost: an alignment could leave out any of them."""
    whole = index("A", 1, ["GLY"] * 20)
    part = whole.take(np.flatnonzero(whole["residue_number"] != 10))
    assert find_partners(whole, part).tolist() == [*range(9), -1, *range(9, 19)]


def test_residues_are_matched_by_sequence_where_numbers_mean_others() -> None:
    # Numbered from 101 in the one and from 1 in the other, whose chain has another name and lacks two residues.
    found = find_partners(index("A", 101, NAMES * 2), index("B", 1, (NAMES * 2)[2:]))
    assert found.tolist() == [-1, -1, *range(22)]


def test_chains_of_other_proteins_have_no_partner() -> None:
    assert find_partners(index("A", 1, ["GLY"] * 20), index("A", 1, ["TRP"] * 20)).tolist() == [-1] * 20


def test_a_turned_structure_is_no_change(model: Model, structure: Structure) -> None:
    turned = structure.atoms.copy()
    turned.coord = (turned.coord @ random_rotations(1, seed=1)[0].numpy().T + 20).astype(np.float32)
    found = compare_structures(structure, attrs.evolve(structure, atoms=turned), model)
    assert (found.partners == np.arange(len(found.partners))).all()
    assert found.distances.max() < 0.02 * found.noise_floor
    assert 0.02 < found.noise_floor / found.random < 0.5


def test_what_lost_a_neighbor_changed_and_what_is_far_did_not(model: Model, structure: Structure) -> None:
    """A side chain cut off changes z of what lies near it, and of nothing beyond the cutoff."""
    atoms = structure.atoms
    cut = (atoms.res_id == 60) & ~np.isin(atoms.atom_name, ["N", "CA", "C", "O", "CB"])
    found = compare_structures(structure, attrs.evolve(structure, atoms=atoms[~cut]), model)
    places = atoms.coord[(atoms.atom_name == "CA") & np.isin(atoms.res_id, found.first["residue_number"])]
    nearest = np.linalg.norm(places[:, None] - atoms.coord[cut], axis=2).min(axis=1)
    assert found.distances[nearest > 10].max() < 1e-3 * found.random
    assert found.first["residue_number"][np.argmax(found.distances)] == 60


def test_the_command_writes_a_table_a_plot_and_a_structure(
    tmp_path: Path, structure: Structure, capsys: pytest.CaptureFixture[str]
) -> None:
    atoms = structure.atoms
    write_structure(structure, tmp_path / "whole.cif")
    write_structure(attrs.evolve(structure, atoms=atoms[atoms.res_id != 60]), tmp_path / "part.cif")
    out = tmp_path / "changes.csv"
    assert main(["compare", str(tmp_path / "whole.cif"), str(tmp_path / "part.cif"), "--out", str(out)]) == 0
    assert "1 only in the first, 0 only in the second" in capsys.readouterr().out
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    lost = [row for row in rows if not row["other_residue"]]
    assert [row["residue"] for row in lost] == ["60"]
    largest = max((row for row in rows if row["of_random"]), key=lambda row: float(row["of_random"]))
    assert 0 < abs(int(largest["residue"]) - 60) <= 4
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    colored = read_structure(out.with_suffix(".cif")).atoms
    values = colored.b_factor[colored.res_id == int(largest["residue"])]
    assert values[0] == pytest.approx(100 * float(largest["of_random"]), abs=0.1)
    assert np.isnan(colored.b_factor[colored.res_id == 60]).all()
    assert "minimum=0, maximum=100" in out.with_suffix(".pml").read_text()
    assert "range 0,100" in out.with_suffix(".cxc").read_text()


def test_structures_that_have_nothing_in_common_are_refused(
    tmp_path: Path, structure: Structure, model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    other = structure.atoms.copy()
    other.res_name[:] = "TRP"
    with pytest.raises(HoloError, match="no residue of one corresponds to one of the other"):
        compare_structures(structure, attrs.evolve(structure, atoms=other), model)
    (tmp_path / "empty.pdb").write_text("")
    path = str(example_structures()[0])
    assert main(["compare", path, str(tmp_path / "empty.pdb"), "--out", str(tmp_path / "x.csv")]) == 1
    assert "empty.pdb is empty" in capsys.readouterr().err
    assert main(["compare", path, path, "--out", str(tmp_path / "x.txt")]) == 1
    assert "it must end in .csv" in capsys.readouterr().err
