"""Ligands have RDKit's content of the same molecules, in every format; bad ones give one clear error."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from holo_features import read_ligand, read_ligands
from holo_features.complexes.ligands import is_ligand_path
from holo_types import FormatError

FOLDER = Path(__file__).parent / "readers"
EXPECTED = json.loads((FOLDER / "molecules.json").read_text(encoding="utf-8"))
SDF = (FOLDER / "molecules.sdf").read_text(encoding="utf-8")
MOL2 = (FOLDER / "molecules.mol2").read_text(encoding="utf-8")
PDBQT = (FOLDER / "molecules.pdbqt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["molecules.sdf", "molecules_v3000.sdf", "molecules.mol2"])
def test_molecules_are_what_rdkit_reads(name):
    ligands = list(read_ligands(FOLDER / name, hydrogens=True))
    assert len(ligands) == len(EXPECTED)
    for ligand, expected in zip(ligands, EXPECTED, strict=True):
        assert ligand.name == expected["name"]
        assert ligand.atoms.element.tolist() == [symbol.upper() for symbol in expected["elements"]]
        np.testing.assert_array_equal(ligand.atoms.coord, np.array(expected["coordinates"], dtype=np.float32))
        pairs = [sorted(bond[:2]) for bond in expected["bonds"]]
        assert sorted(ligand.atoms.bonds.as_array()[:, :2].tolist()) == sorted(pairs)
        assert ligand.atoms.charge.sum() == sum(expected["charges"])
        assert ligand.atoms.charge.tolist() == expected["charges"]


def test_partial_charges_are_those_of_the_file():
    charges = read_ligand(FOLDER / "molecules.mol2", hydrogens=True).atoms.partial_charge
    assert charges[:3].tolist() == pytest.approx([-0.5440, 0.0797, -0.5440])


def test_pdbqt():
    for ligand, expected in zip(read_ligands(FOLDER / "molecules.pdbqt"), EXPECTED, strict=True):
        assert ligand.name == expected["name"]
        found = sorted(zip(ligand.atoms.element.tolist(), ligand.atoms.coord.tolist(), strict=True))
        heavy = sorted(
            (symbol.upper(), place)
            for symbol, place in zip(expected["elements"], expected["coordinates"], strict=True)
            if symbol != "H"
        )
        assert [symbol for symbol, _ in found] == [symbol for symbol, _ in heavy]
        # It has three decimals.
        np.testing.assert_allclose([p for _, p in found], [p for _, p in heavy], atol=6e-4)


@pytest.mark.parametrize(
    ("kind", "element"),
    [
        ("A", "C"),
        ("OA", "O"),
        ("NA", "N"),
        ("Na", "NA"),
        ("SA", "S"),
        ("Cl", "CL"),
        ("CL", "CL"),
        ("Br", "BR"),
        ("Zn", "ZN"),
    ],
)
def test_atom_types_of_autodock(tmp_path, kind, element):
    path = tmp_path / "one.pdbqt"
    record = "HETATM    1  X1  LIG A           1.000   2.000   3.000  1.00  0.00    -0.250"
    path.write_text(f"{record} {kind}\n")
    atoms = read_ligand(path).atoms
    assert atoms.element.tolist() == [element]
    assert atoms.partial_charge.tolist() == [-0.25]


@pytest.mark.parametrize(
    ("kind", "element"), [("C.ar", "C"), ("Cl", "CL"), ("N.pl3", "N"), ("ca", "C"), ("cl", "CL"), ("n4", "N")]
)
def test_atom_types_of_mol2(tmp_path, kind, element):
    path = tmp_path / "one.mol2"
    path.write_text(
        f"@<TRIPOS>MOLECULE\nx\n1 0\nSMALL\nNO_CHARGES\n\n@<TRIPOS>ATOM\n1 X1 1.0 2.0 3.0 {kind}\n"
    )
    assert read_ligand(path).atoms.element.tolist() == [element]


def test_hydrogens_are_left_out_unless_asked_for():
    heavy, everything = (
        read_ligand(FOLDER / "molecules.sdf", hydrogens=asked).atoms for asked in (False, True)
    )
    assert heavy.coord.tolist() == everything[everything.element != "H"].coord.tolist()
    assert len(heavy) < len(everything)
    assert heavy.bonds.as_array().max() < len(heavy)


def test_molecules_by_number_and_name(tmp_path):
    path = FOLDER / "molecules.sdf"
    assert read_ligand(path).name == EXPECTED[0]["name"]
    assert read_ligand(path, 2).name == EXPECTED[1]["name"]
    second = EXPECTED[1]["name"]
    assert read_ligand(path, second).atoms.coord.tolist() == read_ligand(path, 2).atoms.coord.tolist()
    zipped = tmp_path / "molecules.SDF.gz"
    zipped.write_bytes(gzip.compress(SDF.replace("\n", "\r\n").encode()))
    assert read_ligand(zipped, second).atoms.coord.tolist() == read_ligand(path, 2).atoms.coord.tolist()
    with pytest.raises(FormatError, match=r"has no molecule 3; it has 2$"):
        read_ligand(path, 3)
    with pytest.raises(FormatError, match=r"has no molecule 'aspirin'; it has 2, 14$"):
        read_ligand(path, "aspirin")


def test_ligands_of_a_structure():
    path = FOLDER / "pfkfb3_automap_protein.pdb.gz"
    names = [ligand.name for ligand in read_ligands(path)]
    assert set(names) == {"F6P", "FLC", "POP"}
    assert read_ligand(path, "F6P").atoms.element.tolist().count("P") == 1
    with pytest.raises(FormatError, match="has no molecule 'ATP'; it has "):
        read_ligand(path, "ATP")


def test_an_unknown_ligand_alone(write_pdb, atom):
    """Programs call it UNK, like the dictionary's unknown amino acid."""
    path = write_pdb(atom("C", (0.0, 0.0, 0.0), residue="UNK"), atom("C", (1.5, 0.0, 0.0), residue="UNK"))
    assert read_ligand(path, "UNK").atoms.coord[:, 0].tolist() == [0, 1.5]


