"""Reading structures: which atoms are included, in every format."""

import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from biotite.structure.info import amino_acid_names
from biotite.structure.io.pdb import PDBFile
from biotite.structure.io.pdbx import BinaryCIFFile, CIFFile, set_structure

from holo_features import ResidueId, Selection, read_structure
from holo_features.datasets import example_structures
from holo_features.readers.names import STANDARD_AMINO_ACIDS, SYNONYMS, WATERS
from holo_features.structures.structure import LeftOutAtom, RepeatedResidue

ALTERNATE = Path(__file__).parent / "alternate_locations.pdb"
EXAMPLES = {path.name.partition(".")[0]: path for path in example_structures()}


def names(structure):
    return structure.atoms.atom_name.tolist()


def as_mmcif(atoms):
    file, text = CIFFile(), io.StringIO()
    set_structure(file, atoms)
    file.write(text)
    return text.getvalue().encode()


def as_binarycif(atoms):
    file, content = BinaryCIFFile(), io.BytesIO()
    set_structure(file, atoms)
    file.write(content)
    return content.getvalue()


def as_pdb(atoms):
    file, text = PDBFile(), io.StringIO()
    file.set_structure(atoms)
    file.write(text)
    return text.getvalue().encode()


@pytest.mark.parametrize(
    ("suffix", "write"),
    [(".pdb", as_pdb), (".ENT", as_pdb), (".cif", as_mmcif), (".mmcif", as_mmcif), (".bcif", as_binarycif)],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_every_format_gives_the_same_atoms(tmp_path, suffix, write, zipped):
    source = read_structure(EXAMPLES["1zr0_B"])  # it has insertion codes
    content = write(source.atoms)
    path = tmp_path / f"1zr0_B{suffix}{'.gz' * zipped}"
    path.write_bytes(gzip.compress(content) if zipped else content)
    structure = read_structure(path)
    assert structure.name == "1zr0_B"
    assert structure.model == 1
    np.testing.assert_allclose(structure.atoms.coord, source.atoms.coord, atol=1e-5)
    for column in ("chain_id", "res_id", "ins_code", "res_name", "atom_name", "element"):
        expected = source.atoms.get_annotation(column)
        np.testing.assert_array_equal(structure.atoms.get_annotation(column), expected)


def test_the_first_model_is_read(write_pdb, residue):
    first, second = residue(), residue(shift=50.0)
    path = write_pdb("MODEL        3", *first, "ENDMDL", "MODEL        4", *second, "ENDMDL")
    structure = read_structure(path)
    assert structure.model == 3
    assert len(structure.atoms) == len(first)
    assert structure.atoms.coord[1].tolist() == [0, 0, 0]


def test_the_first_model_of_mmcif_is_read(tmp_path, write_pdb, residue):
    atoms = read_structure(write_pdb(*residue())).atoms
    lines = as_mmcif(atoms).decode().splitlines()
    column = [line.strip() for line in lines if line.startswith("_atom_site.")].index(
        "_atom_site.pdbx_PDB_model_num"
    )
    rows = [line.split() for line in lines if line.startswith("ATOM")]
    for row in rows:
        row[column] = "7"
    others = [[*row[:column], "8", *row[column + 1 :]] for row in rows]
    header = [line for line in lines if not line.startswith("ATOM")]
    end = len(header) - 1
    text = [*header[:end], *(" ".join(row) for row in rows + others), *header[end:]]
    path = tmp_path / "models.cif"
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    structure = read_structure(path)
    assert structure.model == 7
    assert len(structure.atoms) == len(atoms)


def test_alternate_locations():
    structure = read_structure(ALTERNATE)
    atoms = structure.atoms
    side_chain = atoms[(atoms.res_id == 1) & np.isin(atoms.atom_name, ["CB", "OG"])]
    assert side_chain.coord[:, 2].tolist() == pytest.approx([-1.2, -1.2])  # B, the more occupied
    alpha = atoms[(atoms.res_id == 2) & (atoms.atom_name == "CA")]
    assert alpha.coord[:, 2].tolist() == pytest.approx([0.1])  # a tie goes to A
    # An atom that A does not have comes from another conformer rather than to be missing.
    assert atoms[(atoms.res_id == 2)].atom_name.tolist() == ["N", "CA", "C", "O", "CB"]
    # Two residues at one place: only the more occupied one.
    assert set(atoms[atoms.res_id == 3].res_name.tolist()) == {"THR"}
    assert atoms[atoms.res_id == 3].atom_name.tolist() == ["N", "CA", "C", "O", "CG2"]


def test_alternate_locations_of_mmcif_are_those_of_pdb(tmp_path):
    source = PDBFile.read(ALTERNATE).get_structure(model=1, altloc="all", extra_fields=["occupancy"])
    file = CIFFile()
    set_structure(file, source)
    file.block["atom_site"]["label_alt_id"] = np.where(source.altloc_id == " ", ".", source.altloc_id)
    path = tmp_path / "alternate_locations.cif"
    file.write(path)
    expected, structure = read_structure(ALTERNATE), read_structure(path)
    assert names(structure) == names(expected)
    np.testing.assert_array_equal(structure.atoms.coord, expected.atoms.coord)


def test_water_hydrogen_ligands_and_ions_are_left_out(write_pdb, atom, residue):
    path = write_pdb(
        *residue(),
        atom("HA", (0.0, 0.0, 1.0)),
        atom("D", (0.0, 1.0, 1.0), element="D"),
        atom("C1", (3.0, 3.0, 3.0), residue="HEM", number=2, hetero=True),
        atom("O", (4.0, 4.0, 4.0), residue="HOH", number=3, hetero=True),
        atom("CA", (5.0, 5.0, 5.0), residue="CA", number=4, element="CA", hetero=True),
        atom("P", (6.0, 6.0, 6.0), residue="DA", number=5),
    )
    assert names(read_structure(path)) == ["N", "CA", "C", "O"]


def test_modified_residues_count_and_keep_their_elements():
    atoms = read_structure(EXAMPLES["2g77_B"]).atoms
    modified = atoms[atoms.res_name == "MSE"]
    assert modified.hetero.all()
    assert "SE" in modified.element
    methylated = read_structure(EXAMPLES["1yea_A"]).atoms
    assert "M3L" in methylated.res_name


def test_an_amino_acid_ligand_after_the_chain_is_no_residue(write_pdb, residue):
    chain = residue(number=1, residue="MSE", hetero=True)
    ligand = residue(number=301, residue="GLU", hetero=True, shift=9.0)
    assert set(read_structure(write_pdb(*chain, "TER", *ligand)).atoms.res_id.tolist()) == {1}
    # Without TER nothing tells the ligand from a residue of the chain.
    assert set(read_structure(write_pdb(*chain, *ligand)).atoms.res_id.tolist()) == {1, 301}


def test_what_is_known_without_the_dictionary_is_what_it_says():
    assert len(STANDARD_AMINO_ACIDS) == 20
    assert set(amino_acid_names()) >= set(STANDARD_AMINO_ACIDS)
    assert not WATERS & set(amino_acid_names())
    assert set(SYNONYMS.values()) == set(STANDARD_AMINO_ACIDS)
    assert not SYNONYMS.keys() & set(STANDARD_AMINO_ACIDS)


def test_residues_of_modeling_programs_count(write_pdb, residue):
    path = write_pdb(*residue(residue="HIE"), *residue(residue="CYX", number=2, shift=4.0))
    assert set(read_structure(path).atoms.res_name.tolist()) == {"HIS", "CYS"}


def test_blank_elements_are_inferred(write_pdb, residue, atom):
    lines = [line[:76] for line in residue()] + [atom("1HB", (0.0, 1.0, 1.0))[:76]]
    structure = read_structure(write_pdb(*lines))
    assert structure.atoms.element.tolist() == ["N", "C", "C", "O"]
    assert structure.left_out_atoms == ()


def test_blank_elements_of_ions_are_inferred(write_pdb, residue, atom):
    """By the residue's name, or by the column in which the atom's name begins."""
    calcium = atom("CA", (5.0, 5.0, 5.0), residue="CA", number=9, element="CA", hetero=True)[:76]
    iron = atom("FE", (8.0, 5.0, 5.0), residue="HEM", number=10, element="FE", hetero=True)[:76]
    atoms = read_structure(write_pdb(*residue(), calcium, iron), Selection(hetero=True)).atoms
    assert atoms.element.tolist() == ["N", "C", "C", "O", "CA", "FE"]


def test_blank_occupancies_are_allowed(write_pdb, residue):
    assert len(read_structure(write_pdb(*(line[:54] for line in residue()))).atoms) == 4


def test_unknown_elements_are_left_out_by_name(write_pdb, residue, atom):
    path = write_pdb(*residue(), atom("XD1", (1.0, 1.0, 1.0), residue="ALA", insertion=" ", element="X"))
    structure = read_structure(path)
    assert names(structure) == ["N", "CA", "C", "O"]
    assert structure.left_out_atoms == (
        LeftOutAtom(ResidueId("A", 1), "ALA", "XD1", "X", "its element 'X' is unknown"),
    )


def test_what_is_there_twice_is_named(write_pdb, residue):
    path = write_pdb(
        *residue(), *residue(), *residue(residue="GLY", shift=4.0), *residue(chain="B"), *residue()
    )
    structure = read_structure(path)
    alpha = structure.atoms[structure.atoms.atom_name == "CA"]
    assert alpha.res_name.tolist() == ["ALA", "GLY", "ALA"]
    assert alpha.chain_id.tolist() == ["A", "A", "B"]
    # Repeated at once it is one residue, whose atoms are there twice.
    assert [atom.atom_name for atom in structure.left_out_atoms] == ["N", "CA", "C", "O"]
    assert {atom.reason for atom in structure.left_out_atoms} == {
        "an earlier atom of its residue has its name"
    }
    # Another residue of that name is kept, unless it lies where the first one does.
    assert structure.repeated_residues == (
        RepeatedResidue(ResidueId("A", 1), "GLY", kept=True),
        RepeatedResidue(ResidueId("A", 1), "ALA", kept=False),
    )


def test_negative_and_large_residue_numbers(write_pdb, residue):
    path = write_pdb(*residue(number=-5), *residue(number="A000", shift=4.0))
    assert read_structure(path).atoms.res_id[[0, -1]].tolist() == [-5, 10000]


def test_author_names_in_latin_1_do_no_harm(tmp_path, residue):
    path = tmp_path / "old.pdb"
    path.write_bytes("\n".join(["AUTHOR    MÜLLER", *residue(), ""]).encode("latin-1"))
    assert len(read_structure(path).atoms) == 4


def test_model_numbers_written_by_hand(write_pdb, residue):
    assert read_structure(write_pdb("MODEL 12", *residue(), "ENDMDL")).model == 12


@pytest.mark.parametrize(("group", "counts"), [("ATOM", True), ("HETATM", False)])
def test_mmcif_without_sequence_numbers(tmp_path, write_pdb, residue, group, counts):
    """A residue without a place in the sequence is a ligand, unless the file calls it ATOM, as some programs do."""
    atoms = read_structure(write_pdb(*residue(), *residue(number=2, shift=4.0))).atoms
    file = CIFFile()
    set_structure(file, atoms)
    site = file.block["atom_site"]
    site["label_seq_id"] = np.where(atoms.res_id == 2, ".", "1")
    site["group_PDB"] = np.where(atoms.res_id == 2, group, "ATOM")
    path = tmp_path / "made.cif"
    file.write(path)
    assert (2 in read_structure(path).atoms.res_id) == counts
