"""Contacts of protein and ligand by pairs of elements."""

import csv

import attrs
import numpy as np
import pytest
from biotite.structure.info import residue

from holo_features import Structure, read_structure
from holo_features.complexes.complex import Complex
from holo_features.complexes.contacts import (
    LIGAND_ELEMENTS,
    ContactCounts,
    contact_counts,
    write_contact_table,
)
from holo_features.complexes.ligands import Ligand
from holo_features.datasets import example_structures
from holo_types import HoloError


@pytest.fixture(name="bound", scope="module")
def _bound():
    protein = read_structure(example_structures()[0])
    ligand = residue("CFF")
    ligand = ligand[ligand.element != "H"]
    ligand.coord += protein.atoms.coord.mean(axis=0) - ligand.coord.mean(axis=0)
    ligand.element[:3] = ["CL", "F", "FE"]
    return Complex("1abc", protein, Ligand("CFF", ligand), 6.5, "train")


def test_counts_equal_a_double_loop(bound):
    protein, ligand = bound.protein.atoms, bound.ligand.atoms
    for cutoff in (3.5, 7.0):
        counted = contact_counts(bound, cutoff, ("C", "S", "other"), ("c", "O", "Cl", "other"))
        expected = np.zeros((3, 4), dtype=int)
        for element, place in zip(protein.element, protein.coord.astype(float), strict=True):
            p = {"C": 0, "S": 1}.get(element, 2)
            for other, there in zip(ligand.element, ligand.coord.astype(float), strict=True):
                q = {"C": 0, "O": 1, "CL": 2}.get(other, 3)
                expected[p, q] += np.linalg.norm(place - there) <= cutoff
        np.testing.assert_array_equal(counted.counts, expected)
        assert counted.counts.sum() > 0
        assert counted.pairs[:5] == ("C-c", "C-O", "C-Cl", "C-other", "S-c")


def test_the_distance_itself_counts():
    one, other = residue("HOH")[:1], residue("HOH")[:1]
    one.coord[:], other.coord[:] = 0, [0, 0, 5]
    one.res_name[:] = "GLY"
    pair = Complex("1abc", Structure("1abc", one), Ligand("HOH", other))
    assert contact_counts(pair, 5.0).counts.sum() == 1
    assert contact_counts(pair, 4.999).counts.sum() == 0


def test_turning_and_permuting_changes_nothing(bound):
    shuffled = np.random.default_rng(0).permutation(len(bound.ligand.atoms))
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])  # exact in floating point
    protein, ligand = bound.protein.atoms.copy(), bound.ligand.atoms[shuffled]
    protein.coord, ligand.coord = (
        (protein.coord @ turn).astype(np.float32),
        (ligand.coord @ turn).astype(np.float32),
    )
    moved = attrs.evolve(
        bound, protein=attrs.evolve(bound.protein, atoms=protein), ligand=Ligand("CFF", ligand)
    )
    np.testing.assert_array_equal(contact_counts(moved).counts, contact_counts(bound).counts)


def test_the_table(bound, tmp_path):
    path = tmp_path / "contacts.csv"
    counted = contact_counts(bound)
    assert (
        write_contact_table([counted, attrs.evolve(counted, name="2xyz", label=None, split=None)], path) == 2
    )
    with path.open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert list(first)[:4] == ["id", "split", "label", "C-C"]
    assert len(first) == 3 + 4 * len(LIGAND_ELEMENTS)
    assert (first["id"], first["split"], first["label"]) == ("1abc", "train", "6.5")
    assert (second["id"], second["split"], second["label"]) == ("2xyz", "", "")
    assert int(first["N-Cl"]) == counted.counts[1, 6]


def test_a_table_of_different_elements_is_refused_and_leaves_nothing(bound, tmp_path):
    path = tmp_path / "contacts.csv"
    other = ContactCounts("2xyz", None, None, ("C",), ("N",), np.array([[1]]))
    with pytest.raises(HoloError, match=r"complex 2xyz has the pairs \('C-N',\); they must be"):
        write_contact_table([contact_counts(bound), other], path)
    assert not path.exists()


@pytest.mark.parametrize(
    ("elements", "message"), [(("C", "sasa"), "'sasa' is not an element"), (("C", "Q"), "is not known")]
)
def test_what_is_no_element_is_refused(bound, elements, message):
    with pytest.raises(HoloError, match=message):
        contact_counts(bound, ligand_elements=elements)
    with pytest.raises(HoloError, match="contact_counts: cutoff is -1"):
        contact_counts(bound, -1.0)
