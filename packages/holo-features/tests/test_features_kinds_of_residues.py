"""Residues as programs write them: what belongs to a chain, and the names of residues and chains."""

import csv
from pathlib import Path

import numpy as np
import pytest
from biotite.structure.io.pdb import PDBFile
from biotite.structure.io.pdbx import BinaryCIFFile, CIFFile, set_structure

from holo_features import Selection, alpha_carbons, neighborhoods, read_structure
from holo_features.cli.program import main
from holo_features.datasets import example_structures
from holo_features.readers.names import SYNONYMS

EXAMPLES = {path.name.partition(".")[0]: path for path in example_structures()}
TRACE = "neither N nor C"


@pytest.fixture(scope="module")
def selenomethionines():
    """Return a chain with selenomethionines, as in a file of the wwPDB."""
    return read_structure(EXAMPLES["2g77_B"]).atoms


def written(path, atoms, change=lambda site: None):
    """Write atoms as mmCIF or BinaryCIF, with a change of the table of atoms."""
    file = BinaryCIFFile() if path.suffix == ".bcif" else CIFFile()
    set_structure(file, atoms)
    change(file.block["atom_site"])
    file.write(path)
    return path


def residues(structure):
    atoms = structure.atoms[structure.atoms.amino_acid]
    columns = (atoms.chain_id, atoms.res_id, atoms.ins_code, atoms.res_name)
    return list(dict.fromkeys(zip(*(column.tolist() for column in columns), strict=True)))


# --------------------------------------------------------------------------------------- what belongs to a chain


@pytest.mark.parametrize("suffix", [".cif", ".bcif"])
@pytest.mark.parametrize("given", ["those of ATOM", "none", "in chains of their own"])
def test_modified_residues_without_sequence_numbers(tmp_path, selenomethionines, suffix, given):
    """Biopython and Biotite write no label_seq_id for HETATM rows, refinement programs for no row: bonds decide."""
    atoms = selenomethionines

    def change(site):
        numbers = atoms.res_id.astype(str)
        site["label_seq_id"] = np.where(atoms.hetero | (given == "none"), "?", numbers)
        if given == "in chains of their own":
            chains = np.where(atoms.hetero, "Z", atoms.chain_id)
            site["label_asym_id"] = site["auth_asym_id"] = chains

    structure = read_structure(written(tmp_path / f"made{suffix}", atoms, change))
    assert [name[1:] for name in residues(structure)] == [
        name[1:] for name in residues(read_structure(EXAMPLES["2g77_B"]))
    ]
    assert len(structure.atoms) == len(atoms)
    assert structure.remarks == ()


@pytest.mark.parametrize("place", [0, -1])
def test_a_modified_residue_at_an_end_after_ter(tmp_path, selenomethionines, place):
    """Some programs write all HETATM records after the chain's TER."""
    starts = np.flatnonzero(np.diff(selenomethionines.res_id, prepend=-999))
    names = selenomethionines.res_name[starts].tolist()
    at = [i for i, name in enumerate(names) if name == "MSE"][place]
    first, end = (starts[i] for i in ((at, at + 4) if place == 0 else (at - 3, at + 1)))
    part = selenomethionines[first:end]
    path = tmp_path / "made.pdb"
    file = PDBFile()
    file.set_structure(part)
    lines = [str(line) for line in file.lines]
    hetero = [line for line in lines if line.startswith("HETATM")]
    path.write_text(
        "\n".join([*(line for line in lines if line.startswith("ATOM")), "TER", *hetero, "END\n"])
    )
    structure = read_structure(path)
    assert len(residues(structure)) == 4
    assert structure.remarks == ()


