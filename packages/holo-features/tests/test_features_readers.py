"""Readers agree with gemmi, which is independent: every atom, in every format."""

import gzip
from collections import defaultdict
from pathlib import Path

import attrs
import gemmi
import numpy as np
import pytest
from biotite.structure.io.pdb import PDBFile
from biotite.structure.io.pdbx import BinaryCIFFile, get_structure

from holo_features import Selection, read_structure
from holo_features.datasets import example_structures
from holo_types import FormatError, HoloError

FOLDER = Path(__file__).parent / "readers"
EXCERPTS = sorted(FOLDER.glob("*.pdb.gz"))
EVERYTHING = Selection(hydrogens=True, waters=True, hetero=True)


def by_gemmi(structure, model=0):
    """Return the atoms of a model by gemmi: of each residue, the conformer with the highest mean occupancy."""
    atoms = []
    for chain in structure[model]:
        for residue in chain:
            occupancies = defaultdict(list)
            for atom in residue:
                occupancies[atom.altloc].append(atom.occ)
            rank = sorted(occupancies, key=lambda label: (label != "\0", -np.mean(occupancies[label]), label))
            chosen = {}
            for label in reversed(rank):
                chosen |= {atom.name: atom for atom in residue if atom.altloc == label}
            atoms += [
                (
                    chain.name.strip(),
                    residue.seqid.num,
                    residue.seqid.icode.strip(),
                    residue.name,
                    atom.name,
                    atom.element.name.upper(),
                    atom.charge,
                    *np.float32(atom.pos.tolist()).tolist(),
                )
                for atom in chosen.values()
            ]
    return sorted(atoms)


def by_us(atoms):
    columns = (
        atoms.chain_id,
        atoms.res_id,
        atoms.ins_code,
        atoms.res_name,
        atoms.atom_name,
        atoms.element,
        atoms.charge,
        *atoms.coord.T,
    )
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("path", example_structures()[::5], ids=lambda path: path.name)
def test_binarycif_is_what_gemmi_reads_of_the_same_as_pdb(tmp_path, path):
    with gzip.open(path) as content:
        atoms = get_structure(BinaryCIFFile.read(content), model=1, altloc="all")
    file = PDBFile()
    file.set_structure(atoms)
    file.write(tmp_path / "same.pdb")
    expected = by_gemmi(gemmi.read_structure(str(tmp_path / "same.pdb")))
    assert by_us(read_structure(path, EVERYTHING).atoms) == expected
    assert by_us(read_structure(tmp_path / "same.pdb", EVERYTHING).atoms) == expected


@pytest.mark.parametrize("path", EXCERPTS, ids=lambda path: path.name)
def test_alternate_locations_ligands_and_water(tmp_path, path):
    structure = gemmi.read_structure(str(path))
    expected = by_gemmi(structure)
    assert any(atom.altloc != "\0" for chain in structure[0] for residue in chain for atom in residue)
    assert by_us(read_structure(path, EVERYTHING).atoms) == expected
    structure.setup_entities()
    structure.make_mmcif_document().write_file(str(tmp_path / "same.cif"))
    structure.make_mmcif_document().write_file(
        str(tmp_path / "aligned.cif"), gemmi.cif.WriteOptions(gemmi.cif.Style.Aligned)
    )
    assert by_us(read_structure(tmp_path / "same.cif", EVERYTHING).atoms) == expected
    assert by_us(read_structure(tmp_path / "aligned.cif", EVERYTHING).atoms) == expected


def test_kinds_of_atoms():
    path = FOLDER / "pfkfb3_automap_protein.pdb.gz"
    everything = read_structure(path, EVERYTHING).atoms
    protein = everything[everything.amino_acid]
    assert by_us(read_structure(path, Selection(hydrogens=True)).atoms) == by_us(protein)
    assert by_us(read_structure(path).atoms) == by_us(protein[protein.element != "H"])
    water = read_structure(path, Selection(waters=True)).atoms
    assert set(water.res_name[water.water].tolist()) == {"HOH"}
    hetero = read_structure(path, Selection(hetero=True)).atoms
    assert set(hetero.res_name[~hetero.amino_acid].tolist()) == {"F6P", "FLC", "POP"}
    assert not (hetero.amino_acid & hetero.water).any()


def test_modified_residues_are_amino_acids():
    atoms = read_structure(FOLDER / "jak1_protein.pdb.gz", Selection(hetero=True)).atoms
    phosphorylated = atoms[atoms.res_name == "PTR"]
    assert len(phosphorylated)
    assert phosphorylated.amino_acid.all()
    assert phosphorylated.hetero.all()
    assert "P" in phosphorylated.element


