"""Channels: elements, all others, surface area, partial charge."""

import attrs
import biotite.structure as biotite
import numpy as np
import pytest
from biotite.structure.info import residue, vdw_radius_single
from scipy.spatial.transform import Rotation

from holo_features import Structure, neighborhoods, read_structure
from holo_features.datasets import example_structures
from holo_features.structures.charges import bonds_of, partial_charges
from holo_features.structures.surface import surface_areas
from holo_features.surroundings.channels import channel_weights, check_channels, sides_of
from holo_types import HoloError

EXAMPLES = {path.name.partition(".")[0]: read_structure(path) for path in example_structures()}
NAMES = ("1ten_A", "1zr0_B", "2imm_A")


def atom_array(*atoms):
    """Return atoms from (element, position, residue name, atom name), each in its own residue."""
    array = biotite.AtomArray(len(atoms))
    for i, (element, place, residue_name, name) in enumerate(atoms):
        array.element[i], array.res_name[i], array.atom_name[i] = element, residue_name, name
        array.coord[i], array.res_id[i], array.chain_id[i] = place, i + 1, "A"
    return array


def turned(structure, seed):
    """Return the structure about its center, rotated in float64 before it is rounded to the atoms' float32."""
    atoms = structure.atoms.copy()
    places = atoms.coord.astype(np.float64)
    turn = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    atoms.coord = ((places - places.mean(axis=0)) @ turn.T).astype(np.float32)
    return attrs.evolve(structure, atoms=atoms)


# Names


@pytest.mark.parametrize("name", ["X", "Calpha", "SASA", "Other", "hydrogens", "c ", "Å"])
def test_an_unknown_channel_is_refused_with_what_is_possible(name):
    with pytest.raises(
        HoloError, match=r"is not known; a channel is a chemical element .*'other'.*'sasa' or 'charge'"
    ):
        neighborhoods(EXAMPLES["1ten_A"], channels=("C", name))


@pytest.mark.parametrize("name", ["enzyme:C", ":C", "Ligand:C", "ligand:ligand:C"])
def test_an_unknown_side_is_refused_with_what_is_possible(name):
    with pytest.raises(HoloError, match="before the colon it must be one of protein, ligand, metal, water"):
        check_channels(("S", name))


@pytest.mark.parametrize("name", ["ligand:sasa", "protein:charge", "ligand:", "ligand:Xx"])
def test_a_side_has_elements_only(name):
    with pytest.raises(HoloError, match="either also with a side"):
        check_channels(("C", name))


@pytest.mark.parametrize(
    "channels", [("Se", "SE"), ("H", "D"), ("c", "C"), ("other", "other"), ("ligand:H", "ligand:d")]
)
def test_a_channel_that_is_there_twice_is_refused(channels):
    with pytest.raises(HoloError, match="it must hold at least one name, each once"):
        check_channels(channels)


def test_a_text_is_no_sequence_of_names():
    with pytest.raises(HoloError, match="they must be a sequence of names"):
        neighborhoods(EXAMPLES["1ten_A"], channels="CNOS")


# Elements


def test_elements_in_any_case_are_the_same():
    clouds = [neighborhoods(EXAMPLES["2g77_B"], channels=("C", name)) for name in ("Se", "SE", "se")]
    assert [c.channels[1] for c in clouds] == ["Se", "SE", "se"]  # as they were named
    assert clouds[0].weights[:, 1].any()
    for other in clouds[1:]:
        np.testing.assert_array_equal(other.weights, clouds[0].weights)


def test_other_takes_each_element_that_is_not_named():
    atoms = EXAMPLES["2g77_B"].atoms
    weights = channel_weights(atoms, ("N", "other", "C"))
    np.testing.assert_array_equal(weights.sum(axis=1), 1)
    np.testing.assert_array_equal(weights[:, 1] == 1, ~np.isin(atoms.element, ["N", "C"]))


def test_hydrogens_count_only_where_they_were_read():
    atoms = residue("SER")
    atoms.element[atoms.atom_name == "HG"] = "D"
    assert (channel_weights(atoms, ("h",))[:, 0] == np.isin(atoms.element, ["H", "D"])).all()
    assert (
        channel_weights(atoms, ("C", "N", "O", "other"))[:, 3].sum()
        == np.isin(atoms.element, ["H", "D"]).sum()
    )
    heavy = atoms[~np.isin(atoms.element, ["H", "D"])]
    assert not channel_weights(heavy, ("C", "N", "O", "other", "H"))[:, 3:].any()


def test_without_a_complex_the_ligand_is_what_is_neither_protein_water_nor_metal():
    atoms = EXAMPLES["1ten_A"].atoms[:6].copy()
    atoms.amino_acid[2:] = False
    atoms.water[3] = True
    atoms.element[4:] = ["ZN", "CL"]
    assert sides_of(atoms).tolist() == ["protein", "protein", "ligand", "water", "metal", "ligand"]


