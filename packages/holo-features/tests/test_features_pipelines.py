"""Structures as today's predictors and simulation programs write them: the same atoms, whatever their habits.

Each writer below is made after the source or the documentation of its program: which records, columns and names it
has, in which alignment. All are given the same chain, and most a ligand of three atoms and two waters.
"""

from pathlib import Path

import numpy as np
import pytest
from biotite.structure.io import pdbx

from holo_features import Selection, read_structure
from holo_features.datasets import example_structures

EXAMPLE = {path.name.partition(".")[0]: path for path in example_structures()}["1ten_A"]
BACKBONE = ("N", "CA", "C", "O")
LIGAND = [("C1", "C", 90.0), ("C2", "C", 91.5), ("O1", "O", 92.7)]
WATERS = [95.0, 99.0]


@pytest.fixture(scope="module")
def chain():
    atoms = read_structure(EXAMPLE).atoms
    atoms.res_id -= atoms.res_id[0] - 1
    return atoms[atoms.atom_name != "OXT"]


def line(name, residue, chain_number, xyz, *, record="ATOM", tail="  1.00 20.00", end=""):
    """Return a PDB line; the name is aligned as the program does it, chain and number are columns 21 to 30."""
    place = "".join(f"{value:8.3f}" for value in xyz)
    return f"{record:<6}{1:>5} {name:<4}{residue:>4}{chain_number}{place}{tail}{end}"


def usual(name):
    return f" {name:<3}" if len(name) < 4 else name


def rows(chain):
    columns = (chain.atom_name, chain.res_name, chain.res_id, chain.element, chain.coord)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def esmfold(chain):
    """Write a PARENT line first, and confidences from 0 to 1."""
    lines = [
        line(usual(n), f" {r}", f" A{i:>4}    ", xyz, tail="  1.00  0.87", end=f"           {e}  ")
        for n, r, i, e, xyz in rows(chain)
    ]
    return ["PARENT N/A", *lines, "TER", "END"], "A", False


def rfdiffusion(chain):
    """Write no elements."""
    return (
        [
            line(usual(n), f" {r}", f" A{i:>4}    ", xyz, tail="  1.00  0.00")
            for n, r, i, _, xyz in rows(chain)
        ],
        "A",
        False,
    )


def gromacs(chain):
    """Write no chain; waters are SOL with OW; CRYST1 and MODEL records."""
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
    """Write segments, no elements, HSD, TIP3 with OH2, CD of isoleucine, and OT1 and OT2 at the end."""
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
    """Write no chain, HIE and CYX, waters as WAT, and consecutive residue numbers."""
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
    """Align names and elements as the ESM Atlas and some scripts do."""
    return (
        [
            line(f"{n:<4}", f" {r}", f" A{i:>4}    ", xyz, end=f"          {e:<2}")
            for n, r, i, e, xyz in rows(chain)
        ],
        "A",
        False,
    )


def ligand_mpnn(chain):
    """Write backbones of the designed sequence with confidences by ProDy; ProteinMPNN itself writes sequences."""
    return (
        [
            "REMARK AtomGroup 1TEN + AtomGroup LIG",
            *(
                line(usual(n), f" {r}", f" A{i:>4}    ", xyz, tail="  1.00  0.43", end=f"           {e}  ")
                for n, r, i, e, xyz in rows(chain)
                if n in BACKBONE
            ),
            *(
                line(usual(n), " LIG", " B   1    ", (x, 0, 0), record="HETATM", end=f"          {e:>2}  ")
                for n, e, x in LIGAND
            ),
            *(
                line(usual("O"), " HOH", f" C{k:>4}    ", (x, 0, 0), record="HETATM", end="           O  ")
                for k, x in enumerate(WATERS, 1)
            ),
            "END",
        ],
        "A",
        True,
    )


def pymol(chain):
    """For a molecule loaded as mmCIF, the segment is its label_asym_id; bonds of ligands and charges are written."""
    body = [
        line(usual(n), f" {r}", f" A{i:>4}    ", xyz, end=f"      A    {e:>2}  ")
        for n, r, i, e, xyz in rows(chain)
    ]
    body += ["TER   9001      LEU A   9"]
    body += [
        line(usual(n), " LIG", " A 501    ", (x, 0, 0), record="HETATM", end=f"      B    {e:>2}{charge:>2}")
        for (n, e, x), charge in zip(LIGAND, ("", "", "1-"), strict=True)
    ]
    body += [
        line(usual("O"), " HOH", f" A{601 + k:>4}    ", (x, 0, 0), record="HETATM", end="      C     O  ")
        for k, x in enumerate(WATERS)
    ]
    crystal = "CRYST1   60.000   60.000   60.000  90.00  90.00  90.00 P 1           1"
    return [crystal, *body, "CONECT 9002 9003", "CONECT 9003 9002 9004", "END"], "A", True


