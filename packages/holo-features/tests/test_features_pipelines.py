"""Structures as today's predictors and simulation programs write them: the same atoms, whatever their habits.

Each writer below is made after the source or the documentation of its program: which records, columns and names it
has, in which alignment. All are given the same chain, and most a ligand of three atoms and two waters.
"""

from pathlib import Path

import numpy as np
import pytest

from holo_features import Selection, read_structure
from holo_features.datasets import example_structures

EXAMPLE = {path.name.partition(".")[0]: path for path in example_structures()}["1ten_A"]
LIGAND = [("C1", "C", 90.0), ("C2", "C", 91.5), ("O1", "O", 92.7)]
WATERS = [95.0, 99.0]


@pytest.fixture(scope="module")
def chain():
    atoms = read_structure(EXAMPLE).atoms
    atoms.res_id -= atoms.res_id[0] - 1
    return atoms[atoms.atom_name != "OXT"]


def line(name, residue, chain_number, xyz, *, record="ATOM", tail="  1.00 20.00", end=""):
    """A PDB line from its parts; the name is as the program aligns it, chain and number are columns 21 to 30."""
    place = "".join(f"{value:8.3f}" for value in xyz)
    return f"{record:<6}{1:>5} {name:<4}{residue:>4}{chain_number}{place}{tail}{end}"


def usual(name):
    return f" {name:<3}" if len(name) < 4 else name


def rows(chain):
    columns = (chain.atom_name, chain.res_name, chain.res_id, chain.element, chain.coord)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def esmfold(chain):
    """A line PARENT first, certainty from 0 to 1."""
    lines = [
        line(usual(n), f" {r}", f" A{i:>4}    ", xyz, tail="  1.00  0.87", end=f"           {e}  ")
        for n, r, i, e, xyz in rows(chain)
    ]
    return ["PARENT N/A", *lines, "TER", "END"], "A", False


def rfdiffusion(chain):
    """No elements."""
    return (
        [
            line(usual(n), f" {r}", f" A{i:>4}    ", xyz, tail="  1.00  0.00")
            for n, r, i, _, xyz in rows(chain)
        ],
        "A",
        False,
    )


def gromacs(chain):
    """No chain; waters SOL with OW; CRYST1 and MODEL."""
    body = [
        line(usual(n), f" {r}", f"  {i:>4}    ", xyz, end=f"           {e}")
        for n, r, i, e, xyz in rows(chain)
    ]
    body += [line(usual(n), " LIG", "   500    ", (x, 0, 0), end=f"           {e}") for n, e, x in LIGAND]
    body += [
        line(" OW ", " SOL", f"  {600 + k:>4}    ", (x, 0, 0), end="           O")
        for k, x in enumerate(WATERS)
    ]
    return (
        [
            "TITLE     t=   0.0",
            "CRYST1   60.000   60.000   60.000  90.00  90.00  90.00 P 1           1",
            "MODEL        1",
            *body,
            "TER",
            "ENDMDL",
        ],
        "",
        True,
    )


def charmm_gui(chain):
    """Segments, no elements, HSD, TIP3 with OH2, CD of isoleucine, oxygens of the end OT1 and OT2."""
    names = {"HIS": "HSD"}

    def of(name, residue):
        return "CD" if (name, residue) == ("CD1", "ILE") else name

    body = [
        line(usual(of(n, r)), f" {names.get(r, r)}", f" P{i:>4}    ", xyz, tail="  1.00  0.00      PROA")
        for n, r, i, _, xyz in rows(chain)
    ]
    body += [
        line(usual(n), " LIG", " H   1    ", (x, 0, 0), tail="  1.00  0.00      HETA") for n, _, x in LIGAND
    ]
    body += [
        line(" OH2", " TIP", f"3W{k + 1:>4}    ", (x, 0, 0), tail="  1.00  0.00      WATA")
        for k, x in enumerate(WATERS)
    ]
    return [*body, "END"], "P", True


def amber(chain):
    """No chain, HIE and CYX, waters WAT, residues numbered on."""
    names = {"HIS": "HIE", "CYS": "CYX"}
    body = [
        line(
            usual(n),
            f" {names.get(r, r)}",
            f"  {i:>4}    ",
            xyz,
            tail="  1.00  0.00",
            end=f"          {e:>2}",
        )
        for n, r, i, e, xyz in rows(chain)
    ]
    body += ["TER"] + [
        line(usual(n), " LIG", "   500    ", (x, 0, 0), end=f"          {e:>2}") for n, e, x in LIGAND
    ]
    for k, x in enumerate(WATERS):
        body += ["TER", line(" O  ", " WAT", f"  {501 + k:>4}    ", (x, 0, 0), end="           O")]
    return [*body, "TER", "END"], "", True