def test_peptide_bonds_go_on_from_one_to_the_next(write_pdb, selenomethionines):
    """Of two consecutive modified residues, only one is bonded to residues that the file assigns to a chain."""
    part = selenomethionines[:30].copy()
    part = part[np.isin(part.res_id, np.unique(part.res_id)[:3])]
    last = part.res_id == part.res_id.max()
    part.hetero = part.res_id != part.res_id[0]
    file = PDBFile()
    file.set_structure(part)
    lines = [str(line) for line in file.lines]
    atoms = [line for line in lines if line.startswith("ATOM")]
    hetero = [line for line in lines if line.startswith("HETATM")]
    assert len(residues(read_structure(write_pdb(*atoms, "TER", *hetero)))) == 3
    assert last.any()


def test_an_amino_acid_that_is_no_residue_is_named(tmp_path, selenomethionines):
    ligand = selenomethionines[selenomethionines.res_id == selenomethionines.res_id[0]].copy()
    ligand.coord += 60
    ligand.res_id[:], ligand.hetero[:], ligand.res_name[:] = 900, True, "GLU"
    atoms = selenomethionines + ligand

    def change(site):
        site["label_seq_id"] = np.where(atoms.res_id == 900, ".", atoms.res_id.astype(str))

    structure = read_structure(written(tmp_path / "made.cif", atoms, change))
    assert 900 not in structure.atoms.res_id
    (remark,) = structure.remarks
    assert (remark.kind, remark.subject) == ("residue put aside", "B 900 GLU")


# -------------------------------------------------------------------------------------------- names of residues

HEAVY = {
    "HIS": "N CA C O CB CG ND1 CD2 CE1 NE2",
    "ASP": "N CA C O CB CG OD1 OD2",
    "GLU": "N CA C O CB CG CD OE1 OE2",
    "LYS": "N CA C O CB CG CD CE NZ",
    "CYS": "N CA C O CB SG",
    "ARG": "N CA C O CB CG CD NE CZ NH1 NH2",
    "TYR": "N CA C O CB CG CD1 CD2 CE1 CE2 CZ OH",
}
TWENTY_NAMED = {name: standard for name, standard in SYNONYMS.items() if standard in HEAVY and len(name) < 4}


@pytest.mark.parametrize(("name", "standard"), TWENTY_NAMED.items())
@pytest.mark.parametrize("hetero", [False, True])
def test_names_of_force_fields_are_the_dictionarys(write_pdb, atom, name, standard, hetero):
    lines = [
        atom(atom_name, (1.45 * i, 0.3 * i, 0.0), residue=name, hetero=hetero)
        for i, atom_name in enumerate(HEAVY[standard].split())
    ]
    structure = read_structure(write_pdb(*lines))
    assert set(structure.atoms.res_name.tolist()) == {standard}
    assert [(remark.kind, remark.count) for remark in structure.remarks] == [("residue renamed", 1)]


@pytest.mark.parametrize(
    ("name", "atoms"),
    [
        ("HIP", "N CA CB CG CD2 NE2 CE1 ND1 P O1P O2P O3P C O"),  # a phosphohistidine
        ("LYN", "N CA CB CG CD CE NZ C O NT"),  # an amide
        ("HSE", "N CA C C3 O C4 O3"),  # homoserine
        ("CYM", "N CA CB SG CD C O"),  # S-methylcysteine
        ("GLH", "N CA CB C CG CD OE1 N1 O O1"),
        ("MSE", "N CA C O CB CG SE CE"),
        ("SEP", "N CA CB OG C O P O1P O2P O3P"),
    ],
)
def test_residues_that_the_dictionary_knows_as_others_keep_their_names(write_pdb, atom, name, atoms):
    lines = [
        atom(atom_name, (1.45 * i, 0.3 * i, 0.0), residue=name, element="SE" if atom_name == "SE" else None)
        for i, atom_name in enumerate(atoms.split())
    ]
    structure = read_structure(write_pdb(*lines))
    assert set(structure.atoms.res_name.tolist()) == {name}
    assert structure.remarks == ()


