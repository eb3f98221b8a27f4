"""Make the example of the package: p38 kinase and 34 ligands of Schrödinger's free energy benchmark.

Usage: ``python make_example.py STRUCTURE_INPUTS``, the benchmark's folder ``fep_benchmark_inputs/structure_inputs``
(https://github.com/schrodinger/public_binding_free_energy_benchmark, MIT). It needs holo-features.
"""

import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

EXAMPLE = Path(__file__).parents[1] / "src" / "holo_downstream" / "shipped" / "p38"


def main(inputs: Path) -> None:
    ligands = inputs / "jacs_set" / "p38_ligands.sdf"
    protein = inputs / "jacs_set" / "p38_protein.pdb"
    records = [record.strip("\n").split("\n") for record in ligands.read_text("utf-8").split("$$$$\n")[:-1]]
    names = [record[0].strip() for record in records]
    energies = [record[record.index("> <r_exp_dg>") + 1] for record in records]
    splits = np.random.default_rng(0).permutation(np.repeat(["train", "val", "test"], [20, 7, 7]))
    labels = [
        (f"p38_{name}", energy, "kcal/mol", split)
        for name, energy, split in zip(names, energies, splits, strict=True)
    ]
    write(EXAMPLE / "labels.csv", ("id", "label", "unit", "split"), labels)

    with tempfile.TemporaryDirectory() as folder:
        table, contacts = Path(folder, "complexes.csv"), Path(folder, "contacts.csv")
        rows = [(f"p38_{name}", protein.resolve(), ligands.resolve(), name) for name in names]
        write(table, ("id", "protein", "ligand", "molecule"), rows)
        subprocess.run(["holo-features", "contacts", table, "--out", contacts], check=True)
        with contacts.open(newline="", encoding="utf-8") as file:
            found = list(csv.DictReader(file))
    pairs = [name for name in found[0] if "-" in name and any(row[name] != "0" for row in found)]
    write(
        EXAMPLE / "contacts.csv",
        ("id", *pairs),
        [[row["id"], *(row[name] for name in pairs)] for row in found],
    )


def write(path: Path, header: tuple[str, ...], rows: list) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
