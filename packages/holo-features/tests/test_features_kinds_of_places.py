"""Structures whose atoms cannot all be real: frames, copies, and atoms without positions."""

import math

import numpy as np
import pytest
from biotite.structure.io.pdb import PDBFile
from biotite.structure.io.pdbx import CIFFile, set_structure
from hypothesis import given, strategies as st

from holo_features import Selection, read_structure
from holo_features.datasets import example_structures
from holo_features.structures.places import misplaced
from holo_types import FormatError

EXAMPLES = {path.name.partition(".")[0]: path for path in example_structures()}


def records(atoms):
    file = PDBFile()
    file.set_structure(atoms)
    return [str(line) for line in file.lines if str(line).startswith(("ATOM", "HETATM"))]


@pytest.fixture(scope="module")
def chain():
    return read_structure(EXAMPLES["1ten_A"]).atoms


def frames(atoms, count, shift=1.2, noise=0.0):
    rng = np.random.default_rng(7)
    found = []
    for i in range(count):
        frame = atoms.copy()
        frame.coord += i * np.float32(shift) + rng.normal(scale=noise or 1e-9, size=frame.coord.shape) * (
            i > 0
        )
        found.append(frame)
    return found


# ------------------------------------------------------------------------------------- frames, models and parts


@pytest.mark.parametrize("ending", ["END", "END   ", "END".ljust(80)])
@pytest.mark.parametrize("count", [2, 3, 7])
def test_frames_between_end(write_pdb, chain, ending, count):
    lines = [line for frame in frames(chain, count) for line in (*records(frame), ending)]
    structure = read_structure(write_pdb(*lines))
    assert len(structure.atoms) == len(chain)
    assert structure.repeated_residues == ()
    (remark,) = structure.remarks
    assert (remark.kind, remark.count) == ("model passed over", count - 1)
    second = read_structure(write_pdb(*lines), Selection(model=2))
    np.testing.assert_allclose(second.atoms.coord, chain.coord + np.float32(1.2), atol=2e-3)


def test_frames_that_lack_a_few_residues(write_pdb, chain):
    """A frame need not have all of the first one's residues."""
    shorter = chain[chain.res_id > chain.res_id[0] + 3]
    structure = read_structure(write_pdb(*records(chain), "END", *records(shorter), "END"))
    assert len(structure.atoms) == len(chain)


def test_frames_of_a_protein_and_its_ligand_in_two_parts(write_pdb, chain, atom):
    ligand = [atom("C1", (90.0, 0.0, 0.0), residue="LIG", number=1, chain="L", hetero=True)]
    both = [*records(chain), "END", *ligand, "END"]
    structure = read_structure(write_pdb(*both, *both, *both), Selection(hetero=True))
    assert len(structure.atoms) == len(chain) + 1
    assert structure.remarks[0].count == 2


def test_what_follows_end_is_more_of_the_structure_if_it_is_other_residues(write_pdb, chain, atom):
    """A receptor and a ligand, or another chain, as files that were joined."""
    ligand = [atom("C1", (90.0, 0.0, 0.0), residue="LIG", number=1, chain="A", hetero=True)]
    other = chain.copy()
    other.chain_id[:], other.coord[:, 0] = "B", other.coord[:, 0] + 60
    structure = read_structure(
        write_pdb(*records(chain), "END", *ligand, "END", *records(other)), Selection(hetero=True)
    )
    assert len(structure.atoms) == 2 * len(chain) + 1
    assert structure.remarks == ()


