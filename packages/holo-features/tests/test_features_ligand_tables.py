"""The identity and the size of a complex's ligand."""

import csv

import numpy as np
import pytest
from biotite.structure import AtomArray, BondList
from biotite.structure.info import residue
from hypothesis import given, settings, strategies as st

from holo_features import Structure, read_structure
from holo_features.complexes.complex import Complex
from holo_features.complexes.ligand_tables import LigandSize, ligand_key, ligand_size, write_ligand_table
from holo_features.complexes.ligands import Ligand
from holo_features.datasets import example_structures

NAMES = ("CFF", "ATP", "STI", "GLC", "FRU", "LEU", "ILE", "TRP")


def key(atoms):
    return ligand_key(Ligand("LIG", atoms))


def carbons(*bonds):
    """Return a skeleton of carbons at arbitrary positions."""
    atoms = AtomArray(1 + max(max(pair) for pair in bonds))
    atoms.element[:] = "C"
    atoms.bonds = BondList(len(atoms), np.array([(*pair, 1) for pair in bonds]))
    return atoms


@given(st.sampled_from(NAMES), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_order_of_atoms_the_place_and_hydrogens_do_not_count(name, random):
    atoms = residue(name)
    order = list(range(len(atoms)))
    random.shuffle(order)
    shuffled = atoms[np.array(order)]
    shuffled.coord = shuffled.coord @ np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]) + 7
    assert key(shuffled) == key(atoms) == key(shuffled[shuffled.element != "H"])


def test_different_molecules_have_different_keys():
    assert len({key(residue(name)) for name in NAMES}) == len(NAMES)
    n_propanol, isopropanol = carbons((0, 1), (1, 2), (2, 3)), carbons((0, 1), (1, 2), (1, 3))
    n_propanol.element[3] = isopropanol.element[3] = "O"
    assert key(n_propanol) != key(isopropanol)
    assert key(n_propanol).startswith("C3O-")


def test_bonds_alone_do_not_tell_these_rings_apart_distances_do():
    decalin = carbons(*((i, (i + 1) % 10) for i in range(10)), (0, 5))
    two_rings = carbons(
        *((i, (i + 1) % 5) for i in range(5)), *((5 + i, 5 + (i + 1) % 5) for i in range(5)), (0, 5)
    )
    assert key(decalin) != key(two_rings)


@pytest.mark.parametrize("name", NAMES)
def test_distances_give_the_bonds_of_the_dictionary(name):
    atoms = residue(name)
    known = key(atoms)
    atoms.bonds = None
    assert key(atoms) == known


def test_parts_that_no_bond_joins_and_single_atoms_have_keys():
    salt = carbons((0, 1), (2, 3))
    assert key(salt) != key(carbons((0, 1), (1, 2), (2, 3)))
    ion = AtomArray(1)
    ion.element[:] = "ZN"
    assert key(ion).startswith("Zn-")


def test_the_size_is_that_of_heavy_atoms(tmp_path):
    caffeine = residue("CFF")  # C8H10N4O2, 194.19 g/mol of which 10 x 1.008 hydrogen
    size = ligand_size(
        Complex("1abc", Structure("1abc", residue("GLY")), Ligand("CFF", caffeine), 6.5, "val")
    )
    assert (size.name, size.label, size.split, size.heavy_atoms) == ("1abc", 6.5, "val", 14)
    assert size.heavy_atom_weight == pytest.approx(194.19 - 10.08, abs=0.01)
    assert size.key == key(caffeine)
    other = LigandSize("2xyz", None, None, 1, 65.38, "Zn-0")
    assert write_ligand_table([size, other], tmp_path / "ligands.csv") == 2
    with (tmp_path / "ligands.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["id"], first["split"], first["label"]) == ("1abc", "val", "6.5")
    assert (second["label"], second["heavy_atoms"], second["heavy_atom_weight"]) == ("", "1", "65.38")


def test_a_peptide_without_bonds_is_one_molecule():
    peptide = read_structure(example_structures()[0]).atoms[:20].copy()
    peptide.bonds = None
    joined = carbons((0, 1))
    assert key(peptide) != key(joined)
    apart = peptide.copy()
    apart.coord[10:] += 50
    assert key(apart) != key(peptide)