def pdb_redo(chain):
    """Write Refmac's own records, and ANISOU after each atom."""
    body = []
    for n, r, i, e, xyz in rows(chain):
        atom = line(usual(n), f" {r}", f" A{i:>4}    ", xyz, end=f"          {e:>2}")
        anisotropic = "   2406   1892   1614    198    519   -328"
        body += [atom, f"ANISOU{atom[6:28]}{anisotropic}      {e:>2}"]
    body += ["TER    9001      LEU A   9"]
    body += [
        line(usual(n), " LIG", " A 501    ", (x, 0, 0), record="HETATM", end=f"          {e:>2}")
        for n, e, x in LIGAND
    ]
    body += [
        line(usual("O"), " HOH", f" A{601 + k:>4}    ", (x, 0, 0), record="HETATM", end="           O")
        for k, x in enumerate(WATERS)
    ]
    before = [
        "HEADER    CELL ADHESION                           01-JAN-90   0XXX",
        "REMARK   3   REFINEMENT.",
        "REMARK   3   PROGRAM     : REFMAC 5.8.0405",
        "LINKR        ASN A   9                 NAG A 501                ASN-NAG",
        "CISPEP   1 SER A    2    PRO A    3          0.00",
    ]
    return [*before, *body, "END"], "A", True


def cif(columns, values, before=(), after=()):
    body = ["data_model", *before, "#", "loop_", *(f"_atom_site.{name}" for name in columns)]
    return [*body, *(" ".join(str(v) for v in row) for row in values), "#", *after]


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
    """Ligands have an authors' number but no label_seq_id; no insertion code, no charge."""
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


MODELCIF = [
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


def boltz(chain):
    """Write python-modelcif's order of columns; ligands have label_seq_id '.' and no authors' number."""
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
    return cif(MODELCIF, values), "A", True


def chai(chain):
    """Write another version of python-modelcif: metrics come after the atoms, and there are no authors' names."""
    names = [name for name in MODELCIF if name != "auth_comp_id"]
    values = [
        ("ATOM", k, e, n, ".", r, i, i, "?", "A", *xyz, ".", 1, "A", "93.0", 1)
        for k, (n, r, i, e, xyz) in enumerate(rows(chain), 1)
    ]
    values += [
        ("HETATM", 1, e, n, ".", "LIG", ".", 1, "?", "B", x, 0, 0, ".", 2, "B", "66.6", 1)
        for n, e, x in LIGAND
    ]
    values += [
        ("HETATM", 1, "O", "O", ".", "HOH", ".", k, "?", "C", x, 0, 0, ".", 3, "C", "66.6", 1)
        for k, x in enumerate(WATERS, 1)
    ]
    metric = [
        "loop_",
        *(
            f"_ma_qa_metric.{name}"
            for name in (
                "id",
                "name",
                "description",
                "type",
                "mode",
                "type_other_details",
                "software_group_id",
            )
        ),
        "1 pLDDT 'Predicted lddt' pLDDT local . .",
        "#",
    ]
    return cif(names, values, after=metric), "A", True


def pymol_cif(chain):
    """Write the authors' chain and the labels' number, also for ligands and waters, after a comment."""
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
        "auth_asym_id",
        "pdbx_PDB_model_num",
    ]
    values = [
        ("ATOM  ", 1, e, n, ".", r, ".", "?", i, "?", *xyz, "1.00", " 20.00", 0, "A", 1)
        for n, r, i, e, xyz in rows(chain)
    ]
    values += [
        ("HETATM", 1, e, n, ".", "LIG", ".", "?", 501, "?", x, 0, 0, "1.00", " 20.00", -1, "A", 1)
        for n, e, x in LIGAND
    ]
    values += [
        ("HETATM", 1, "O", "O", ".", "HOH", ".", "?", 601 + k, "?", x, 0, 0, "1.00", " 20.00", 0, "A", 1)
        for k, x in enumerate(WATERS)
    ]
    return ["# generated by PyMOL 3.0.0", *cif(names, values)], "A", True