@pytest.mark.parametrize("moved", [True, False])
@pytest.mark.parametrize("suffix", [".pdb", ".cif"])
def test_further_models_are_counted_and_copies_named(tmp_path, chain, moved, suffix):
    """Models of an assembly lie beside each other; those of an ensemble are other states at one position."""
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=np.float32)
    first, second = chain, chain.copy()
    second.coord = (
        chain.coord @ turn + 30
        if moved
        else chain.coord + np.random.default_rng(0).normal(scale=0.2, size=chain.coord.shape)
    )
    path = tmp_path / f"models{suffix}"
    if suffix == ".pdb":
        lines = [
            line
            for i, m in enumerate((first, second), 1)
            for line in (f"MODEL {i:>8}", *records(m), "ENDMDL")
        ]
        path.write_text("\n".join([*lines, "END", ""]))
    else:
        file = CIFFile()
        set_structure(file, first + second)
        file.block["atom_site"]["pdbx_PDB_model_num"] = np.repeat(["1", "2"], len(chain))
        file.write(path)
    structure = read_structure(path)
    (remark,) = structure.remarks
    assert (remark.kind, remark.count) == ("model passed over", 1)
    assert ("a moved copy" in remark.reason) == moved
    assert len(structure.atoms) == len(chain)
    assert read_structure(path, Selection(model=2)).remarks == ()


@pytest.mark.parametrize("shift", [0.6, 1.2, 2.0, 3.5, 6.0])
@pytest.mark.parametrize("noise", [0.0, 0.7])
def test_residues_that_repeat_in_one_place_are_refused(write_pdb, chain, shift, noise):
    lines = [line for frame in frames(chain, 3, shift, noise) for line in records(frame)]
    with pytest.raises(
        FormatError, match=r"residues repeat the chain and number of an earlier one, such as A \d+ "
    ):
        read_structure(write_pdb(*lines))


@pytest.mark.parametrize("shift", [60.0, 200.0])
def test_residues_that_repeat_elsewhere_are_counted(write_pdb, chain, shift):
    lines = [line for frame in frames(chain, 2, shift) for line in records(frame)]
    structure = read_structure(write_pdb(*lines))
    assert len(structure.atoms) == 2 * len(chain)
    assert len(structure.repeated_residues) == len(np.unique(chain.res_id))


# -------------------------------------------------------------------------------------------------- placeholders


def with_places(chain, rows, place):
    changed = chain.copy()
    changed.coord[rows] = place
    return changed


@pytest.mark.parametrize("place", [(0.0, 0.0, 0.0), (999.0, 999.0, 999.0), (12.5, -3.25, 8.125)])
@pytest.mark.parametrize("suffix", [".pdb", ".cif"])
def test_atoms_at_one_point_are_left_out_and_counted(tmp_path, chain, place, suffix):
    side = np.flatnonzero(~np.isin(chain.atom_name, ["N", "CA", "C", "O", "CB"]))[:60:2]
    changed = with_places(chain, side, place)
    path = tmp_path / f"made{suffix}"
    if suffix == ".pdb":
        path.write_text("\n".join([*records(changed), "END", ""]))
    else:
        file = CIFFile()
        set_structure(file, changed)
        file.write(path)
    structure = read_structure(path)
    np.testing.assert_allclose(structure.atoms.coord, np.delete(chain.coord, side, axis=0), atol=1e-3)
    (remark,) = structure.remarks
    assert (remark.kind, remark.count) == ("atom left out", len(side))


def test_more_than_a_tenth_is_refused(write_pdb, chain):
    rows = np.arange(0, len(chain), 8)
    with pytest.raises(FormatError, match=rf"{len(rows)} of its {len(chain)} atoms lie at one point"):
        read_structure(write_pdb(*records(with_places(chain, rows, 0.0))))


@pytest.mark.parametrize(("apart", "left"), [(0.0, 2), (0.25, 2), (0.35, 0)])
def test_two_atoms_of_a_residue_within_a_third_of_an_angstrom(write_pdb, chain, apart, left):
    changed = chain.copy()
    changed.coord[5] = changed.coord[4] + np.array([apart, 0, 0])
    assert len(read_structure(write_pdb(*records(changed))).atoms) == len(chain) - left


def pair_by_pair(places, residues, labels):
    """Compute the same without arrays: for each atom, and each two of a residue."""
    found = set()
    for i, place in enumerate(places):
        there = [labels[j] for j, other in enumerate(places) if other == place]
        always = there.count("")
        if always + max((there.count(label) for label in set(there) - {""}), default=0) >= 3:
            found.add(i)
        for j in range(i):
            by_turns = labels[i] != labels[j] and labels[i] and labels[j]
            if residues[i] == residues[j] and not by_turns and math.dist(place, places[j]) < 0.3:
                found |= {i, j}
    return sorted(found)