@pytest.mark.parametrize("name", ["A in \u00c5", "\x1e", "\u2028", "\v\f"])
def test_a_name_is_one_line_whatever_is_in_it(tmp_path, name):
    """Found by coverage: bytes that Python regards as line ends shifted the table's counts."""
    path = tmp_path / "a.sdf"
    path.write_bytes(f"{name}\n{SDF.partition(chr(10))[2]}".encode())
    expected = read_ligand(FOLDER / "molecules.sdf", 1).atoms
    assert (read_ligand(path, 1).atoms.coord == expected.coord).all()


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.sdf", "", "is empty"),
        ("a.xyz", "1", r"ends in '\.xyz'; it must end in one of \.sdf"),
        ("a.sdf", "Dear reader,\nthis is\na letter.\n", "cut off: it has no line 'M  END'"),
        ("a.sdf", SDF[:600], "cut off: it has no line 'M  END'"),
        ("a.sdf", SDF.replace(" 17 18 ", " 99 18 ", 1), "counts line says 99 atoms and 18 bonds"),
        ("a.sdf", SDF.replace("V2000", "V4000", 1), "does not end in V2000 or V3000"),
        ("a.sdf", SDF.replace("3.8095", "   nan", 1), "atom 1 is at .*; it must be at finite numbers"),
        ("a.sdf", SDF.replace("3.8095", "   abc", 1), "damaged, or no .sdf file .*abc"),
        ("a.sdf", SDF.replace(" O  ", " R# ", 1), "atom 1 is 'R#'; it must be a chemical element"),
        ("a.mol2", "@<TRIPOS>ATOM\n1 C 0 0 0 C.3\n", "has no molecule 1; it has 0"),
        ("a.mol2", MOL2.replace(" 17 18 ", " 18 18 ", 1), "has 17 atoms; its MOLECULE says 18"),
        ("a.mol2", MOL2[: MOL2.index("@<TRIPOS>BOND") + 40], "bonds; its MOLECULE says 18"),
        (
            "a.mol2",
            MOL2.replace("3.8095", "abc", 1),
            "its atom 'O' is at 'abc .*; it must be at three numbers",
        ),
        ("a.mol2", MOL2.replace("O.co2", "Du", 1), "atom 1 is 'DU'; it must be a chemical element"),
        (
            "a.mol2",
            MOL2.replace("     1     1     2 ", "     1     1    99 ", 1),
            "bond '1 1 99 ar' must have two",
        ),
        ("a.pdbqt", "REMARK\n", "holds no ATOM record"),
        ("a.pdbqt", PDBQT.replace("1.536", "  abc", 1), "has x = 'abc'; it must be a number"),
        (
            "a.pdbqt",
            PDBQT.replace("+0.000 A ", "+0.000 Q1", 1),
            "has the type 'Q1', which is not one of AutoDock's",
        ),
        ("a.pdbqt", PDBQT.replace("+0.000", "  none", 1), "has charge = 'none'; it must be a number"),
    ],
)
def test_bad_molecules(tmp_path, name, content, match):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(FormatError, match=match) as caught:
        read_ligand(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bad_molecule_is_named_and_leaves_the_others(tmp_path):
    path = tmp_path / "molecules.sdf"
    path.write_text(SDF.replace(" 17 18 ", " 99 18 ", 1), encoding="utf-8")
    with pytest.raises(FormatError, match=r"molecule 1 \(2\): it has "):
        read_ligand(path)
    assert read_ligand(path, 2).name == EXPECTED[1]["name"]


def test_only_hydrogen(tmp_path):
    path = tmp_path / "one.mol2"
    path.write_text("@<TRIPOS>MOLECULE\nx\n1 0\nSMALL\nNO_CHARGES\n\n@<TRIPOS>ATOM\n1 H1 1.0 2.0 3.0 H\n")
    with pytest.raises(FormatError, match="has no heavy atom"):
        read_ligand(path)


def test_names_of_files():
    assert [is_ligand_path(name) for name in ("a.sdf", "a.MOL2.gz", "a.pdbqt", "a.pdb")] == [
        True,
        True,
        True,
        False,
    ]
