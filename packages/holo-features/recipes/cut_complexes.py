"""Cut the complexes of the tests, tests/golden/complexes, from the public binding free energy benchmark.

Run as ``python cut_complexes.py BENCHMARK FOLDER``. BENCHMARK is a checkout of
github.com/schrodinger/public_binding_free_energy_benchmark (MIT license). The script keeps the lines of thrombin's file
for residues, ions and waters within 7 Å of three ligands unchanged, and these ligands.
"""

import csv
import sys
from pathlib import Path

import numpy as np

NAMES = ("1a", "1b", "6a")
DISTANCE = 7.0


def main(benchmark: Path, folder: Path) -> None:
    """Write the protein, the ligands and their table."""
    source = benchmark / "fep_benchmark_inputs" / "structure_inputs" / "jacs_set"
    molecules = (source / "thrombin_core_ligands.sdf").read_text().split("$$$$\n")
    chosen = {name: next(text for text in molecules if text.split("\n", 1)[0] == name) for name in NAMES}
    places = np.concatenate([positions(text) for text in chosen.values()])
    lines = [
        line
        for line in (source / "thrombin_core_protein.pdb").read_text().splitlines()
        if line.startswith(("ATOM", "HETATM"))
    ]
    at = np.array([[float(line[i : i + 8]) for i in (30, 38, 46)] for line in lines])
    near = np.sqrt(((at[:, None] - places) ** 2).sum(axis=2)).min(axis=1) <= DISTANCE
    residues = {line[17:27] for line, is_near in zip(lines, near, strict=True) if is_near}
    folder.mkdir(parents=True, exist_ok=True)
    kept = [line for line in lines if line[17:27] in residues]
    (folder / "thrombin.pdb").write_text("\n".join([*kept, "END"]) + "\n")
    (folder / "ligands.sdf").write_text("".join(text + "$$$$\n" for text in chosen.values()))
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("id", "protein", "ligand", "molecule", "dG"))
        for name, text in chosen.items():
            energy = text.split("<r_exp_dg>")[1].split("\n")[1]
            writer.writerow((f"thrombin-{name}", "thrombin.pdb", "ligands.sdf", name, energy))


def positions(text: str) -> np.ndarray:
    """Return the positions of a molecule's atoms, from its V2000 block."""
    lines = text.split("\n")
    rows = lines[4 : 4 + int(lines[3][:3])]
    return np.array([[float(row[i : i + 10]) for i in (0, 10, 20)] for row in rows])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