# Steps of 1/4 and 1/8 Å, so that no distance is about 0.3.
step = st.integers(0, 3).map(lambda k: k / 4) | st.integers(0, 8).map(lambda k: k / 8)
atoms_of_few_places = st.tuples(
    st.tuples(step, step, step), st.integers(0, 3), st.sampled_from(["", "", "A", "B"])
)


@given(st.lists(atoms_of_few_places, max_size=30), st.sampled_from([1, 7, 10_000]))
def test_misplaced_atoms_are_those_found_pair_by_pair(few, together):
    """Ten times as many atoms are in other residues, of one atom, of seven, or all in a single large one."""
    others = [((9.0 + 2 * i, 0.0, 0.0), 4 + i // together, "") for i in range(10 * len(few) + 1)]
    every = sorted([*few, *others], key=lambda atom: atom[1])
    places, residues, labels = map(list, zip(*every, strict=True))
    if together > len(every):
        residues = [0] * len(every)
    found = misplaced(np.array(places, dtype=np.float32), np.array(residues), np.array(labels))
    assert np.flatnonzero(found).tolist() == pair_by_pair(places, residues, labels)


def test_misplaced_atoms_far_into_a_large_structure():
    places = np.tile(np.arange(20_000, dtype=np.float32)[:, None], 3)
    residues = np.arange(20_000) // 8
    places[[15_001, 16_000]] = places[[15_004, 15_999]] + np.float32(
        0.1
    )  # the second pair is of two residues
    found = misplaced(places, residues, np.full(20_000, ""))
    assert np.flatnonzero(found).tolist() == [15_001, 15_004]


def test_an_atom_that_lies_at_the_origin_stays(write_pdb, chain):
    changed = chain.copy()
    changed.coord -= changed.coord[40]
    structure = read_structure(write_pdb(*records(changed)))
    assert len(structure.atoms) == len(chain)
    assert structure.remarks == ()


def test_alternate_locations_stay(write_pdb, chain, residue):
    """Each conformer alone is complete, and what one lacks comes from the other, wherever that lies."""
    one = residue(number=500, shift=90.0, label="A", occupancy=0.6)
    other = residue(number=500, shift=90.1, label="B", occupancy=0.4, names=("N", "CA", "C", "O"))
    lacking = [line for line in one if line[12:16].strip() != "O"]
    structure = read_structure(write_pdb(*records(chain), *lacking, *other))
    assert len(structure.atoms) == len(chain) + 4


def test_hydrogen_and_deuterium_by_turns_stay(write_pdb, chain, residue, atom):
    both = [
        atom("H", (89.5, 2.4, 0.0), number=500, label="A", occupancy=0.6),
        atom("D", (89.5, 2.4, 0.0), number=500, label="B", occupancy=0.4, element="D"),
    ]
    path = write_pdb(*records(chain), *residue(number=500, shift=90.0), *both)
    assert len(read_structure(path, Selection(hydrogens=True)).atoms) == len(chain) + 6


def test_a_special_position_stays(write_pdb, chain, atom):
    """Copies of an atom on an axis coincide in the assembly, not in the file."""
    lines = [
        "REMARK 350 BIOMOLECULE: 1",
        "REMARK 350 APPLY THE FOLLOWING TO CHAINS: A",
    ]
    for number, (cos, sin) in enumerate([(1.0, 0.0), (-0.5, 0.866025), (-0.5, -0.866025)], start=1):
        for i, row in enumerate([(cos, -sin, 0.0), (sin, cos, 0.0), (0.0, 0.0, 1.0)], start=1):
            values = "".join(f"{value:10.6f}" for value in row)
            lines.append(f"REMARK 350   BIOMT{i}{number:>4}{values}        0.00000")
    zinc = atom("ZN", (0.0, 0.0, 5.0), residue="ZN", number=900, element="ZN", hetero=True)
    moved = chain.copy()
    moved.coord += 60
    structure = read_structure(write_pdb(*lines, *records(moved), zinc), Selection(assembly="1", hetero=True))
    assert (structure.atoms.element == "ZN").sum() == 3
    assert structure.remarks == ()