# Surface area


@pytest.mark.parametrize("element", ["C", "N", "P", "CL", "BR"])
def test_a_lone_atom_has_the_area_of_its_sphere(element):
    areas = surface_areas(atom_array((element, (1.0, 2.0, 3.0), "LIG", "X1")))
    assert areas[0] == pytest.approx(4 * np.pi * (vdw_radius_single(element) + 1.4) ** 2, rel=1e-5)


def test_two_spheres_hide_caps_of_one_another():
    distance = 3.0
    areas = surface_areas(atom_array(("C", (0, 0, 0), "LIG", "X1"), ("C", (0, 0, distance), "LIG", "X2")))
    radius = vdw_radius_single("C") + 1.4
    expected = 4 * np.pi * radius**2 - 2 * np.pi * radius * (radius - distance / 2)
    np.testing.assert_allclose(areas, expected, rtol=2e-3)  # 1,000 points: some lie on the rim


@pytest.mark.parametrize("name", NAMES)
def test_areas_equal_those_of_biotite_for_standard_residues(name):
    atoms = EXAMPLES[name].atoms
    np.testing.assert_array_equal(surface_areas(atoms), biotite.sasa(atoms, vdw_radii="ProtOr"))


def test_hydrogens_waters_and_ions_have_no_area_and_hide_nothing():
    atoms = residue("LYS")
    expected = surface_areas(atoms[atoms.element != "H"])
    around = atom_array(("O", atoms.coord[0] + 1, "HOH", "O"), ("ZN", atoms.coord[1] + 1, "ZN", "ZN"))
    for array in (atoms, around):
        for name in ("chain_id", "res_id"):
            array.set_annotation(name, getattr(array, name))
    areas = surface_areas(biotite.concatenate([atoms, around]))
    assert (areas[:-2][atoms.element == "H"] == 0).all()
    assert (areas[-2:] == 0).all()
    np.testing.assert_array_equal(areas[:-2][atoms.element != "H"], expected)


def test_names_that_the_dictionary_does_not_know_have_an_area():
    odd = atom_array(
        ("C", (0, 0, 0), "ALA", "C99"), ("HG", (9, 0, 0), "XXX", "HG1"), ("W", (0, 9, 0), "QQQ", "W")
    )
    assert (surface_areas(odd) > 50).all()


def test_turning_a_structure_changes_areas_by_a_few_points_of_the_spheres():
    structure = EXAMPLES["1ten_A"]
    first, second = (surface_areas(turned(structure, seed).atoms) for seed in (1, 2))
    assert np.abs(first - second).max() < 2.0  # 15 of 1,000 points of the largest sphere
    assert first.sum() == pytest.approx(second.sum(), rel=3e-3)


# Partial charge


def peoe(molecule, parameters, steps=6):
    """Compute partial equalization of orbital electronegativity by its defining equations, in float64."""
    charges = molecule.charge.astype(float)
    positive = np.array(
        [20.02 if e == "H" else sum(p) for e, p in zip(molecule.element, parameters, strict=True)]
    )
    for step in range(1, steps + 1):
        chi = np.array([a + b * q + c * q * q for (a, b, c), q in zip(parameters, charges, strict=True)])
        moved = np.zeros(len(charges))
        for i, j, _ in molecule.bonds.as_array():
            low, high = (i, j) if chi[i] < chi[j] else (j, i)
            transfer = (chi[high] - chi[low]) / positive[low] * 0.5**step
            moved[low] += transfer
            moved[high] -= transfer
        charges += moved
    return charges


def test_charges_are_those_of_the_defining_equations():
    # Parameters a, b, c of Gasteiger and Marsili (1980), table 1: sp3 carbon, sp3 oxygen, hydrogen.
    known = {"C": (7.98, 9.18, 1.88), "O": (14.18, 12.92, 1.39), "H": (7.17, 6.24, -0.56)}
    ethanol = residue("EOH")
    expected = peoe(ethanol, [known[element] for element in ethanol.element])
    np.testing.assert_allclose(partial_charges(ethanol), expected, atol=2e-6)


@pytest.mark.parametrize("name", NAMES)
def test_charges_sum_to_the_formal_charges_at_neutral_ph(name):
    atoms = EXAMPLES[name].atoms
    count = dict.fromkeys(("ASP", "GLU", "LYS", "ARG"), 0)
    marks = {"ASP": ("OD1", "OD2"), "GLU": ("OE1", "OE2"), "LYS": ("NZ",), "ARG": ("NH1", "NH2")}
    for residue_name in count:
        here = atoms[atoms.res_name == residue_name]
        count[residue_name] = min((here.atom_name == mark).sum() for mark in marks[residue_name])
    ends = (atoms.atom_name == "OXT").sum()
    total = count["LYS"] + count["ARG"] - count["ASP"] - count["GLU"] - ends
    assert partial_charges(atoms).sum() == pytest.approx(total, abs=1e-3)


