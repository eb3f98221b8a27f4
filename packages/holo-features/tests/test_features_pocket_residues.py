"""The residues around a ligand in a file agree with gemmi's neighbor search."""

from pathlib import Path

import attrs
import gemmi
import numpy as np
import pytest

from holo_features import ResidueId, datasets, ligand_pocket, read_structure, write_structure
from holo_types import HoloError


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a protein with two copies of a ligand of six atoms, and a third one with nothing near it."""
    structure = read_structure(datasets.example_structures()[1])
    rng, atoms = np.random.default_rng(0), structure.atoms
    for number, row in enumerate((100, 700, 0), start=201):
        ligand = atoms[:6].copy()
        ligand.coord = (atoms.coord[row] + rng.normal(scale=2.5, size=(6, 3)) + 100 * (row == 0)).astype(
            np.float32
        )
        ligand.res_name[:], ligand.res_id[:], ligand.amino_acid[:] = "LIG", number, False
        ligand.atom_name[:], ligand.element[:] = [f"C{place}" for place in range(6)], "C"
        atoms = atoms + ligand
    out = tmp_path_factory.mktemp("pocket") / "1abc.cif"
    write_structure(attrs.evolve(structure, atoms=atoms), out)
    return out


@pytest.mark.parametrize(("ligand", "number", "distance"), [("LIG", 201, 4.0), ("A:202", 202, 6.0)])
def test_residues_are_those_that_gemmi_finds(path: Path, ligand: str, number: int, distance: float) -> None:
    structure = gemmi.read_structure(str(path))
    search = gemmi.NeighborSearch(structure[0], structure.cell, distance).populate()
    nearest: dict[ResidueId, float] = {}
    for residue in (each for chain in structure[0] for each in chain if each.seqid.num == number):
        for atom in residue:
            for mark in search.find_atoms(atom.pos, "\0", radius=distance):
                found = mark.to_cra(structure[0])
                if found.residue.name != "LIG":
                    name = ResidueId(found.chain.name, int(str(found.residue.seqid)))
                    apart = found.atom.pos.dist(atom.pos)
                    nearest[name] = min(apart, nearest.get(name, apart))
    pocket = ligand_pocket(path, ligand, distance)
    assert len(nearest) > 3
    assert dict(zip(pocket.residues, pocket.distances, strict=True)) == pytest.approx(nearest, abs=1e-4)
    assert (np.diff(pocket.distances) >= 0).all()
    assert "of 3 molecules the one taken is" in pocket.ligand.remarks[-1].reason


@pytest.mark.parametrize(
    ("ligand", "distance", "message"),
    [
        ("ATP", 4.0, "it has no molecule 'ATP'; it has LIG"),
        ("A:203", 4.0, "no residue has an atom within 4 Å of the ligand A:203"),
        ("LIG", -1.0, "distance"),
    ],
)
def test_a_pocket_that_is_not_there_is_one_line(
    path: Path, ligand: str, distance: float, message: str
) -> None:
    with pytest.raises(HoloError, match=message) as refused:
        ligand_pocket(path, ligand, distance)
    assert "\n" not in str(refused.value)
