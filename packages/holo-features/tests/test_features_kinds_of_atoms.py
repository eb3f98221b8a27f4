"""Elements of atoms that a program has named, or typed, in its own way."""

import numpy as np
import pytest
from biotite.structure.io.pdb import PDBFile

from holo_features import Selection, read_ligand, read_structure
from holo_features.datasets import example_structures
from holo_features.molecules.atom_types import type_elements
from holo_features.readers.elements import elements_of
from holo_types import FormatError

EXAMPLES = {path.name.partition(".")[0]: path for path in example_structures()}
EVERYTHING = Selection(hydrogens=True, waters=True, hetero=True)

# ---------------------------------------------------------------------------------------------- names of PDB files


def left_aligned(line, *, element=False):
    return (
        line[:12]
        + f"{line[12:16].strip():<4}"
        + line[16:76]
        + (f"{line[76:78].strip():<2}" if element else "  ")
    )


@pytest.mark.parametrize("name", ["2g77_B", "1ten_A", "1yea_A"])
@pytest.mark.parametrize("element", [False, True])
def test_left_aligned_names(tmp_path, name, element):
    """Atoms as the ESM Atlas writes them, with modified residues, whose CE and SE are HETATM."""
    atoms = read_structure(EXAMPLES[name], EVERYTHING).atoms
    file = PDBFile()
    file.set_structure(atoms)
    path = tmp_path / "left.pdb"
    path.write_text("\n".join(left_aligned(str(line), element=element) for line in file.lines) + "\nEND\n")
    assert read_structure(path, EVERYTHING).atoms.element.tolist() == atoms.element.tolist()


KNOWN = [
    ("MSE", "CE", "C"),
    ("MSE", "SE", "SE"),
    ("MLY", "CD", "C"),
    ("SEP", "OG", "O"),
    ("CSO", "OD", "O"),
    ("HEM", "FE", "FE"),
    ("HEM", "NA", "N"),
    ("HEM", "CHA", "C"),
    ("ALA", "HG", "H"),
    ("LEU", "HD11", "H"),
    ("LEU", "1HD1", "H"),
    ("HOH", "HW1", "H"),
    ("SOL", "OW", "O"),
    ("CA", "CA", "CA"),
    ("SOD", "SOD", "NA"),
    ("CLA", "CLA", "CL"),
    ("POT", "POT", "K"),
    ("ZN2", "ZN2", "ZN"),
    ("HSD", "ND1", "N"),
    ("UNL", "CL12", "CL"),
    ("UNL", "C12", "C"),
]


@pytest.mark.parametrize(("residue_name", "name", "element"), KNOWN)
def test_elements_that_the_file_has_not(residue_name, name, element):
    found = elements_of(np.array([""]), np.array([name]), np.array([residue_name]))
    assert found.tolist() == [element]


@pytest.mark.parametrize(("residue_name", "name", "element"), KNOWN[:9])
def test_symbols_that_are_the_beginning_of_a_name(residue_name, name, element):
    """Programs that take the first two letters write calcium for CA, mercury for HG."""
    found = elements_of(np.array([name[:2], "C"]), np.array([name, "C1"]), np.array([residue_name, "LIG"]))
    assert found.tolist() == [element, "C"]


@pytest.mark.parametrize(
    ("symbol", "name", "residue_name"),
    [("D", "H", "ALA"), ("SE", "SD", "MET"), ("CA", "CA", "LIG"), ("ZN", "ZN", "ZN"), ("N", "OD1", "ASN")],
)
def test_symbols_that_are_not_only_the_beginning_of_a_name_stay(symbol, name, residue_name):
    found = elements_of(np.array([symbol]), np.array([name]), np.array([residue_name]))
    assert found.tolist() == [symbol]


def test_columns_tell_elements_of_unknown_ligands(write_pdb, atom, residue):
    """If a file aligns its names, CL1 is chlorine in column 13 and carbon in column 14; otherwise the usual one."""
    chlorine = atom("CL1", (9.0, 0.0, 0.0), residue="UNL", number=2, element="CL", hetero=True)[:76]
    carbon = atom("CL2", (12.0, 0.0, 0.0), residue="UNL", number=2, hetero=True)[:76]
    structure = read_structure(write_pdb(*residue(), chlorine, carbon), Selection(hetero=True))
    assert structure.atoms.element.tolist()[-2:] == ["CL", "C"]
    left = [left_aligned(line) for line in (*residue(), chlorine)]
    assert read_structure(write_pdb(*left), Selection(hetero=True)).atoms.element.tolist()[-1] == "CL"


