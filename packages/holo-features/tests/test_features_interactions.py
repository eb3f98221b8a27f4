"""Contacts in shells, burial and RDKit's descriptors agree with sums over all pairs and RDKit's own readers."""

import os
import signal
import sys

import attrs
import numpy as np
import pytest
from biotite.structure import AtomArray, BondList
from biotite.structure.info import residue
from hypothesis import given, strategies as st
from rdkit import Chem
from rdkit.Chem import AllChem, Descriptors
from scipy.spatial.transform import Rotation

from holo_features import Complex, Ligand, read_ligand, read_structure
from holo_features.complexes.contacts import LIGAND_ELEMENTS, contact_counts
from holo_features.complexes.interactions import SHELLS, ligand_burial, shell_contacts
from holo_features.complexes.rdkit_descriptors import ligand_descriptors, rdkit_molecule
from holo_features.complexes.vina_terms import rf_score_features, vina_terms
from holo_features.datasets import example_structures
from holo_types import HoloError

PROTEIN = read_structure(example_structures()[0])


def ligand_at(place, name="ADP"):
    atoms = residue(name)
    atoms = atoms[atoms.element != "H"]
    atoms.coord += np.asarray(place, dtype=np.float32) - atoms.coord.mean(axis=0)
    return Ligand(name, atoms)


@pytest.fixture(name="bound")
def _bound():
    protein = PROTEIN.atoms.copy()
    protein.element[7], protein.amino_acid[7] = "ZN", False
    ligand = ligand_at(protein.coord[0] + [5, 0, 0])
    return Complex("1abc", attrs.evolve(PROTEIN, atoms=protein), ligand)


def test_each_pair_is_in_the_shell_of_its_distance(bound):
    found = shell_contacts(bound)
    expected = dict.fromkeys(found.names, 0)
    protein, ligand = bound.protein.atoms, bound.ligand.atoms
    for element, place in zip(protein.element, protein.coord.astype(float), strict=True):
        row = {"ZN": "metal"}.get(element, element)
        for other, at in zip(ligand.element, ligand.coord.astype(float), strict=True):
            distance = np.linalg.norm(place - at)
            if distance > 12:
                continue
            shell = next(i for i, edge in enumerate(SHELLS[1:]) if distance <= edge)
            expected[f"{row}-{other} {SHELLS[shell]:g}-{SHELLS[shell + 1]:g} Å"] += 1
    assert dict(zip(found.names, found.values.tolist(), strict=True)) == expected
    assert sum(value for name, value in expected.items() if name.startswith("metal")) > 0


def test_all_shells_together_are_the_contacts(bound):
    found = shell_contacts(bound)
    counted = contact_counts(bound, 12.0)
    shells = found.values.reshape(len(SHELLS) - 1, 5, len(LIGAND_ELEMENTS)).sum(axis=0)
    np.testing.assert_array_equal(shells[:4], counted.counts)


def test_burial_is_counted_by_every_distance(bound):
    found = dict(zip(*attrs.astuple(ligand_burial(bound), recurse=False), strict=True))
    lengths = np.linalg.norm(
        bound.protein.atoms.coord[:, None].astype(float) - bound.ligand.atoms.coord[None], axis=2
    )
    for distance in (4, 5, 6, 8, 10):
        around = (lengths <= distance).sum(axis=0)
        for what in ("mean", "min", "max", "std"):
            assert found[f"burial {distance} Å {what}"] == pytest.approx(getattr(around, what)())


@given(seed=st.integers(0, 2**32 - 1))
def test_a_turned_complex_has_the_same_contacts_and_burial(seed):
    bound = Complex("1abc", PROTEIN, ligand_at(PROTEIN.atoms.coord[0] + [5, 0, 0]))
    turn = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()

    def turned(atoms):
        copy = atoms.copy()
        copy.coord = (atoms.coord.astype(np.float64) @ turn.T).astype(np.float32)
        return copy

    other = attrs.evolve(
        bound,
        protein=attrs.evolve(PROTEIN, atoms=turned(PROTEIN.atoms)),
        ligand=attrs.evolve(bound.ligand, atoms=turned(bound.ligand.atoms)),
    )
    # Rounding to float32 may carry a pair or two over an edge.
    assert np.abs(shell_contacts(other).values - shell_contacts(bound).values).sum() <= 4
    np.testing.assert_allclose(ligand_burial(other).values, ligand_burial(bound).values, atol=1)


@pytest.mark.parametrize("edges", [(3.5,), (0.0, 4.0, 4.0), (6.0, 4.0), (-1.0, 3.0), (0.0, float("inf"))])
def test_edges_that_do_not_rise_are_refused(bound, edges):
    with pytest.raises(HoloError, match=r"edges are .*; they must be rising lengths"):
        shell_contacts(bound, edges)


@pytest.mark.parametrize("distances", [(), (0.0,), (4.0, float("nan"))])
def test_distances_that_are_none_are_refused(bound, distances):
    with pytest.raises(HoloError, match=r"distances are .*; they must be finite lengths"):
        ligand_burial(bound, distances)


# Vina's terms


def two_atoms(protein, ligand, distance):
    """Return a complex of an atom of a serine and a single ligand atom at the given distance."""
    serine = residue("SER")
    one = serine[serine.atom_name == protein]
    one.coord[:] = 0
    other = AtomArray(1)
    other.element[:], other.coord[:] = ligand, [[distance, 0, 0]]
    other.set_annotation("charge", np.zeros(1, dtype=np.int8))
    other.bonds = BondList(1)
    return Complex("1abc", attrs.evolve(PROTEIN, atoms=one), Ligand(ligand, other))


