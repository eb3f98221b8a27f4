"""Neighbourhoods: who is in them, what they are called, what is skipped."""

from collections import Counter

import attrs
import numpy as np
import pytest
from biotite.structure import annotate_sse
from hypothesis import given, settings
from hypothesis import strategies as st

from holo_features import SkippedResidue, neighborhoods, read_structure, skipped_residues
from holo_features.datasets import example_structures
from holo_types import HoloError

EXAMPLES = {path.name.partition(".")[0]: read_structure(path) for path in example_structures()}


def brute_force(structure, cutoff, channels):
    """(chain, number, insertion code, name) to the sorted list of (channel, x, y, z), by a plain double loop."""
    atoms = structure.atoms
    places = atoms.coord.astype(np.float64)
    clouds = {}
    for i in np.flatnonzero((atoms.atom_name == "CA") & (atoms.element == "C")):
        distances = np.sqrt(((places - places[i]) ** 2).sum(axis=1))
        near = [j for j in np.flatnonzero(distances <= cutoff) if j != i and atoms.element[j] in channels]
        key = (atoms.chain_id[i], atoms.res_id[i].item(), atoms.ins_code[i], atoms.res_name[i])
        clouds[key] = sorted((channels.index(atoms.element[j]), *(places[j] - places[i])) for j in near)
    return clouds


@pytest.mark.parametrize("name", ["1zr0_B", "2g77_B", "2imm_A"])
@pytest.mark.parametrize(("cutoff", "channels"), [(10.0, ("C", "N", "O", "S")), (4.5, ("SE", "O"))])
def test_equals_a_plain_double_loop(name, cutoff, channels):
    structure = EXAMPLES[name]
    clouds = neighborhoods(structure, cutoff, channels)
    expected = {key: cloud for key, cloud in brute_force(structure, cutoff, channels).items() if cloud}
    assert clouds.channels == channels
    columns = [clouds.index[c] for c in ("chain", "residue_number", "insertion_code", "residue_name")]
    keys = list(zip(*(column.tolist() for column in columns), strict=True))
    assert keys == list(expected)  # in the order of the file, insertion codes told apart
    for i, key in enumerate(keys):
        cloud = clouds[i : i + 1]
        np.testing.assert_array_equal(cloud.weights.sum(axis=1), 1)
        found = sorted(zip(cloud.weights.argmax(axis=1).tolist(), *cloud.coordinates.T.tolist(), strict=True))
        np.testing.assert_allclose(found, expected[key], atol=1e-12)


def test_index():
    clouds = neighborhoods(EXAMPLES["1zr0_B"])
    assert list(clouds.index) == [
        "structure",
        "model",
        "chain",
        "residue_number",
        "insertion_code",
        "residue_name",
    ]
    assert set(clouds.index["structure"].tolist()) == {"1zr0_B"}
    assert set(clouds.index["model"].tolist()) == {1}
    assert Counter(clouds.index["insertion_code"].tolist())[""] < len(clouds)


def test_the_cutoff_is_included(write_pdb, residue, atom):
    lines = [
        *residue(names=("CA",)),
        atom("CB", (0.0, 0.0, 5.0), residue="ALA"),
        atom("CG", (0.0, 5.001, 0.0), residue="ALA"),
        atom("CA", (0.0, 0.0, 0.0), residue="ALA", number=2),
    ]
    clouds = neighborhoods(read_structure(write_pdb(*lines)), cutoff=5.0)
    # The origin's own Cα is left out, another atom at the same place is not.
    assert sorted(np.linalg.norm(clouds[:1].coordinates, axis=1).tolist()) == [0.0, 5.0]


def test_a_calcium_ion_is_no_alpha_carbon(write_pdb, residue, atom):
    ion = atom("CA", (1.0, 1.0, 1.0), residue="CA", number=9, element="CA", hetero=True)
    # The ion may even stand in an amino acid residue that has lost its Cα.
    bare = residue(names=("N", "C", "O"), number=2, shift=4.0)
    inside = atom("CA", (5.0, 1.0, 1.0), residue="ALA", number=2, element="CA")
    structure = read_structure(write_pdb(*residue(), *bare, inside, ion))
    assert neighborhoods(structure).index["residue_number"].tolist() == [1]
    assert [skipped.residue_number for skipped in skipped_residues(structure)] == [2]


