"""Make the small real files with which the readers of holo-features are tested.

Run as ``python make_reader_examples.py FEP``. FEP is the folder ``fep_benchmark_inputs/structure_inputs`` of
Schrödinger's public binding free energy benchmark, https://github.com/schrodinger/public_binding_free_energy_benchmark
(MIT). The script needs RDKit and Open Babel, which are independent of the code under test: Open Babel writes the
molecules in the other formats, and RDKit reports their content.
"""

import gzip
import json
import sys
from pathlib import Path

from openbabel import openbabel
from rdkit import Chem

TARGET = Path(__file__).parents[1] / "tests" / "readers"
MOLECULES = Path("fragments", "frag_mcl1_noweak_ligands.sdf"), (0, 9)  # with Cl and S, with Br; both anions
# Modified residues, alternate locations and water; ligands beside these.
STRUCTURES = Path("charge_annhil", "jak1_protein.pdb"), Path("merck", "pfkfb3_automap_protein.pdb")
WATERS = 30


def write_excerpt(source: Path) -> None:
    """Write the unusual parts of a PDB file: residues with alternate locations, HETATM records, some water."""
    lines = source.read_text().splitlines()
    atoms = [line for line in lines if line.startswith(("ATOM", "HETATM"))]
    alternate = {line[21:27] for line in atoms if line[16] != " "}
    waters = list(dict.fromkeys(line[21:27] for line in atoms if line[17:20] == "HOH"))[:WATERS]
    kept = [
        line
        for line in lines
        if line.startswith(("TER", "END"))
        or (line.startswith("ATOM") and line[21:27] in alternate)
        or (line.startswith("HETATM") and (line[17:20] != "HOH" or line[21:27] in waters))
    ]
    content = "\n".join(kept) + "\n"
    (TARGET / f"{source.stem}.pdb.gz").write_bytes(gzip.compress(content.encode(), mtime=0))


def write_molecules(source: Path, which: tuple[int, ...]) -> None:
    """Write molecules as SDF (V2000 unchanged, and V3000), MOL2 and PDBQT, and their content as JSON."""
    records = source.read_text().split("$$$$\n")
    sdf = "".join(records[i] + "$$$$\n" for i in which)
    (TARGET / "molecules.sdf").write_text(sdf)
    molecules = list(Chem.ForwardSDMolSupplier(str(TARGET / "molecules.sdf"), removeHs=False, sanitize=False))
    with Chem.SDWriter(str(TARGET / "molecules_v3000.sdf")) as writer:
        writer.SetForceV3000(True)
        for molecule in molecules:
            writer.write(molecule)
    for suffix in ("mol2", "pdbqt"):
        conversion = openbabel.OBConversion()
        conversion.SetInAndOutFormats("sdf", suffix)
        conversion.OpenInAndOutFiles(str(TARGET / "molecules.sdf"), str(TARGET / f"molecules.{suffix}"))
        conversion.Convert()
        conversion.CloseOutFile()
    expected = [
        {
            "name": molecule.GetProp("_Name"),
            "elements": [atom.GetSymbol() for atom in molecule.GetAtoms()],
            "charges": [atom.GetFormalCharge() for atom in molecule.GetAtoms()],
            "coordinates": molecule.GetConformer().GetPositions().round(4).tolist(),
            "bonds": [
                [bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), int(bond.GetBondTypeAsDouble())]
                for bond in molecule.GetBonds()
            ],
        }
        for molecule in molecules
    ]
    (TARGET / "molecules.json").write_text(json.dumps(expected) + "\n")


def main(benchmark: Path) -> None:
    """Write every file."""
    TARGET.mkdir(exist_ok=True)
    for structure in STRUCTURES:
        write_excerpt(benchmark / structure)
    write_molecules(benchmark / MOLECULES[0], MOLECULES[1])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