# ------------------------------------------------------------------------------------------------- types of MOL2

SCHEMES = {
    "Sybyl": ("C.3 C.ar N.am O.co2 S.O2 P.3 H Cl Br Ca Co.oh Pt", "C C N O S P H CL BR CA CO PT"),
    "Sybyl, metals in capitals": ("C.3 O.co2 CA ZN", "C O CA ZN"),
    "Amber, all of them symbols": ("CA NB OS CO CS HO", "C N O C C H"),
    "Amber": ("CT HC OH HO CX 2C C* N* N2 SH P Zn IM", "C H O H C C C N N S P ZN CL"),
    "GAFF": ("c3 ca hn nb os oh cl br f i s6 p5 cd ce no", "C C H N O O CL BR F I S P C C N"),
    "CGenFF": ("CG331 CG2R61 HGA3 NG2S1 OG311 SG311 PG1 CLGA1 BRGR1 FGA1", "C C H N O S P CL BR F"),
    "elements": ("C N O H Cl", "C N O H CL"),
    "elements in capitals": ("C N O SI CL", "C N O SI CL"),
    "an ion": ("CA", "CA"),
}


@pytest.mark.parametrize(("kinds", "elements"), SCHEMES.values(), ids=SCHEMES)
def test_schemes_of_atom_types(kinds, elements):
    assert type_elements(kinds.split()) == elements.split()


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ("opls_135 opls_140", r"such as 'opls_135', are OPLS's; they must be Sybyl's"),
        ("1 5 37", r"such as '1', are numbers, as MMFF and OPLS have"),
        ("C.3 XX9", r"such as 'XX9', are of no scheme that is known"),
        ("C.3 CT", r"such as 'CT'|such as 'C.3'"),
    ],
)
def test_types_of_no_known_scheme_are_refused_by_name(kinds, said):
    with pytest.raises(FormatError, match=said):
        type_elements(kinds.split())


# ------------------------------------------------------------------------------------------------ types of PDBQT


def pdbqt(*kinds):
    return "".join(
        f"ATOM  {i:>5}  X{i % 10}  LIG A   1    {float(3 * i):8.3f}   2.000   3.000  1.00  0.00    -0.250 {kind}\n"
        for i, kind in enumerate(kinds)
    )


@pytest.mark.parametrize(
    "kind", ["CE", "CD", "OG", "CO", "NE", "X", "LP", "Du", "C.3", "ca", "Os", "Nb", "NB"]
)
def test_types_that_are_none_of_autodocks_are_refused(tmp_path, kind):
    path = tmp_path / "one.pdbqt"
    path.write_text(pdbqt("C", kind))
    with pytest.raises(FormatError, match=f"has the type '{kind[:3]}', which is not one of AutoDock's"):
        read_ligand(path)


def test_places_that_are_no_atoms_are_left_out_and_counted(tmp_path):
    path = tmp_path / "one.pdbqt"
    path.write_text(pdbqt("C", "CG0", "G0", "W", "OA", "TZ"))
    ligand = read_ligand(path)
    assert ligand.atoms.element.tolist() == ["C", "C", "O"]
    assert [(remark.kind, remark.count) for remark in ligand.remarks] == [("atom left out", 3)]


def test_symbols_of_a_program_that_takes_the_first_two_letters(write_pdb, atom, residue):
    """The element has one letter if the name begins in column 14; with two letters, in column 13, it is an ion."""
    lines = [
        line[:76] + line[12:16].strip()[:2].rjust(2) for line in (*residue(), atom("CD1", (9.0, 9.0, 9.0)))
    ]
    assert read_structure(write_pdb(*lines)).atoms.element.tolist() == ["N", "C", "C", "O", "C"]
    ion = atom("CA", (9.0, 9.0, 9.0), element="CA", number=2)
    assert read_structure(write_pdb(*residue(), ion)).atoms.element.tolist()[-1] == "CA"
