"""Structures written as mmCIF and PDB can be read by Holo's readers and by gemmi."""

import re
from pathlib import Path

import attrs
import gemmi
import numpy as np
import pytest
from numpy.typing import NDArray

from holo_features import Structure, datasets, read_structure, write_structure
from holo_types import HoloError


@pytest.fixture(scope="module")
def structure() -> Structure:
    return read_structure(datasets.example_structures()[0])


def test_a_written_structure_is_read_back(structure: Structure, tmp_path: Path) -> None:
    values = np.round(np.linspace(-4, 3, len(structure.atoms)), 3)
    values[5] = np.nan
    write_structure(structure, tmp_path / "colored.cif", values)
    back = read_structure(tmp_path / "colored.cif").atoms
    assert back.atom_name.tolist() == structure.atoms.atom_name.tolist()
    for column in ("chain_id", "res_id", "ins_code", "res_name", "element"):
        np.testing.assert_array_equal(getattr(back, column), getattr(structure.atoms, column))
    np.testing.assert_allclose(
        back.coord, structure.atoms.coord, atol=5.1e-4
    )  # three places, as mmCIF has them
    np.testing.assert_allclose(back.b_factor, values, atol=1e-5)


@pytest.mark.parametrize("values", [np.zeros(3), np.full(1, np.inf)])
def test_wrong_values_are_not_written(
    structure: Structure, tmp_path: Path, values: NDArray[np.float64]
) -> None:
    with pytest.raises(HoloError, match="one for each atom, finite or NaN"):
        write_structure(structure, tmp_path / "colored.cif", values)
    with pytest.raises(HoloError, match=r"must end in \.cif or \.mmcif or \.pdb or \.ent"):
        write_structure(structure, tmp_path / "colored.txt")
    assert not list(tmp_path.iterdir())


def test_gemmi_reads_a_pdb_file_as_it_was_written(structure: Structure, tmp_path: Path) -> None:
    values = np.round(np.linspace(-99, 999, len(structure.atoms)), 2)
    values[5] = np.nan
    path = tmp_path / "colored.pdb"
    write_structure(attrs.evolve(structure, model=3), path, values)
    atoms, (model,) = structure.atoms, gemmi.read_pdb(str(path))
    back = [(chain, residue, atom) for chain in model for residue in chain for atom in residue]
    assert model.num == 3
    assert [chain.name for chain, _, _ in back] == atoms.chain_id.tolist()
    assert [residue.seqid.num for _, residue, _ in back] == atoms.res_id.tolist()
    assert [residue.name for _, residue, _ in back] == atoms.res_name.tolist()
    assert [atom.name for _, _, atom in back] == atoms.atom_name.tolist()
    assert [atom.element.name.upper() for _, _, atom in back] == atoms.element.tolist()
    np.testing.assert_allclose([atom.pos.tolist() for _, _, atom in back], atoms.coord, atol=5.1e-4)
    known = ~np.isnan(values)
    np.testing.assert_allclose(np.array([atom.b_iso for _, _, atom in back])[known], values[known], atol=1e-4)
    assert np.isnan(read_structure(path).atoms.b_factor[5])


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        ("chain_id", "AB", "1 ASCII letters for a chain; the structure has 'AB'"),
        ("chain_id", "\n", "1 ASCII letters for a chain"),
        ("res_name", "LONG", "3 ASCII letters for a residue name"),
        ("res_id", 10_000, "numbers residues from -999 to 9999; the structure has A:10000"),
        ("coord", 1e5, "coordinates from -999.999 to 9999.999 Å"),
        ("b_factor", 1000.0, "B-factors from -99.99 to 999.99; these go from"),
    ],
)
def test_what_does_not_fit_a_pdb_file_is_refused(
    structure: Structure, tmp_path: Path, annotation: str, value: float | str, message: str
) -> None:
    atoms = structure.atoms.copy()
    if isinstance(value, str):
        atoms.set_annotation(annotation, np.full(len(atoms), value))
    else:
        getattr(atoms, annotation)[3] = value
    with pytest.raises(HoloError, match=re.escape(message)) as refused:
        write_structure(attrs.evolve(structure, atoms=atoms), tmp_path / "colored.pdb")
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())
