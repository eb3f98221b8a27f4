"""The bias of a model toward the residue that is present, a figure of docs/results/mutations.md.

    python docs/results/imprint.py DIR --apart MUTATIONS --out results/

DIR has index.tsv with the columns file, split and cluster30, of protein chains; those of the split train are used.
Two chains of a cluster are aligned, and where they have different residues, the model predicts both positions.
Relatives of the proteins of Ssym, named by mutations.csv in MUTATIONS, are left out, so that Ssym has no influence.
"""

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray

from holo_downstream import bootstrap_mean
from holo_features import (
    STANDARD_AMINO_ACIDS,
    Centers,
    Structure,
    alpha_carbons,
    one_letter_sequence,
    read_structure,
)
from holo_features.structures.alignment import align
from holo_types import HoloError
from holo_vae import Model, fill_in, imprint, load

IDENTITY = (0.5, 0.985)  # of a pair's aligned residues: similar surroundings, but some differences
COVERED, RELATED = 0.6, 0.3  # of the shorter chain, and identity there, above which a chain may be related
PLACES = 25  # of a pair at most, so that no pair dominates the figure
TRIES = 6  # pairs of a cluster that are tried until one has such an identity
LENGTHS = (40, 700)  # residues


@attrs.frozen(eq=False)
class Chain:
    """The longest chain of a structure.

    Parameters
    ----------
    structure, sites
        All of the structure, and the residues of the chain.
    sequence
        In the one-letter code.
    """

    structure: Structure
    sites: Centers
    sequence: str


def main() -> None:
    """Measure the imprint."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with index.tsv")
    parser.add_argument("--apart", type=Path, required=True, help="folder with mutations.csv")
    parser.add_argument("--model", default="microenvironment-fill-z128")
    parser.add_argument("--out", type=Path, required=True, help="folder for the figure")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    model, rng = load(given.model, Model), np.random.default_rng(0)
    apart = sequences_of_ssym(given.apart)
    found: dict[str, NDArray[np.float64]] = {}
    for cluster, files in clusters(given.data).items():
        values = of_one_pair(files, model, apart, rng)
        if len(values):
            found[cluster] = values
    groups = np.repeat(list(found), [len(values) for values in found.values()])
    interval = bootstrap_mean(np.concatenate(list(found.values())), groups)
    line = f"{len(groups)} places of {len(found)} pairs of relatives: {interval} nats"
    (given.out / "imprint.md").write_text(f"{line}\n", encoding="utf-8")


def clusters(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each cluster of training chains that has two or more."""
    found: dict[str, list[Path]] = defaultdict(list)
    with (folder / "index.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["split"] == "train":
                found[row["cluster30"]].append(folder / row["file"])
    return {cluster: files for cluster, files in found.items() if len(files) > 1}


def sequences_of_ssym(folder: Path) -> list[str]:
    """Return the sequences of Ssym's wild types."""
    with (folder / "mutations.csv").open(encoding="utf-8", newline="") as file:
        files = {row["file"] for row in csv.DictReader(file) if row["set"] == "ssym_direct"}
    return sorted({chain_of(folder / name).sequence for name in files})


def chain_of(path: Path) -> Chain:
    """Read the longest chain of a file."""
    structure = read_structure(path)
    sites = alpha_carbons(structure)
    names, counts = np.unique(sites.index["chain"], return_counts=True)
    longest = sites[np.flatnonzero(sites.index["chain"] == names[counts.argmax()])]
    return Chain(structure, longest, one_letter_sequence(longest.index["residue_name"].tolist()))


def of_one_pair(
    files: list[Path], model: Model, apart: list[str], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the imprints at the positions of one pair of relatives, if there is one."""
    for _ in range(TRIES):
        chosen = rng.choice(len(files), 2, replace=False).tolist()
        try:
            one, other = (chain_of(files[number]) for number in chosen)
        except HoloError:  # as a chain without Cα
            continue
        lengths = sorted((len(one.sequence), len(other.sequence)))
        if lengths[0] < LENGTHS[0] or lengths[1] > LENGTHS[1]:
            continue
        found = align(one.sequence, other.sequence)
        if not IDENTITY[0] <= found.identity <= IDENTITY[1]:
            continue
        if any(is_related(one.sequence, sequence) for sequence in apart):
            break
        names = [
            each.sites.index["residue_name"][found.pairs[:, column]]
            for column, each in enumerate((one, other))
        ]
        usual = np.isin(names, STANDARD_AMINO_ACIDS).all(axis=0)
        places = rng.permutation(found.pairs[usual & (names[0] != names[1])])[:PLACES]
        if not len(places):
            continue
        filled = (
            fill_in(each.structure, model, each.sites[places[:, column]])
            for column, each in enumerate((one, other))
        )
        return imprint(*filled)
    return np.empty(0)


def is_related(one: str, other: str) -> bool:
    """Return whether two chains may be relatives."""
    found = align(one, other)
    return found.identity > RELATED and len(found.pairs) > COVERED * min(len(one), len(other))


if __name__ == "__main__":
    main()
