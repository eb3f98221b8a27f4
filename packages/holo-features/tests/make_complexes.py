"""Make the example complexes of the package: p38 kinase and 34 ligands of Schrödinger's free energy benchmark.

Usage: ``python make_complexes.py STRUCTURE_INPUTS``, the benchmark's folder ``fep_benchmark_inputs/structure_inputs``
(https://github.com/schrodinger/public_binding_free_energy_benchmark, MIT).
"""

import csv
import gzip
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "src" / "holo_features" / "shipped" / "p38"


def main(inputs: Path) -> None:
    protein = (inputs / "jacs_set" / "p38_protein.pdb").read_text("utf-8").splitlines()
    write("protein.pdb.gz", [line for line in protein if line[76:78].strip() != "H"])
    text = (inputs / "jacs_set" / "p38_ligands.sdf").read_text("utf-8")
    records = [record.strip("\n").split("\n") for record in text.split("$$$$\n")[:-1]]
    write("ligands.sdf.gz", [line for record in records for line in molecule_of(record)])
    with (EXAMPLE / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("id", "protein", "ligand", "molecule", "label"))
        for record in records:
            name, energy = record[0].strip(), record[record.index("> <r_exp_dg>") + 1]
            table.writerow((f"p38_{name}", "protein.pdb.gz", "ligands.sdf.gz", name, energy))


def molecule_of(record: list[str]) -> list[str]:
    return [*record[: record.index("M  END") + 1], "$$$$"]


def write(name: str, lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    (EXAMPLE / name).write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