def test_atoms_of_ligands_may_share_a_name(write_pdb, atom, residue):
    """Programs call every carbon C; two atoms at one position are another matter."""
    ligand = [atom("C", (float(x), 5.0, 0.0), residue="LIG", number=9, hetero=True) for x in (0, 1, 2, 2)]
    structure = read_structure(write_pdb(*residue(), *ligand), Selection(hetero=True))
    assert structure.atoms.coord[structure.atoms.res_name == "LIG", 0].tolist() == [0, 1, 2]
    assert [left.reason for left in structure.left_out_atoms] == [
        "an earlier atom of its residue has its name"
    ]


# -------------------------------------------------------------------------------------- models, chains, assemblies


def made():
    """Return two chains of one residue each, and an ion, in three models that differ by a shift."""
    structure = gemmi.Structure()
    for number in (2, 5, 9):
        model = gemmi.Model(number)
        for name, x in (("A", 0.0), ("B", 20.0)):
            chain = gemmi.Chain(name)
            amino_acid = gemmi.Residue()
            amino_acid.name, amino_acid.seqid, amino_acid.het_flag = "GLY", gemmi.SeqId("7"), "A"
            for atom_name, place in (
                ("N", (0, 1.4, 0)),
                ("CA", (0, 0, 0)),
                ("C", (1.5, 0, 0)),
                ("O", (2.1, -1, 0)),
            ):
                atom = gemmi.Atom()
                atom.name, atom.element = atom_name, gemmi.Element(atom_name[0])
                atom.pos = gemmi.Position(place[0] + x, place[1] + number, place[2])
                amino_acid.add_atom(atom)
            chain.add_residue(amino_acid)
            model.add_chain(chain)
        zinc = gemmi.Residue()
        zinc.name, zinc.seqid, zinc.het_flag = "ZN", gemmi.SeqId("101"), "H"
        ion = gemmi.Atom()
        ion.name, ion.element, ion.charge, ion.pos = "ZN", gemmi.Element("Zn"), 2, gemmi.Position(1, 2, 9)
        zinc.add_atom(ion)
        model["A"].add_residue(zinc)
        structure.add_model(model)
    structure.setup_entities()
    structure.assign_subchains()
    return structure