@pytest.mark.parametrize(("name", "atoms"), [("HSD", "N1 C1 C2 O1"), ("CYX", "C1 C2 P7 O8")])
def test_ligands_of_the_dictionary_with_a_force_fields_name_are_ligands(
    write_pdb, atom, residue, name, atoms
):
    ligand = [
        atom(atom_name, (9.0, 1.5 * i, 0.0), residue=name, number=2, hetero=True)
        for i, atom_name in enumerate(atoms.split())
    ]
    structure = read_structure(write_pdb(*residue(), *ligand), Selection(hetero=True))
    assert set(structure.atoms.res_name[~structure.atoms.amino_acid].tolist()) == {name}


def test_names_in_mmcif(tmp_path):
    atoms = read_structure(EXAMPLES["1ten_A"]).atoms
    changed = atoms.copy()
    changed.res_name = np.where(
        atoms.res_name == "GLU", "GLUP", np.where(atoms.res_name == "HIS", "HSD", atoms.res_name)
    )
    structure = read_structure(written(tmp_path / "made.cif", changed))
    assert structure.atoms.res_name.tolist() == atoms.res_name.tolist()
    assert sum(remark.count for remark in structure.remarks) == len(
        np.unique(atoms.res_id[np.isin(atoms.res_name, ["GLU", "HIS"])])
    )


def test_what_has_no_name_is_known_by_its_backbone(write_pdb, residue):
    """A residue unknown to the dictionary, whose N, CA and C are bonded, and atoms of such names that are not."""
    known = write_pdb(*residue(residue="XYZ"))
    assert len(read_structure(known).atoms) == 4
    apart = [line[:30] + f"{9.0 * i:8.3f}" + line[38:] for i, line in enumerate(residue(residue="XYZ"))]
    structure = read_structure(write_pdb(*apart, *residue(number=2)), Selection(hetero=True))
    assert structure.atoms.amino_acid.tolist() == [False] * 4 + [True] * 4


# ------------------------------------------------------------------------------------------------ traces of Cα


@pytest.fixture
def trace(tmp_path):
    atoms = read_structure(EXAMPLES["1ten_A"]).atoms
    path = tmp_path / "trace.pdb"
    file = PDBFile()
    file.set_structure(atoms[atoms.atom_name == "CA"])
    file.write(path)
    return path


def test_a_trace_is_read_but_has_no_surroundings(trace):
    structure = read_structure(trace)
    centers = alpha_carbons(structure)
    assert len(centers) == 0
    assert len(centers.skipped) == len(structure.atoms)
    assert {TRACE in skipped.reason for skipped in centers.skipped} == {True}


def test_structures_of_a_trace_end_with_status_1(trace, tmp_path, capsys):
    assert (
        main(["structures", str(trace), "--out", str(tmp_path / "out.h5"), "--lmax", "2", "--nmax", "2"]) == 1
    )
    with (tmp_path / "out.skipped.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(TRACE in row["reason"] and row["residue"] != "" for row in rows) == len(
        read_structure(trace).atoms
    )
    assert TRACE in capsys.readouterr().err


def test_one_residue_without_its_backbone_is_skipped_alone(write_pdb, residue, atom):
    path = write_pdb(*residue(), atom("CA", (3.8, 0.0, 0.0), number=2), *residue(number=3, shift=7.6))
    structure = read_structure(path)
    assert alpha_carbons(structure).index["residue_number"].tolist() == [1, 3]
    assert len(neighborhoods(structure)) == 2


def test_backbones_alone_have_surroundings(tmp_path):
    """RFdiffusion writes N, CA, C and O, with glycine throughout."""
    atoms = read_structure(EXAMPLES["1ten_A"]).atoms
    backbone = atoms[np.isin(atoms.atom_name, ["N", "CA", "C", "O"])]
    backbone.res_name[:] = "GLY"
    file = PDBFile()
    file.set_structure(backbone)
    path = Path(tmp_path, "design.pdb")
    file.write(path)
    assert len(neighborhoods(read_structure(path))) == len(np.unique(atoms.res_id))


# ---------------------------------------------------------------------------------- chains and names of PDB columns