@pytest.mark.parametrize(
    ("protein", "ligand", "distance", "radii", "hydrophobic", "bond"),
    [
        ("OG", "O", 2.8, 3.4, 0, 0.6 / 0.7),  # a hydroxyl and water
        ("OG", "O", 2.0, 3.4, 0, 1.0),
        ("OG", "C", 3.2, 3.6, 0, 0),
        ("CB", "C", 4.3, 3.8, 0, 0),  # beside a hydroxyl
        ("O", "N", 3.3, 3.5, 0, 0.2 / 0.7),  # ammonia gives
        ("N", "F", 5.0, 3.3, 0, 0),
    ],
)
def test_terms_of_two_atoms_are_those_of_the_paper(*, protein, ligand, distance, radii, hydrophobic, bond):
    found = vina_terms(two_atoms(protein, ligand, distance)).values
    d = distance - radii
    gauss = [np.exp(-((d / 0.5) ** 2)), np.exp(-(((d - 3) / 2) ** 2))]
    np.testing.assert_allclose(found, [*gauss, min(d, 0) ** 2, hydrophobic, bond, 0], atol=1e-5)


def test_hydrophobic_atoms_attract_up_to_half_an_angstrom_more():
    leucine = residue("LEU")
    leucine = leucine[leucine.atom_name == "CD1"]
    near = {}
    for distance in (4.0, 4.8, 5.5):
        complex_ = two_atoms("CB", "CL", distance)
        leucine.coord[:] = 0
        complex_ = attrs.evolve(complex_, protein=attrs.evolve(PROTEIN, atoms=leucine))
        near[distance] = vina_terms(complex_).values[3]
    assert near == pytest.approx({4.0: 1.0, 4.8: 0.4, 5.5: 0.0}, abs=1e-5)


def test_rf_score_has_contacts_and_terms(bound):
    found = rf_score_features(bound)
    assert len(found.names) == 4 * 9 + 6
    np.testing.assert_array_equal(found.values[:36], contact_counts(bound).counts.ravel())
    np.testing.assert_array_equal(found.values[36:], vina_terms(bound).values)
    assert found.values[-1] == 6  # of ADP without its hydrogens


# RDKit


@pytest.mark.parametrize(
    ("name", "smiles"),
    [
        ("ATP", "Nc1ncnc2c1ncn2C1OC(COP(=O)(O)OP(=O)(O)OP(=O)(O)O)C(O)C1O"),
        ("TRP", "NC(Cc1c[nH]c2ccccc12)C(=O)O"),
    ],
)
def test_descriptors_are_those_of_the_smiles(name, smiles):
    atoms = residue(name)
    heavy = atoms[atoms.element != "H"]
    heavy.charge[:] = 0
    found = ligand_descriptors(Ligand(name, heavy))
    expected = Descriptors.CalcMolDescriptors(Chem.MolFromSmiles(smiles))
    assert set(found.names) == set(expected)
    values = dict(zip(found.names, found.values.tolist(), strict=True))
    for what in (
        "MolLogP",
        "TPSA",
        "NumHDonors",
        "NumHAcceptors",
        "NumRotatableBonds",
        "RingCount",
        "MolWt",
        "qed",
    ):
        assert values[what] == pytest.approx(expected[what], abs=1e-6), what


def test_all_descriptors_are_rdkits():
    ligand = Ligand("ATP", residue("ATP"))
    found = ligand_descriptors(ligand)
    expected = Descriptors.CalcMolDescriptors(rdkit_molecule(ligand), missingVal=0.0)
    assert found.names == tuple(expected)
    known = [value if np.isfinite(value) and abs(value) < 1e6 else 0.0 for value in expected.values()]
    assert found.values.tolist() == known


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends other signals")
def test_ctrl_c_is_no_value_of_a_descriptor(monkeypatch):
    """RDKit's function for all descriptors catches it, and would return 0."""

    def interrupted(molecule):
        os.kill(os.getpid(), signal.SIGINT)
        return len(molecule.GetAtoms())

    monkeypatch.setattr(Descriptors, "descList", [("interrupted", interrupted)])
    monkeypatch.setattr(Descriptors, "_descList", [("interrupted", interrupted)])
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            ligand_descriptors(Ligand("ATP", residue("ATP")))
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_valence_that_rdkit_does_not_know_is_left_as_it_is():
    star = AtomArray(6)  # a nitrogen with five neighbors
    star.element[:] = ["N", "C", "C", "C", "C", "C"]
    star.coord[:] = np.arange(18).reshape(6, 3)
    star.set_annotation("charge", np.zeros(6, dtype=np.int8))
    star.bonds = BondList(6, np.array([[0, i, 1] for i in range(1, 6)]))
    found = ligand_descriptors(Ligand("star", star))
    assert np.isfinite(found.values).all()
    assert dict(zip(found.names, found.values.tolist(), strict=True))["HeavyAtomCount"] == 6


def test_without_bonds_there_are_no_descriptors():
    atoms = residue("GLY")
    atoms.bonds = None
    with pytest.raises(HoloError, match="has no bonds"):
        ligand_descriptors(Ligand("GLY", atoms))


def test_a_file_of_the_gallery_gives_finite_numbers(tmp_path):
    aspirin = Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O")
    AllChem.EmbedMolecule(aspirin, randomSeed=1)
    Chem.MolToMolFile(aspirin, str(tmp_path / "aspirin.mol"))
    found = ligand_descriptors(read_ligand(tmp_path / "aspirin.mol"))
    assert np.isfinite(found.values).all()
    assert len(found.names) > 200