def with_assemblies(structure):
    """Return assemblies: 1 has one copy; 2 has three of A, rotated and shifted, and one of B."""
    turn = gemmi.Transform()
    turn.mat.fromlist([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    turn.vec.fromlist([10, 20, 30])
    for name, transforms, chains in (("1", 1, ["A", "B"]), ("2", 3, ["A"])):
        assembly = gemmi.Assembly(name)
        generator = gemmi.Assembly.Gen()
        generator.chains = chains
        generator.subchains = [
            part.subchain_id() for chain in structure[0] if chain.name in chains for part in chain.subchains()
        ]
        step = gemmi.Transform()
        for i in range(transforms):
            operator = gemmi.Assembly.Operator()
            operator.name, operator.transform = str(i + 1), step
            operator.type = "identity operation" if i == 0 else "point symmetry operation"
            generator.operators.append(operator)
            step = turn.combine(step)
        assembly.generators.append(generator)
        structure.assemblies.append(assembly)
    return structure


@pytest.fixture(params=["pdb", "cif"])
def write_made(request, tmp_path):
    """Write a gemmi structure in either format and return its path."""

    def write(structure):
        path = tmp_path / f"made.{request.param}"
        if request.param == "pdb":
            structure.write_pdb(str(path))
        else:
            structure.make_mmcif_document().write_file(str(path))
        return path

    return write


@pytest.mark.parametrize(("model", "place"), [(None, 0), (2, 0), (5, 1), (9, 2)])
def test_a_model_is_chosen_by_its_number(write_made, model, place):
    structure = made()
    read = read_structure(write_made(structure), attrs.evolve(EVERYTHING, model=model))
    assert read.model == (model or 2)
    assert by_us(read.atoms) == by_gemmi(structure, place)


def test_a_model_that_is_not_there(write_made):
    with pytest.raises(FormatError, match=r"has no model 7; it has 2, 5, 9$"):
        read_structure(write_made(made()), Selection(model=7))


def test_chains_are_chosen_by_name(write_made):
    path = write_made(made())
    assert set(read_structure(path, Selection(chains="B")).atoms.chain_id.tolist()) == {"B"}
    assert set(read_structure(path, Selection(chains=("B", "A"))).atoms.chain_id.tolist()) == {"A", "B"}
    with pytest.raises(FormatError, match=r"has no chain Z, Y; it has A, B$"):
        read_structure(path, Selection(chains=["Z", "A", "Y"]))


def test_no_chain():
    with pytest.raises(HoloError, match="chains is empty"):
        Selection(chains=[])


@pytest.mark.parametrize("name", ["1", "2"])
def test_assemblies(write_made, name):
    structure = with_assemblies(made())
    path = write_made(structure)
    read = read_structure(path, Selection(assembly=name, hetero=True)).atoms
    assembly = next(found for found in structure.assemblies if found.name == name)
    expected = gemmi.make_assembly(assembly, structure[0], gemmi.HowToNameCopiedChain.Short)
    places = sorted(atom.pos.tolist() for chain in expected for residue in chain for atom in residue)
    np.testing.assert_allclose(sorted(read.coord.tolist()), places, atol=1e-4)
    names = {"1": ["A", "B"], "2": ["A", "A-2", "A-3"]}[name]
    assert sorted(set(read.chain_id.tolist())) == names
    # The index finds every residue again.
    alpha = read[read.atom_name == "CA"]
    assert len(alpha) == len(set(zip(alpha.chain_id.tolist(), alpha.res_id.tolist(), strict=True)))


def test_an_assembly_of_one_chain(write_made):
    read = read_structure(write_made(with_assemblies(made())), Selection(assembly="1", chains="B")).atoms
    assert set(read.chain_id.tolist()) == {"B"}


def test_an_assembly_that_is_not_there(write_made):
    with pytest.raises(FormatError, match=r"has no assembly '9'; it has 1, 2$"):
        read_structure(write_made(with_assemblies(made())), Selection(assembly="9"))


def test_no_assemblies(write_made):
    with pytest.raises(FormatError, match=r"has no assembly '1'; it describes none"):
        read_structure(write_made(made()), Selection(assembly="1"))


@pytest.mark.parametrize("expression", ["", "(1)(", "1)", "7", "1-9"])
def test_a_bad_operation(tmp_path, expression):
    document = with_assemblies(made()).make_mmcif_document()
    table = document.sole_block().find(
        "_pdbx_struct_assembly_gen.", ["assembly_id", "oper_expression", "asym_id_list"]
    )
    table[0][1] = gemmi.cif.quote(expression)
    document.write_file(str(tmp_path / "bad.cif"))
    with pytest.raises(FormatError, match=r"oper_expression|names operation"):
        read_structure(tmp_path / "bad.cif", Selection(assembly="1"))


def test_operations_in_a_row(tmp_path):
    """``(2)(3)`` applies the third operation first, then the second."""
    document = with_assemblies(made()).make_mmcif_document()
    table = document.sole_block().find("_pdbx_struct_assembly_gen.", ["assembly_id", "oper_expression"])
    table[0][1] = "'(2)(3)'"
    document.write_file(str(tmp_path / "row.cif"))
    structure = gemmi.read_structure(str(tmp_path / "row.cif"))
    operators = [
        operator.transform for operator in with_assemblies(made()).assemblies[1].generators[0].operators
    ]
    expected = [
        operators[1].apply(gemmi.Vec3(*operators[2].apply(gemmi.Vec3(*atom.pos.tolist())).tolist())).tolist()
        for chain in structure[0]
        for residue in chain
        for atom in residue
    ]
    read = read_structure(tmp_path / "row.cif", Selection(assembly="1", hetero=True)).atoms
    np.testing.assert_allclose(sorted(read.coord.tolist()), sorted(expected), atol=1e-4)


# ----------------------------------------------------------------------------------------------- one number a row


@pytest.mark.parametrize(
    "value", ["1.5", "-0.000", "+2.25", "1e2", "12", "-12.3456789012345678901", "0.1", "999.9995"]
)
def test_numbers_are_exact(tmp_path, value):
    structure = made()
    document = structure.make_mmcif_document()
    document.sole_block().find("_atom_site.", ["Cartn_x"])[0][0] = value
    document.write_file(str(tmp_path / "number.cif"))
    expected = np.float32(float(value))
    read = read_structure(tmp_path / "number.cif").atoms.coord[0, 0]
    assert read.tobytes() == expected.tobytes()


@pytest.mark.parametrize("rows", ["aligned", "wrapped", "with a comment", "quoted", "in capitals", "tabs"])
def test_however_mmcif_is_laid_out(tmp_path, rows):
    structure = made()
    text = structure.make_mmcif_document().as_string()
    lines = text.split("\n")
    first = next(i for i, line in enumerate(lines) if line.startswith("ATOM"))
    changed = {
        "aligned": lambda line: line,
        "wrapped": lambda line: line.replace(" GLY", "\nGLY", 1),
        "with a comment": lambda line: "# a comment\n" + line,
        "quoted": lambda line: line.replace(" GLY ", " 'GLY' ", 1).replace(" CA ", ' "CA" ', 1),
        "in capitals": lambda line: line,
        "tabs": lambda line: line.replace(" ", "\t"),
    }[rows]
    text = "\n".join(
        lines[:first] + [changed(line) if line.startswith("ATOM") else line for line in lines[first:]]
    )
    if rows == "in capitals":
        text = text.replace("loop_", "LOOP_").replace("_atom_site.Cartn", "_ATOM_SITE.CARTN")
    path = tmp_path / "made.cif"
    path.write_text(text, encoding="utf-8")
    assert by_us(read_structure(path, EVERYTHING).atoms) == by_gemmi(structure)