def test_skipped_residues_are_named(write_pdb, residue):
    path = write_pdb(
        *residue(),
        *residue(number=7, insertion="B", names=("N", "C", "O"), shift=3.0),
        *residue(number=99, chain="Z", names=("CA",), shift=500.0),
    )
    structure = read_structure(path)
    assert skipped_residues(structure) == (
        SkippedResidue("made", 1, "A", 7, "B", "ALA", "it has no atom CA"),
        SkippedResidue("made", 1, "Z", 99, "", "ALA", "no atom of C, N, O, S is within 10 Å of its CA"),
    )
    assert neighborhoods(structure).index["residue_number"].tolist() == [1]
    assert [s.residue_number for s in skipped_residues(structure, cutoff=600.0)] == [7]


def test_a_structure_without_alpha_carbons_has_no_neighborhoods(write_pdb, residue):
    structure = read_structure(write_pdb(*residue(names=("N", "C", "O"))))
    clouds = neighborhoods(structure, secondary_structure=True)
    assert len(clouds) == 0
    assert "secondary_structure" in clouds.index
    assert len(skipped_residues(structure)) == 1


@given(st.sampled_from(sorted(EXAMPLES)), st.floats(0.5, 14.0))
@settings(max_examples=25, deadline=None)
def test_every_residue_is_either_there_or_skipped(name, cutoff):
    structure = EXAMPLES[name]
    clouds, skipped = neighborhoods(structure, cutoff), skipped_residues(structure, cutoff)
    atoms = structure.atoms
    residues = set(zip(atoms.chain_id.tolist(), atoms.res_id.tolist(), atoms.ins_code.tolist(), strict=True))
    assert len(clouds) + len(skipped) == len(residues)
    assert (np.diff(clouds.offsets) > 0).all()
    assert (np.linalg.norm(clouds.coordinates, axis=1) <= cutoff * (1 + 1e-12)).all()


@pytest.mark.parametrize("cutoff", [0.0, -1.0, float("nan"), float("inf")])
def test_refuses_a_cutoff_that_is_no_length(cutoff):
    with pytest.raises(HoloError, match="it must be a finite length > 0 Å"):
        neighborhoods(EXAMPLES["1ten_A"], cutoff)


def test_secondary_structure_is_that_of_biotite():
    names = {"a": "helix", "b": "sheet", "c": "coil"}
    for name in ("1ten_A", "1bvc_A", "1c1y_A"):  # complete chains, numbered without gaps
        structure = EXAMPLES[name]
        expected = [names[code] for code in annotate_sse(structure.atoms).tolist()]
        found = neighborhoods(structure, secondary_structure=True).index["secondary_structure"].tolist()
        assert found == expected


def test_secondary_structure_does_not_hang_on_residue_numbers_or_names():
    structure = EXAMPLES["1bvc_A"]
    expected = neighborhoods(structure, secondary_structure=True).index["secondary_structure"].tolist()
    atoms = structure.atoms.copy()
    atoms.res_id = atoms.res_id * 3
    atoms.res_name[:] = "HIE"
    renamed = attrs.evolve(structure, atoms=atoms)
    assert neighborhoods(renamed, secondary_structure=True).index["secondary_structure"].tolist() == expected


def test_secondary_structure_sees_a_broken_chain():
    structure = EXAMPLES["1bvc_A"]
    whole = neighborhoods(structure, secondary_structure=True).index["secondary_structure"]
    helix = np.flatnonzero(whole == "helix")[:3]
    number = neighborhoods(structure).index["residue_number"][helix[-1]]
    atoms = structure.atoms.copy()
    atoms.coord[atoms.res_id > number] += 20.0
    broken = neighborhoods(attrs.evolve(structure, atoms=atoms), secondary_structure=True)
    # Three residues are left of the first helix: too few to be one.
    assert (broken.index["secondary_structure"][helix] == "coil").all()


@pytest.mark.parametrize("channels", [(), ("C", "C"), ("",)])
def test_refuses_channels_that_are_not_each_named_once(channels):
    with pytest.raises(HoloError, match=r"channels is .* it must hold at least one name, each once"):
        neighborhoods(EXAMPLES["1ten_A"], channels=channels)
