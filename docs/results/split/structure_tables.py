"""Write the tables that training and `holo-vae worth` take, by the one split of `chains.csv`.

    python docs/results/split/structure_tables.py FOLDER

FOLDER holds the archives proteins/, affinity/ and refined/, unpacked; `index.tsv`, `views/index.tsv` and
`structures.csv` are written there.

`index.tsv` (file, split, cluster30) has the chains of proteins, each for what its cluster is for; those of clusters
that *relative* is scored on are left out. `views/index.tsv` (file, split, cluster30, protein, ligand) has the same and
the pockets of `refined` to train on, many of them of one protein.

`structures.csv` has the same chains, and with ligands, which are no neighbors:

- for *same residue* the casf2016 structures (`test`), and what `refined` has of validation clusters (`valid`);
- for *relative* what `refined` has of the clusters that were drawn, split as they are.

Files of `refined` hold nothing but what is around the pocket: `extent` says so.
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
    """What `chains.csv` says of a structure: of its longest chain, and what the worst of its chains is for."""

    cluster: str
    protein: str
    use: str


def known_structures() -> dict[tuple[str, str], Known]:
    """Read what is known of each structure of each archive."""
    # The first of these that a chain of the structure is for decides for the structure.
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
    """Write the tables into the folder that was named."""
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