def left_aligned(chain):
    """As the ESM Atlas and some scripts align names and elements."""
    return (
        [
            line(f"{n:<4}", f" {r}", f" A{i:>4}    ", xyz, end=f"          {e:<2}")
            for n, r, i, e, xyz in rows(chain)
        ],
        "A",
        False,
    )


def cif(columns, values, before=()):
    body = ["data_model", *before, "#", "loop_", *(f"_atom_site.{name}" for name in columns)]
    return [*body, *(" ".join(str(v) for v in row) for row in values), "#"]


METRIC = [
    "#",
    "loop_",
    "_ma_qa_metric.id",
    "_ma_qa_metric.mode",
    "_ma_qa_metric.name",
    "_ma_qa_metric.software_group_id",
    "_ma_qa_metric.type",
    "1 global pLDDT 1 pLDDT",
    "2 local pLDDT 1 pLDDT",
]


def alphafold(chain):
    names = [
        "group_PDB",
        "id",
        "type_symbol",
        "label_atom_id",
        "label_alt_id",
        "label_comp_id",
        "label_asym_id",
        "label_entity_id",
        "label_seq_id",
        "pdbx_PDB_ins_code",
        "Cartn_x",
        "Cartn_y",
        "Cartn_z",
        "occupancy",
        "B_iso_or_equiv",
        "pdbx_formal_charge",
        "auth_seq_id",
        "auth_comp_id",
        "auth_asym_id",
        "auth_atom_id",
        "pdbx_PDB_model_num",
        "pdbx_sifts_xref_db_acc",
    ]
    values = [
        ("ATOM", k, e, n, ".", r, "A", 1, i, "?", *xyz, "1.0", "91.24", "?", i, r, "A", n, 1, "P0A000")
        for k, (n, r, i, e, xyz) in enumerate(rows(chain), 1)
    ]
    return cif(names, values, METRIC), "A", False


def alphafold3(chain):
    """Ligands have a number of the authors, no label_seq_id; no insertion code, no charge."""
    names = [
        "group_PDB",
        "id",
        "type_symbol",
        "label_atom_id",
        "label_alt_id",
        "label_comp_id",
        "label_asym_id",
        "label_entity_id",
        "label_seq_id",
        "pdbx_PDB_ins_code",
        "Cartn_x",
        "Cartn_y",
        "Cartn_z",
        "occupancy",
        "B_iso_or_equiv",
        "auth_seq_id",
        "auth_asym_id",
        "pdbx_PDB_model_num",
    ]
    values = [
        ("ATOM", 1, e, n, ".", r, "A", 1, i, "?", *xyz, "1.00", "88.1", i, "A", 1)
        for n, r, i, e, xyz in rows(chain)
    ]
    values += [
        ("HETATM", 1, e, n, ".", "LIG_B", "B", 2, ".", "?", x, 0, 0, "1.00", "70.2", 1, "B", 1)
        for n, e, x in LIGAND
    ]
    values += [
        ("HETATM", 1, "O", "O", ".", "HOH", "C", 3, ".", "?", x, 0, 0, "1.00", "70.2", 1 + k, "C", 1)
        for k, x in enumerate(WATERS)
    ]
    return cif(names, values, METRIC), "A", True


def boltz(chain):
    """python-modelcif's order of columns; ligands with label_seq_id '.' and no number of the authors."""
    names = [
        "group_PDB",
        "id",
        "type_symbol",
        "label_atom_id",
        "label_alt_id",
        "label_comp_id",
        "label_seq_id",
        "auth_seq_id",
        "pdbx_PDB_ins_code",
        "label_asym_id",
        "Cartn_x",
        "Cartn_y",
        "Cartn_z",
        "occupancy",
        "label_entity_id",
        "auth_asym_id",
        "auth_comp_id",
        "B_iso_or_equiv",
        "pdbx_PDB_model_num",
    ]
    values = [
        ("ATOM", 1, e, n, ".", r, i, i, "?", "A", *xyz, 1, 1, "A", r, "93.0", 1)
        for n, r, i, e, xyz in rows(chain)
    ]
    values += [
        ("HETATM", 1, e, n, ".", "LIG", ".", ".", "?", "B", x, 0, 0, 1, 2, "B", "LIG", "66.6", 1)
        for n, e, x in LIGAND
    ]
    values += [
        ("HETATM", 1, "O", "O", ".", "HOH", ".", ".", "?", "C", x, 0, 0, 1, 3, "C", "HOH", "66.6", 1)
        for x in WATERS
    ]
    return cif(names, values), "A", True


