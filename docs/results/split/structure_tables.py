"""Write the tables for training and for `holo-vae worth`, by the split of `chains.csv`.

    python docs/results/split/structure_tables.py FOLDER

FOLDER contains the archives proteins/, affinity/ and refined/, unpacked; `index.tsv`, `views/index.tsv` and
`structures.csv` are written there.

`index.tsv` (file, split, cluster30) lists the chains of proteins with the split of their clusters, without the clusters
on which *relative* is scored. `views/index.tsv` (file, split, cluster30, protein, ligand) lists the same
chains and the pockets of `refined` for training, many of which belong to the same protein.

`structures.csv` lists the same chains, and structures with ligands, which do not count as neighbors:

- for *same residue* the casf2016 structures (`test`), and those of validation clusters in `refined` (`valid`);
- for *relative* the structures of the drawn clusters in `refined`, with the split of these clusters.

Files of `refined` contain only the surroundings of the pocket, which the column `extent` says.
"""

import csv
import sys
from collections import Counter
from pathlib import Path

import attrs

from holo_types.files.csv_files import write_csv

CLUSTER = "cluster30"
COLUMNS = ("file", "cluster", "protein", "relative", "split", "ligand", "extent")


@attrs.frozen
class Known:
    """The entry of a structure in `chains.csv`: that of its longest chain, with the strictest split of its chains."""

    cluster: str
    protein: str
    use: str


def known_structures() -> dict[tuple[str, str], Known]:
    """Read the entries of all structures of all archives."""
    # A structure gets the first of these splits that one of its chains has.
    order = ("test", "relative-test", "relative-valid", "valid", "train")
    rows: dict[tuple[str, str], list[dict[str, str]]] = {}
    with Path(__file__).with_name("chains.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rows.setdefault((row["archive"], row["structure"]), []).append(row)
    found = {}
    for key, chains in rows.items():
        longest = max(chains, key=lambda chain: int(chain["residues"]))
        use = min((chain["use"] for chain in chains), key=order.index)
        found[key] = Known(longest["cluster"], longest["protein"], use)
    return found


def _table(path: Path, delimiter: str) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter, restval=""))


def main() -> None:
    """Write the tables into the given folder."""
    if len(sys.argv) != 2 or not (folder := Path(sys.argv[1])).is_dir():
        raise SystemExit(__doc__)
    known = known_structures()
    chains: list[dict[str, str]] = []
    for row in _table(folder / "proteins" / "index.tsv", "\t"):
        found = known.get(("proteins", Path(row["file"]).stem))
        if found is not None and not found.use.startswith("relative"):
            file = f"proteins/chains/{row['file']}"
            chains.append(
                {
                    "file": file,
                    "split": found.use,
                    "cluster": found.cluster,
                    "of": found.protein,
                    "ligand": "",
                }
            )
    viewed = list(chains)
    pockets: list[dict[str, str]] = []
    for row in _table(folder / "affinity" / "labels.csv", ","):
        if row["source"] == "casf2016":
            found = known["affinity", row["id"]]
            files = {"file": f"affinity/{row['protein']}", "ligand": f"affinity/{row['ligand']}"}
            pockets.append({**files, "split": "test", "cluster": found.cluster, "protein": found.protein})
    for row in _table(folder / "refined" / "labels.csv", ","):
        found = known.get(("refined", row["id"]))
        files = {"file": f"refined/{row['protein']}", "ligand": f"refined/{row['ligand']}"}
        if found is not None and found.use == "train":
            viewed.append({**files, "split": "train", "cluster": found.cluster, "of": found.protein})
        if found is None or found.use not in ("valid", "relative-valid", "relative-test"):
            continue
        pockets.append(
            {
                **files,
                "split": found.use.removeprefix("relative-"),
                "cluster": found.cluster,
                "protein": found.protein,
                "relative": "" if found.use == "valid" else found.cluster,
                "extent": "pocket",
            }
        )
    write_csv(
        folder / "structures.csv",
        COLUMNS,
        ([row.get(name, "") for name in COLUMNS] for row in (*chains, *pockets)),
    )
    lines = [f"{row['file']}\t{row['split']}\t{row['cluster']}" for row in chains]
    text = "\n".join([f"file\tsplit\t{CLUSTER}", *lines]) + "\n"
    (folder / "index.tsv").write_text(text, encoding="utf-8")
    lines = [
        "\t".join(
            [
                f"../{row['file']}",
                row["split"],
                row["cluster"],
                row["of"],
                row["ligand"] and f"../{row['ligand']}",
            ]
        )
        for row in viewed
    ]
    text = "\n".join([f"file\tsplit\t{CLUSTER}\tprotein\tligand", *lines]) + "\n"
    (folder / "views").mkdir(exist_ok=True)
    (folder / "views" / "index.tsv").write_text(text, encoding="utf-8")
    for name, rows in (
        ("index.tsv", chains),
        ("views/index.tsv", viewed),
        ("structures.csv, with ligands", pockets),
    ):
        counts = Counter(row["split"] + (", relatives" if row.get("relative") else "") for row in rows)
        print(f"{name}: {', '.join(f'{count} {split}' for split, count in sorted(counts.items()))}")


if __name__ == "__main__":
    main()