@pytest.fixture(scope="module")
def records():
    """Return the first 30 residues of a chain A as PDB records."""
    atoms = read_structure(EXAMPLES["1ten_A"]).atoms
    file = PDBFile()
    atoms = atoms[atoms.res_id < atoms.res_id[0] + 30]
    atoms.chain_id[:] = "A"
    file.set_structure(atoms)
    return [str(line).ljust(80) for line in file.lines if str(line).startswith("ATOM")]


def put(lines, column, value):
    """Overwrite columns, counted from 1."""
    return [line[: column - 1] + value + line[column - 1 + len(value) :] for line in lines]


def moved(lines, x):
    return [line[:30] + f"{float(line[30:38]) + x:8.3f}" + line[38:] for line in lines]


def lines_of(lines, residue_name):
    return [line for line in lines if line[17:20] == residue_name]


@pytest.mark.parametrize("ter", [True, False])
@pytest.mark.parametrize(
    ("one", "other"), [("AA", "BA"), ("BA", "HA"), ("1A", "2A"), (" A", "AA"), ("AA", "AB")]
)
def test_chains_of_two_letters(write_pdb, records, ter, one, other):
    """This holds even if the residue name and the first letter form a force field's name, such as HISB."""
    path = write_pdb(
        *put(records, 21, one),
        *(["TER"] if ter or one == " A" else []),
        *moved(put(records, 21, other), 60.0),
    )
    structure = read_structure(path)
    assert {name[0] for name in residues(structure)} == {one.strip(), other}
    assert len(residues(structure)) == 60
    assert structure.repeated_residues == ()
    assert {name[3] for name in residues(structure)} <= {line[17:20] for line in records}
    assert set(read_structure(path, Selection(chains=other)).atoms.chain_id.tolist()) == {other}


def test_ligands_of_a_chain_of_two_letters(write_pdb, records, atom):
    heme = put([atom("C1", (90.0, 0.0, 0.0), residue="HEM", number=900, hetero=True)], 21, "AA")
    path = write_pdb(*put(records, 21, "AA"), "TER", *heme)
    atoms = read_structure(path, Selection(hetero=True)).atoms
    assert set(
        zip(
            atoms.chain_id[~atoms.amino_acid].tolist(),
            atoms.res_name[~atoms.amino_acid].tolist(),
            strict=True,
        )
    ) == {("AA", "HEM")}


@pytest.mark.parametrize("name", ["TIP3", "POPC", "LIG1"])
def test_names_of_four_letters_beside_a_chain(write_pdb, records, atom, name):
    """An unknown ligand keeps three letters, and the chain is that of the protein."""
    other = put([atom("C1", (90.0, 0.0, 0.0), number=900, hetero=True)], 18, name)
    atoms = read_structure(write_pdb(*records, "TER", *other), Selection(hetero=True, waters=True)).atoms
    last = atoms[~atoms.amino_acid]
    assert (last.chain_id[0], last.res_name[0]) == ("A", "LIG" if name == "LIG1" else name)
    assert bool(last.water[0]) == (name == "TIP3")


@pytest.mark.parametrize(
    ("usual", "names"),
    [("LYS", ["LYSH", "CLYS"]), ("ASP", ["ASPH", "ASPP", "NASP"]), ("GLU", ["GLUP", "GLUH"])],
)
def test_amino_acids_of_four_letters(write_pdb, records, usual, names):
    assert lines_of(records, usual)
    for name in names:
        lines = [line[:17] + name + line[21:] if line[17:20] == usual else line for line in records]
        structure = read_structure(write_pdb(*lines))
        assert residues(structure) == residues(read_structure(write_pdb(*records)))
        assert {remark.kind for remark in structure.remarks} == {"residue renamed"}


def test_a_letter_in_column_21_of_some_residues_is_ignored(write_pdb, records):
    """The format has nothing there."""
    lines = [line[:20] + "X" + line[21:] if line[22:26].strip().endswith("7") else line for line in records]
    assert residues(read_structure(write_pdb(*lines))) == residues(read_structure(write_pdb(*records)))