def pdb_redo_cif(chain):
    """Write padded columns, quotes around names with a prime, and a second loop of the same atoms."""
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
    ]

    def row(residue, ids, author, atom, xyz):
        element, name = atom
        known = (1, element, name, ".", residue, *ids, "?", *xyz)
        return (*known, "1.00", "20.00", "?", author, residue, "A", name, 1)

    values = [("ATOM  ", *row(r, ("A", 1, i), i, (e, f"{n:<5}"), xyz)) for n, r, i, e, xyz in rows(chain)]
    values += [("HETATM", *row("LIG", ("B", 2, "."), 501, (e, f'"{n}\'"'), (x, 0, 0))) for n, e, x in LIGAND]
    values += [
        ("HETATM", *row("HOH", ("C", 3, "."), 601 + k, ("O", "O    "), (x, 0, 0)))
        for k, x in enumerate(WATERS)
    ]
    anisotropic = [
        "loop_",
        "_atom_site_anisotrop.id",
        "_atom_site_anisotrop.type_symbol",
        "_atom_site_anisotrop.pdbx_label_atom_id",
        "_atom_site_anisotrop.U[1][1]",
        *(f"{k} {e} {n} 0.2406" for k, (n, _, _, e, _) in enumerate(rows(chain), 1)),
        "#",
    ]
    return cif(names, values, after=anisotropic), "A", True


def chimerax(chain):
    """Write waters and ligands numbered by the authors, '?' for missing values, and names in quotes."""
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
    """Write, like refinement programs, no label_seq_id in any row, and rows of two lines."""
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
    ligand_mpnn,
    pymol,
    pdb_redo,
    chai,
    pymol_cif,
    pdb_redo_cif,
]


def assert_read(structure, chain, name, more):
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
    assert {remark.kind for remark in structure.remarks} <= {"residue renamed"}


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
def test_what_pipelines_write(tmp_path, chain, writer):
    lines, name, more = writer(chain)
    is_cif = any(line.startswith("data_") for line in lines)
    path = Path(tmp_path, "made.cif" if is_cif else "made.pdb")
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    structure = read_structure(path, Selection(hetero=True, waters=True))
    written = chain[np.isin(chain.atom_name, BACKBONE)] if writer is ligand_mpnn else chain
    assert_read(structure, written, name, more)
    assert structure.has_plddt == (writer in (alphafold, alphafold3, chai))


NUMBERS = {
    **dict.fromkeys(["Cartn_x", "Cartn_y", "Cartn_z", "occupancy", "B_iso_or_equiv"], np.float64),
    **dict.fromkeys(
        ["id", "label_seq_id", "pdbx_formal_charge", "auth_seq_id", "pdbx_PDB_model_num"], np.int32
    ),
}


def binary_column(name, values):
    values = np.array(values)
    mask = np.select([values == ".", values == "?"], [1, 2], 0).astype(np.uint8)
    kind = NUMBERS.get(name, np.str_)
    values[mask > 0] = "" if kind is np.str_ else "0"
    data = pdbx.BinaryCIFData(values.astype(kind))
    return pdbx.BinaryCIFColumn(data, pdbx.BinaryCIFData(mask) if mask.any() else None)


def test_what_alphafold_db_writes_as_binarycif(tmp_path, chain):
    """Write its mmCIF as Mol* encodes it: packed numbers, and masks over missing values."""
    lines, name, more = alphafold(chain)
    columns = [line.partition(".")[2] for line in lines if line.startswith("_atom_site.")]
    table = list(zip(*(line.split() for line in lines if line.startswith("ATOM")), strict=True))
    atoms = dict(zip(columns, map(binary_column, columns, table), strict=True))
    metric = {
        "id": np.array([1, 2]),
        "mode": np.array(["global", "local"]),
        "name": np.array(["pLDDT", "pLDDT"]),
        "type": np.array(["pLDDT", "pLDDT"]),
    }
    file = pdbx.BinaryCIFFile()
    file["AF-P0A000-F1"] = pdbx.BinaryCIFBlock(
        {"ma_qa_metric": pdbx.BinaryCIFCategory(metric), "atom_site": pdbx.BinaryCIFCategory(atoms)}
    )
    path = tmp_path / "AF-P0A000-F1-model_v4.bcif"
    pdbx.compress(file).write(path)
    structure = read_structure(path, Selection(hetero=True, waters=True))
    assert_read(structure, chain, name, more)
    assert structure.has_plddt
    np.testing.assert_allclose(structure.atoms.b_factor, 91.24)