def test_atoms_that_are_equal_by_resonance_have_equal_charges():
    atoms = EXAMPLES["1ten_A"].atoms
    charges = partial_charges(atoms)
    for residue_name, first, second, sign in (("ASP", "OD1", "OD2", -1), ("ARG", "NH1", "NH2", 1)):
        pair = [
            charges[(atoms.res_name == residue_name) & (atoms.atom_name == name)] for name in (first, second)
        ]
        np.testing.assert_array_equal(*pair)
        assert (sign * pair[0] > 0.2).all() == (sign > 0) or (pair[0] < -0.4).all()


def test_charges_do_not_hang_on_hydrogens_for_who_is_negative():
    alanine = residue("ALA")
    with_hydrogens = partial_charges(alanine)
    heavy = partial_charges(alanine[alanine.element != "H"])
    for charges in (with_hydrogens[alanine.element != "H"], heavy):
        found = dict(zip(alanine.atom_name[alanine.element != "H"].tolist(), charges.tolist(), strict=True))
        assert found["O"] < 0 < found["C"]
        assert found["N"] < 0 < found["CA"]


def test_elements_without_parameters_keep_their_formal_charge():
    atoms = atom_array(
        ("ZN", (0, 0, 0), "ZN", "ZN"), ("C", (9, 0, 0), "LIG", "C1"), ("O", (10.2, 0, 0), "LIG", "O1")
    )
    atoms.res_id[1:] = 2
    atoms.set_annotation("charge", np.array([2, 0, 0], dtype=np.int8))
    charges = partial_charges(atoms)
    assert charges[0] == 2
    assert charges[1] == pytest.approx(-charges[2], abs=1e-6)
    assert charges[2] < 0


def test_aromatic_and_sulfur_bonds_have_parameters():
    ring = residue("BNZ")
    bonds = ring.bonds.as_array()
    bonds[bonds[:, 2] != biotite.BondType.SINGLE, 2] = biotite.BondType.AROMATIC
    ring.bonds = biotite.BondList(len(ring), bonds)
    charges = partial_charges(ring)
    assert np.abs(charges[ring.element == "C"] - charges[0]).max() < 1e-6
    assert charges[0] < 0
    sulfoxide = residue("DMS")  # S=O
    charges = dict(zip(sulfoxide.atom_name.tolist(), partial_charges(sulfoxide).tolist(), strict=True))
    assert charges["O"] < -0.1 < charges["S"] != 0


def test_bonds_by_names_are_those_of_the_dictionary():
    lysine = residue("LYS")
    expected = {tuple(bond) for bond in lysine.bonds.as_array()[:, :2].tolist()}
    lysine.bonds = None
    assert {tuple(bond) for bond in bonds_of(lysine).as_array()[:, :2].tolist()} == expected


def test_bonds_by_distance_are_those_of_the_dictionary_where_names_are_unknown():
    caffeine = residue("CFF")
    expected = {tuple(sorted(bond)) for bond in caffeine.bonds.as_array()[:, :2].tolist()}
    caffeine.bonds = None
    caffeine.res_name[:] = "UNL"
    assert {tuple(sorted(bond)) for bond in bonds_of(caffeine).as_array()[:, :2].tolist()} == expected


# In neighborhoods


def test_weights_of_a_neighborhood_are_those_of_its_atoms():
    structure = EXAMPLES["1ten_A"]
    clouds = neighborhoods(structure, 7.0, ("C", "sasa", "charge"))
    atoms = structure.atoms
    areas, charges = biotite.sasa(atoms, vdw_radii="ProtOr"), partial_charges(atoms)
    places = atoms.coord.astype(np.float64)
    for i in (0, 10, len(clouds) - 1):
        number = clouds.index["residue_number"][i]
        center = np.flatnonzero((atoms.res_id == number) & (atoms.atom_name == "CA"))[0]
        near = np.flatnonzero(np.linalg.norm(places - places[center], axis=1) <= 7.0)
        near = near[near != center]
        expected = np.stack([atoms.element[near] == "C", areas[near], charges[near]], axis=1)
        np.testing.assert_allclose(clouds[i : i + 1].weights, expected, atol=1e-6)


def test_atoms_without_weight_are_not_there():
    structure = Structure("made", residue("GLY"))
    clouds = neighborhoods(structure, channels=("S", "sasa"))
    assert not (clouds.weights == 0).all(axis=1).any()
    assert len(clouds.coordinates) < len(structure.atoms) - 1  # hydrogens have none
