"""Ligands as programs write them: which atoms form a molecule, and which molecule is used."""

import csv

import numpy as np
import pytest
from biotite.structure.io.pdb import PDBFile

from holo_features import Selection, find_complexes, read_complex, read_ligand, read_ligands, read_structure
from holo_features.cli.program import main
from holo_features.datasets import example_structures
from holo_types import FormatError

EXAMPLE = {path.name.partition(".")[0]: path for path in example_structures()}["1ten_A"]


@pytest.fixture(scope="module")
def protein():
    atoms = read_structure(EXAMPLE).atoms
    file = PDBFile()
    file.set_structure(atoms)
    return [str(line) for line in file.lines if str(line).startswith("ATOM")]


def sugar(atom, name, number, x, **about):
    """Return four atoms of a sugar; the next one's C1 lies 1.4 Å from O4."""
    places = {"C1": (0.0, 0.0), "C2": (1.5, 0.0), "O5": (-0.6, 1.2), "O4": (2.3, 1.2)}
    return [
        atom(key, (x + dx, 60.0 + dy, 0.0), residue=name, number=number, chain="G", hetero=True, **about)
        for key, (dx, dy) in places.items()
    ]


def glycan(atom, count=3):
    return [line for i in range(count) for line in sugar(atom, "NAG" if i < 2 else "BMA", i + 1, 3.4 * i)]


# --------------------------------------------------------------------------------------- molecules of structure files


@pytest.mark.parametrize("with_protein", [False, True])
def test_bonded_residues_are_one_molecule(write_pdb, protein, atom, with_protein):
    path = write_pdb(*(protein if with_protein else []), *glycan(atom))
    ligand = read_ligand(path)
    assert (ligand.name, len(ligand.atoms), ligand.remarks) == ("NAG-NAG-BMA", 12, ())


def test_copies_that_are_not_bonded_are_not_one(write_pdb, protein, atom):
    heme = [sugar(atom, "NAG", number, 20.0 * number) for number in (1, 2, 3)]
    path = write_pdb(*protein, *(line for copy in heme for line in copy))
    with pytest.raises(
        FormatError,
        match=r"it has 3 molecules; one must be chosen, in the column molecule of a table, by its name or a residue: "
        r"1, NAG \(G:1\), 2, NAG \(G:2\), 3, NAG \(G:3\)$",
    ):
        read_ligand(path)
    by_residue = read_ligand(path, "G:2")
    assert by_residue.atoms.res_id.tolist() == [2] * 4
    (remark,) = by_residue.remarks
    assert remark.reason == "of 3 molecules the one taken is 2, NAG (G:2)"
    assert read_ligand(path, "NAG").atoms.res_id.tolist() == [1] * 4
    assert read_ligand(path, 3).atoms.res_id.tolist() == [3] * 4
    assert len(list(read_ligands(path))) == 3


def test_a_molecule_is_chosen_by_one_of_its_residues(write_pdb, protein, atom):
    path = write_pdb(*protein, *glycan(atom), *sugar(atom, "GOL", 9, 80.0))
    for choice in ("NAG-NAG-BMA", "G:3", "BMA", 1):
        assert len(read_ligand(path, choice).atoms) == 12
    with pytest.raises(FormatError, match=r"it has NAG-NAG-BMA \(G:1, G:2, G:3\), GOL \(G:9\)$"):
        read_ligand(path, "ATP")


def test_an_ion_beside_a_ligand_is_not_bonded_to_it(write_pdb, atom):
    zinc = atom("ZN", (2.3, 63.1, 0.0), residue="ZN", number=90, chain="Z", element="ZN", hetero=True)
    path = write_pdb(*sugar(atom, "NAG", 1, 0.0), zinc)
    with pytest.raises(FormatError, match="it has 2 molecules"):
        read_ligand(path)
    assert read_ligand(path, "ZN").atoms.element.tolist() == ["ZN"]


def test_residues_that_are_there_by_turns_are_not_bonded(write_pdb, protein, atom):
    one = sugar(atom, "NAG", 1, 0.0, label="A", occupancy=0.6)
    other = sugar(atom, "BMA", 2, 0.7, label="B", occupancy=0.4)
    assert [len(ligand.atoms) for ligand in read_ligands(write_pdb(*protein, *one, *other))] == [4, 4]


@pytest.mark.parametrize("count", [2, 5, 20])
@pytest.mark.parametrize("hetero", [False, True])
def test_a_peptide_in_a_file_of_its_own(write_pdb, protein, count, hetero):
    """The residues of a peptide are amino acids of a chain, and still the ligand."""
    atoms = read_structure(EXAMPLE).atoms
    last = np.unique(atoms.res_id)[count - 1]
    lines = [line for line in protein if int(line[22:26]) <= last]
    if hetero:
        lines = ["HETATM" + line[6:] for line in lines]
    ligand = read_ligand(write_pdb(*lines))
    assert len(ligand.atoms) == len(lines)
    assert ligand.name.count("-") == count - 1


def test_a_peptide_with_caps_is_one_molecule(write_pdb, residue, atom):
    chain = [*residue(number=2), *residue(number=3, shift=2.83)]
    cap = [
        atom("C", (-1.7, 2.0, 0.0), residue="ACE", number=1),
        atom("O", (-1.9, 3.2, 0.0), residue="ACE", number=1),
    ]
    assert read_ligand(write_pdb(*cap, *chain)).name == "ACE-ALA-ALA"


def test_a_protein_is_no_ligand(write_pdb, protein):
    with pytest.raises(FormatError, match=r"it has no molecule 1; it has 0"):
        read_ligand(write_pdb(*protein))


