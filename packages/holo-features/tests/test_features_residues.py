"""Single residues about their Cα."""

from functools import cache

import attrs
import numpy as np
import pytest
from biotite.structure import info

from holo_features import read_structure, zernike_transform
from holo_features.datasets import example_structures
from holo_features.surroundings.residues import single_residues
from holo_types import Basis, HoloError, Zernike

EXAMPLES = {path.name.partition(".")[0]: read_structure(path) for path in example_structures()}
dictionary_residue = cache(info.residue)  # biotite 1.2 looks through the whole dictionary each time
TWENTY = set("ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL".split())  # noqa: SIM905


@pytest.mark.parametrize("name", ["1zr0_B", "2g77_B", "2imm_A"])
def test_clouds_are_the_atoms_of_each_residue(name):
    structure = EXAMPLES[name]
    found = single_residues(structure)
    atoms = structure.atoms
    keys = list(
        zip(
            *(found.clouds.index[c].tolist() for c in ("chain", "residue_number", "insertion_code")),
            strict=True,
        )
    )
    assert len(set(keys)) == len(keys) > 20
    for i, (chain, number, code) in enumerate(keys):
        own = atoms[(atoms.chain_id == chain) & (atoms.res_id == number) & (atoms.ins_code == code)]
        alpha = own.coord[own.atom_name == "CA"][0].astype(float)
        others = own[(own.atom_name != "CA") & np.isin(own.element, ["C", "N", "O", "S"])]
        cloud = found.clouds[i : i + 1]
        np.testing.assert_allclose(cloud.coordinates, others.coord - alpha, atol=1e-6)
        np.testing.assert_array_equal(cloud.weights, others.element[:, None] == ["C", "N", "O", "S"])
        assert cloud.index["label"][0] == own.res_name[0]
    residues = {(a.chain_id, int(a.res_id), a.ins_code) for a in atoms}
    assert len(keys) + len(found.skipped) == len(residues)


def test_no_atom_of_the_twenty_amino_acids_is_beyond_the_cutoff():
    seen = set()
    for structure in EXAMPLES.values():
        clouds = single_residues(structure).clouds
        sizes = np.diff(clouds.offsets)
        for label, size in zip(clouds.index["label"].tolist(), sizes.tolist(), strict=True):
            heavy = dictionary_residue(label)
            count = int(
                (
                    np.isin(heavy.element, ["C", "N", "O", "S"]) & ~np.isin(heavy.atom_name, ["OXT", "CA"])
                ).sum()
            )
            assert count <= size <= count + 1  # the last of a chain has its OXT
            seen.add(label)
        assert np.linalg.norm(clouds.coordinates, axis=1).max() < 7.5
    assert seen >= TWENTY


def test_incomplete_residues_are_named(write_pdb, residue, atom):
    complete = [*residue(), atom("CB", (0.5, -1.0, 1.0))]
    path = write_pdb(
        *complete,
        *residue(number=2, shift=4.0),
        *residue(number=3, shift=8.0, names=("N", "C", "O")),
        *residue(number=4, shift=12.0, residue="01"),
        *residue(number=5, shift=16.0, residue="GLY"),
    )
    found = single_residues(read_structure(path))
    assert found.clouds.index["residue_number"].tolist() == [1, 5]
    assert found.clouds.index["label"].tolist() == ["ALA", "GLY"]
    assert [(s.residue.residue_number, s.reason) for s in found.skipped] == [
        (3, "it has no atom CA"),
        (2, "it lacks the atom CB"),
        (4, "01 is not in the Chemical Component Dictionary"),
    ]


def test_a_small_cutoff_leaves_atoms_out_and_names_what_is_empty():
    found = single_residues(EXAMPLES["1ten_A"], 4.0, ("S",))
    lengths = np.linalg.norm(found.clouds.coordinates, axis=1)
    assert (lengths <= 4.0).all()
    assert set(found.clouds.index["label"].tolist()) <= {"CYS", "MET"}
    assert "it has no atom of S within 4 Å of its CA" in {skipped.reason for skipped in found.skipped}
    with pytest.raises(HoloError, match="it must be a finite length > 0"):
        single_residues(EXAMPLES["1ten_A"], 0.0)


def test_equal_residues_give_equal_holograms_wherever_they_are():
    basis = Basis(lmax=4, radial=Zernike(nmax=20, cutoff=10.0), channels=("C", "N", "O", "S"))
    structure = EXAMPLES["1ten_A"]
    moved = structure.atoms.copy()
    moved.coord = moved.coord + np.float32(64.0)
    here, there = (
        zernike_transform(single_residues(s).clouds, basis, np.float64).coefficients
        for s in (structure, attrs.evolve(structure, atoms=moved))
    )
    assert here.shape[1] == basis.dim
    np.testing.assert_allclose(here, there, atol=1e-3)  # float32 positions, 64 Å away
