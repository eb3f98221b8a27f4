"""Elements, scaffolds and copies of ligands agree with RDKit's own readers and with files made by hand."""

from pathlib import Path

import attrs
import numpy as np
import pytest
from biotite.structure import BondType, concatenate
from biotite.structure.info import residue
from rdkit import Chem
from rdkit.Chem.Scaffolds import MurckoScaffold

from holo_features import (
    Complex,
    Ligand,
    element_counts,
    ligand_descriptors,
    murcko_scaffold,
    read_ligand,
    read_structure,
    shell_contacts,
    without_ligand_copies,
)
from holo_features.datasets import example_structures
from holo_types import HoloError

SERIES = Path(__file__).parent / "golden" / "complexes" / "ligands.sdf"


def test_elements_are_counted_once_each_and_the_others_together():
    counted = element_counts(Ligand("HEM", residue("HEM")))
    found = dict(zip(counted.names, counted.values.tolist(), strict=True))
    assert (found["ligand C"], found["ligand N"], found["ligand O"], found["ligand other"]) == (34, 4, 4, 1)
    assert found["heavy atoms"] == 43


@pytest.mark.parametrize("name", ["1a", "6a"])
def test_scaffolds_are_those_of_rdkits_own_reader(name):
    molecules = {mol.GetProp("_Name"): mol for mol in Chem.SDMolSupplier(str(SERIES))}
    expected = MurckoScaffold.MurckoScaffoldSmiles(mol=molecules[name])
    assert murcko_scaffold(read_ligand(SERIES, name)) == expected


def test_a_ligand_in_the_proteins_file_is_no_surrounding_of_itself():
    protein = read_structure(example_structures()[0])
    atoms = residue("ADP")
    atoms = atoms[atoms.element != "H"]
    atoms.coord += protein.atoms.coord.max(axis=0) + 1 - atoms.coord.min(axis=0)
    copy = protein.atoms[: len(atoms)].copy()
    copy.coord, copy.element, copy.res_name[:] = atoms.coord + 0.01, atoms.element, "ADP"
    copy.res_id[:] = int(protein.atoms.res_id.max()) + 1
    entry = attrs.evolve(protein, atoms=concatenate([protein.atoms, copy]))
    ligand = Ligand("ADP", atoms)
    rest = without_ligand_copies(Complex("1abc", entry, ligand))
    np.testing.assert_array_equal(rest.protein.atoms.coord, protein.atoms.coord)
    alone = Complex("1abc", protein, ligand)
    np.testing.assert_array_equal(shell_contacts(rest).values, shell_contacts(alone).values)
    assert len(without_ligand_copies(alone).protein.atoms) == len(protein.atoms)
    with pytest.raises(HoloError, match="its protein has no atom"):
        without_ligand_copies(Complex("1abc", attrs.evolve(protein, atoms=copy), ligand))


def test_rdkit_writes_nothing_about_a_carbon_with_five_bonds(capfd):
    atoms = residue("PHE")
    names = atoms.atom_name.tolist()
    atoms.bonds.add_bond(names.index("CA"), names.index("CB"), BondType.DOUBLE)
    ligand = Ligand("PHE", atoms)
    ligand_descriptors(ligand)
    assert murcko_scaffold(ligand) == "c1ccccc1"
    assert capfd.readouterr().err == ""