def chimerax(chain):
    """Waters and ligands numbered by the authors, '?' for what is open, names in quotes."""
    names = [
        "group_PDB",
        "id",
        "type_symbol",
        "label_atom_id",
        "label_alt_id",
        "label_comp_id",
        "label_asym_id",
        "label_entity_id",
        "label_seq_id",
        "Cartn_x",
        "Cartn_y",
        "Cartn_z",
        "auth_asym_id",
        "auth_seq_id",
        "pdbx_PDB_ins_code",
        "occupancy",
        "B_iso_or_equiv",
        "pdbx_PDB_model_num",
    ]
    values = [
        ("ATOM", 1, e, f'"{n}"', "?", r, "A", 1, i, *xyz, "A", i, "?", "1.00", "20.0", 1)
        for n, r, i, e, xyz in rows(chain)
    ]
    values += [
        ("HETATM", 1, e, n, "?", "LIG", "B", 2, "?", x, 0, 0, "A", 501, "?", "1.00", "20.0", 1)
        for n, e, x in LIGAND
    ]
    values += [
        ("HETATM", 1, "O", "O", "?", "HOH", "C", 3, "?", x, 0, 0, "A", 601 + k, "?", "1.00", "20.0", 1)
        for k, x in enumerate(WATERS)
    ]
    return cif(names, values), "A", True


def refined(chain):
    """Refinement programs: label_seq_id open in all rows, and rows of two lines."""
    names = [
        "group_PDB",
        "id",
        "label_atom_id",
        "label_alt_id",
        "label_comp_id",
        "auth_asym_id",
        "auth_seq_id",
        "pdbx_PDB_ins_code",
        "Cartn_x",
        "Cartn_y",
        "Cartn_z",
        "occupancy",
        "B_iso_or_equiv",
        "type_symbol",
        "pdbx_formal_charge",
        "label_asym_id",
        "label_entity_id",
        "label_seq_id",
    ]
    values = [
        ("ATOM", 1, n, ".", r, "A", i, "?", *xyz, "\n1.00", "20.0", e, "?", "A", "?", "?")
        for n, r, i, e, xyz in rows(chain)
    ]
    values += [
        ("HETATM", 1, n, ".", "LIG", "A", 501, "?", x, 0, 0, "\n1.00", "20.0", e, "?", "B", "?", "?")
        for n, e, x in LIGAND
    ]
    values += [
        ("HETATM", 1, "O", ".", "HOH", "A", 601 + k, "?", x, 0, 0, "\n1.00", "20.0", "O", "?", "C", "?", "?")
        for k, x in enumerate(WATERS)
    ]
    return cif(names, values), "A", True


WRITERS = [
    esmfold,
    rfdiffusion,
    gromacs,
    charmm_gui,
    amber,
    left_aligned,
    alphafold,
    alphafold3,
    boltz,
    chimerax,
    refined,
]


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
def test_what_pipelines_write(tmp_path, chain, writer):
    lines, name, more = writer(chain)
    path = Path(tmp_path, "made.cif" if lines[0].startswith("data_") else "made.pdb")
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    structure = read_structure(path, Selection(hetero=True, waters=True))
    atoms = structure.atoms
    protein, others = atoms[atoms.amino_acid], atoms[~atoms.amino_acid]
    assert protein.res_name.tolist() == chain.res_name.tolist()
    assert protein.res_id.tolist() == chain.res_id.tolist()
    assert protein.element.tolist() == chain.element.tolist()
    assert set(protein.chain_id.tolist()) == {name}
    np.testing.assert_allclose(protein.coord, chain.coord, atol=1e-3)
    assert others.element.tolist() == (["C", "C", "O", "O", "O"] if more else [])
    assert np.count_nonzero(others.water) == (2 if more else 0)
    assert structure.repeated_residues == ()
    assert structure.has_plddt == (writer in (alphafold, alphafold3))
    assert {remark.kind for remark in structure.remarks} <= {"residue renamed"}