def test_a_complex_says_what_it_took(tmp_path, write_pdb, protein, atom, capsys):
    center = np.mean([[float(line[i : i + 8]) for i in (30, 38, 46)] for line in protein], axis=0)
    near = [
        line[:30] + "".join(f"{value:8.3f}" for value in center + np.array([0, 0, 1.5 * i])) + line[54:]
        for i, line in enumerate(sugar(atom, "NAG", 1, 0.0))
    ]
    write_pdb(*protein, name="protein.pdb")
    write_pdb(*near, *sugar(atom, "GOL", 9, 80.0), name="ligand.pdb")
    table = tmp_path / "complexes.csv"
    table.write_text(
        "id,protein,ligand,molecule\nnone,protein.pdb,ligand.pdb,\none,protein.pdb,ligand.pdb,NAG\n"
    )
    out = tmp_path / "out.h5"
    assert main(["complexes", str(table), "--out", str(out), "--lmax", "2", "--nmax", "2"]) == 3
    with (tmp_path / "out.skipped.csv").open(encoding="utf-8", newline="") as file:
        reasons = {row["file"]: row["reason"] for row in csv.DictReader(file)}
    assert "one must be chosen, in the column molecule" in reasons["none"]
    assert reasons["one"] == "of 2 molecules the one taken is 1, NAG (G:1)"
    assert "one must be chosen" in capsys.readouterr().err
    sources = {source.name: source for source in find_complexes(table).sources}
    assert len(read_complex(sources["one"], Selection()).ligand.atoms) == 4


# -------------------------------------------------------------------------------------------------------------- PDBQT


def pdbqt(name, x, kind="C", residue="UNL     1"):
    record = f"ATOM  {1:>5}  {name:<3} {residue}    {x:8.3f}   2.000   3.000"
    return f"{record}  1.00  0.00    -0.250 {kind}"


def part(x, kinds=("A", "NA", "OA")):
    atoms = [pdbqt(f"X{i}", x + 1.5 * i, kind) for i, kind in enumerate(kinds)]
    return ["ROOT", *atoms[:2], "ENDROOT", "BRANCH   2   3", *atoms[2:], "ENDBRANCH   2   3", "TORSDOF 1"]


FLEXIBLE = [
    "BEGIN_RES THR A 315",
    "ROOT",
    pdbqt("CB", 30.0, "C", "THR A 315"),
    "ENDROOT",
    "BRANCH   1   2",
    pdbqt("OG1", 31.4, "OA", "THR A 315"),
    "ENDBRANCH   1   2",
    "END_RES THR A 315",
]


@pytest.mark.parametrize("order", ["after", "before", "twice"])
@pytest.mark.parametrize("models", [0, 1, 3])
def test_flexible_side_chains_are_the_proteins(tmp_path, order, models):
    body = {
        "after": [*part(0.0), *FLEXIBLE],
        "before": [*FLEXIBLE, *part(0.0)],
        "twice": [*part(0.0), *FLEXIBLE, *FLEXIBLE],
    }[order]
    lines = [line for i in range(models) for line in (f"MODEL {i + 1}", *body, "ENDMDL")] or body
    path = tmp_path / "out.pdbqt"
    path.write_text("\n".join(lines) + "\n")
    ligands = list(read_ligands(path))
    assert len(ligands) == max(models, 1)
    assert {tuple(ligand.atoms.element.tolist()) for ligand in ligands} == {("C", "N", "O")}
    first = read_ligand(path)
    assert first.remarks[0].count == (4 if order == "twice" else 2)
    assert len(first.remarks) == (2 if models > 1 else 1)  # of poses it says which was taken


def test_two_ligands_of_one_docking_are_two_molecules(tmp_path):
    path = tmp_path / "out.pdbqt"
    path.write_text("\n".join(["MODEL 1", *part(0.0), *part(20.0, ("C", "C")), "ENDMDL"]) + "\n")
    with pytest.raises(FormatError, match="it has 2 molecules; one must be chosen"):
        read_ligand(path)
    assert read_ligand(path, 2).atoms.element.tolist() == ["C", "C"]


def test_flexible_side_chains_alone_are_no_ligand(tmp_path):
    path = tmp_path / "flex.pdbqt"
    path.write_text("\n".join(FLEXIBLE) + "\n")
    with pytest.raises(FormatError, match=r"no molecule but flexible side chains of a protein \(BEGIN_RES\)"):
        read_ligand(path)


def test_poses_are_not_side_by_side(tmp_path):
    path = tmp_path / "out.pdbqt"
    lines = [line for i in range(9) for line in (f"MODEL {i + 1}", *part(0.1 * i), "ENDMDL")]
    path.write_text("\n".join(lines) + "\n")
    ligand = read_ligand(path)
    assert ligand.atoms.coord[0, 0] == 0
    assert [remark.reason for remark in ligand.remarks] == [
        "of 9 molecules the one taken is 1, without a name"
    ]


@pytest.mark.parametrize("places", [("0.0000", "0.0000"), ("1.2000", "1.2100")])
def test_atoms_of_a_ligand_at_one_point_are_refused(tmp_path, places):
    path = tmp_path / "one.mol2"
    rows = "".join(f"{i} C{i} {place} 0.0 0.0 C.3\n" for i, place in enumerate((*places, "9.0"), start=1))
    path.write_text(f"@<TRIPOS>MOLECULE\nx\n3 0\nSMALL\nNO_CHARGES\n\n@<TRIPOS>ATOM\n{rows}")
    with pytest.raises(FormatError, match="its atoms 1 and 2 lie at one point"):
        read_ligand(path)
