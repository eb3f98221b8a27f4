"""Which mutations can be made in a structure, and the reasons why others cannot."""

from pathlib import Path

import attrs
import numpy as np
import pytest

from holo_features import (
    Mutation,
    ResidueId,
    Structure,
    all_mutations,
    datasets,
    find_sites,
    read_structure,
)
from holo_types import HoloError


@pytest.fixture(scope="module")
def structure() -> Structure:
    return read_structure(datasets.example_structures()[0])


def test_a_mutation_is_written_as_chain_number_and_letter() -> None:
    assert Mutation.parse("H:52A:l") == Mutation(ResidueId("H", 52, "A"), "L")
    for text in ("A:57", "57:L", "A:57:LEU", "A:57L", "A:x:L"):
        with pytest.raises(HoloError, match="it must be written as chain:number:mutant"):
            Mutation.parse(text)
    with pytest.raises(HoloError, match="amino acid 'B'"):
        Mutation.parse("A:57:B")


def test_what_can_be_made_is_found_and_the_others_are_named(structure: Structure) -> None:
    wanted = [
        Mutation.parse("A:1:L"),
        Mutation(ResidueId("A", 2), "A", "W"),
        Mutation.parse("A:2:L"),
        Mutation.parse("A:999:L"),
        Mutation(ResidueId("A", 3), "A", "S"),
    ]
    found = find_sites(structure, wanted)
    assert [str(mutation) for mutation in found.mutations] == ["A:V1L", "A:S3A"]
    assert found.places.tolist() == [0, 4]
    assert found.sites.index["residue_number"].tolist() == [1, 3]
    assert found.problems == {
        1: "A:2 is L; the mutation says that it is W",
        2: "A:2 is L already",
        3: "there is no residue A:999",
    }
    assert found.remarks == {}


def test_the_only_chain_is_taken_for_one_that_is_missing(structure: Structure) -> None:
    found = find_sites(structure, [Mutation.parse("Q:1:L")])
    assert [str(mutation) for mutation in found.mutations] == ["A:V1L"]
    assert found.remarks == {0: "there is no chain Q; A, the only one, is taken"}


def test_of_several_chains_none_is_guessed(structure: Structure) -> None:
    atoms = structure.atoms.copy()
    atoms.chain_id[len(atoms) // 2 :] = "B"
    found = find_sites(attrs.evolve(structure, atoms=atoms), [Mutation.parse("Q:1:L")])
    assert found.problems == {0: "there is no residue Q:1"}


def test_a_missing_side_chain_is_named_and_costs_nothing(structure: Structure) -> None:
    atoms = structure.atoms
    kept = ~((atoms.res_id == 2) & ~np.isin(atoms.atom_name, ("N", "CA", "C", "O")))
    found = find_sites(attrs.evolve(structure, atoms=atoms[kept]), [Mutation.parse("A:2:A")])
    assert found.problems == {}
    assert found.remarks == {
        0: "the side chain of A:2 lacks CB, CD1, CD2, CG, which the prediction does not look at"
    }


def test_a_missing_backbone_and_a_modified_residue_are_named(structure: Structure) -> None:
    atoms = structure.atoms.copy()
    atoms.res_name[atoms.res_id == 3] = "MSE"
    kept = ~((atoms.res_id == 2) & (atoms.atom_name == "N"))
    broken = attrs.evolve(structure, atoms=atoms[kept])
    found = find_sites(broken, [Mutation.parse("A:2:A"), Mutation.parse("A:3:A")])
    assert found.problems == {
        0: "the atoms N, CA and C of A:2 are not all there, or lie on a line",
        1: "A:3 is MSE, which is not one of the twenty amino acids",
    }


def test_several_residues_of_one_name_are_none_of_them(tmp_path: Path) -> None:
    """Return two chains that a file calls A, apart from each other."""
    line = "ATOM  {:5d}  {:<3} {} A{:4d}    {:8.3f}{:8.3f}{:8.3f}  1.00 10.00           {}\n"
    places = {"N": (0.0, 1.46, 0.0), "CA": (0.0, 0.0, 0.0), "C": (1.43, -0.5, 0.0), "O": (2.3, 0.3, 0.0)}
    text = ""
    for chain, name in enumerate(("ALA", "GLY")):
        for residue in range(4):
            for atom, (x, y, z) in places.items():
                shift = 30.0 * chain
                text += line.format(1, atom, name, residue + 1, x + shift, y, z + 3.8 * residue, atom[0])
        text += "TER\n"
    path = tmp_path / "twice.pdb"
    path.write_text(text)
    found = find_sites(read_structure(path), [Mutation.parse("A:1:L")])
    assert found.problems == {0: "several residues are called A:1"}


def test_a_scan_asks_for_nineteen_exchanges_of_each_residue(structure: Structure) -> None:
    mutations = all_mutations(structure)
    found = find_sites(structure, mutations)
    assert found.problems == {}
    assert found.mutations == mutations
    assert len(set(mutations)) == len(mutations) == 19 * 153