@pytest.mark.parametrize("chain", [" ", "A"])
@pytest.mark.parametrize("names", [("PROA", "PROB"), ("A", "B"), ("SEG1", "WAT"), ("P1", "")])
def test_segments(write_pdb, records, chain, names):
    """The segment replaces a blank chain, or one with repeated residues; without a segment, the chain is kept."""
    one, other = (put(put(records, 22, chain), 73, f"{name:<4}") for name in names)
    structure = read_structure(write_pdb(*one, *moved(other, 60.0)))
    expected = {names[0], names[1] or chain.strip()}
    assert {name[0] for name in residues(structure)} == (expected if names[1] else {names[0], chain.strip()})
    assert structure.repeated_residues == ()


def test_segments_of_chains_that_tell_residues_apart_are_not_read(write_pdb, records):
    one, other = put(records, 73, "PROA"), put(put(records, 22, "B"), 73, "PROB")
    structure = read_structure(write_pdb(*one, *moved(other, 60.0)))
    assert {name[0] for name in residues(structure)} == {"A", "B"}
    water = put(put([line.replace("ATOM  ", "HETATM") for line in records[:1]], 23, " 999"), 73, "SOLV")
    assert {name[0] for name in residues(read_structure(write_pdb(*one, *moved(water, 60.0))))} == {"A"}


@pytest.mark.parametrize("chain", [" ", "A"])
def test_the_entry_beside_line_numbers_is_no_segment(write_pdb, records, chain):
    """The entry's name and line numbers, as in files from before 1996."""
    lines = [f"{line[:21]}{chain}{line[22:72]}1TEN{i:>4}" for i, line in enumerate(records, start=1)]
    structure = read_structure(write_pdb(*lines))
    assert {name[0] for name in residues(structure)} == {chain.strip()}
    assert structure.atoms.element.tolist() == [line[76:78].strip() for line in records]


# ---------------------------------------------------------------------------------------------------- five digits


def numbered(lines, numbers, code=""):
    """Number residues with up to five digits, the fifth in column 27."""
    names = list(dict.fromkeys(line[22:27] for line in lines))
    of = dict(zip(names, numbers, strict=True))
    return [
        f"{line[:22]}{of[line[22:27]]:>4}{code}".ljust(27) + line[27:]
        if of[line[22:27]] <= 9999
        else f"{line[:22]}{of[line[22:27]]:>5}{line[27:]}"
        for line in lines
    ]


@pytest.mark.parametrize(
    "numbers", [range(9985, 10015), range(9990, 10020), [*range(9970, 9999), 10003], range(2, 32)]
)
def test_a_fifth_digit_after_a_rise_past_9999(write_pdb, records, numbers):
    structure = read_structure(write_pdb(*numbered(records, numbers)))
    assert [name[1:3] for name in residues(structure)] == [(number, "") for number in numbers]


def test_each_chain_rises_for_itself(write_pdb, records):
    one, other = (
        numbered(records, range(9990, 10020)),
        moved(put(numbered(records, range(9980, 10010)), 22, "B"), 60.0),
    )
    names = residues(read_structure(write_pdb(*one, *other)))
    assert [name[1] for name in names] == [*range(9990, 10020), *range(9980, 10010)]
    assert {name[2] for name in names} == {""}


@pytest.mark.parametrize("number", [52, 1000, 1003])
def test_digits_that_are_insertion_codes(write_pdb, records, number):
    """Old entries have such insertion codes, without a rise past 9999 before them."""
    first, second = (lines for lines in (records[:8], records[8:]))
    lines = [*put(first, 23, f"{number:>4} "), *put(second[:8], 23, f"{number:>4}1")]
    names = residues(read_structure(write_pdb(*lines)))
    assert [name[1:3] for name in names] == [(number, ""), (number, "1")]


def test_residues_of_five_digits_are_found(tmp_path, write_pdb, records):
    path = write_pdb(*numbered(records, range(9990, 10020)))
    out = str(tmp_path / "out.h5")
    options = ["--lmax", "1", "--nmax", "1", "--residues", "A:10003"]
    assert main(["structures", str(path), "--out", out, *options]) == 0
