"""A clustering of all chains of proteins, affinity, refined and fep, and the split of each cluster.

    pip install parasail
    python docs/results/split/cluster_chains.py FOLDER

FOLDER contains the four archives, unpacked: proteins/, affinity/, refined/, fep/. The result is `chains.csv` beside
this file, which contains only ids and numbers.

Two chains are linked if their best local alignment (Smith-Waterman, BLOSUM62, gaps -11 and -1) has an E-value of
1e-5 at most and at least 30 % of equal residues, over half of the shorter chain or 80 residues; or if both belong to
one UniProt entry or to one cluster of their archive, which was made from whole sequences, whereas files of `refined`
contain only pockets. A cluster consists of all chains that are linked in any number of steps, so that no chain has a
detectable relative in another cluster. A `protein` is defined in the same way with 95 % identity over 80 % of the
shorter chain, or one UniProt entry.

The split of a cluster is the first of these whose condition holds:

- `test`: it contains a test chain of proteins, or a chain of casf2016;
- `valid`: it contains a validation chain of proteins;
- `relative-test`, `relative-valid`: `refined` has several UniProt entries of it, and it is in the half of these that
  is drawn with SEED; one in four of that half is for validation;
- `train`: all others.
"""

import csv
import sys
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path

import attrs
import numpy as np
import parasail

import holo_features
from holo_types import HoloError
from holo_types.files.csv_files import write_csv

SEED = 17
IDENTITY, SAME_PROTEIN = 0.30, 0.95
LEAST_SHARE, ENOUGH_COLUMNS, SAME_SHARE = 0.5, 80, 0.8
E_VALUE = 1e-5
GAPS = (11, 1)
LAMBDA, K = 0.267, 0.041  # of BLOSUM62 with these gaps; Altschul et al., Nucleic Acids Res. 25, 3389 (1997)
SHORTEST = 20
COLUMNS = ("archive", "structure", "chain", "residues", "cluster", "protein", "use")
MATRIX = parasail.blosum62


@attrs.frozen
class Chain:
    """A chain of a structure of an archive, with the information from the archive."""

    archive: str
    structure: str
    chain: str
    sequence: str
    cluster: str = ""
    uniprot: str = ""
    split: str = ""


@attrs.frozen
class Source:
    """A structure file of an archive."""

    archive: str
    structure: str
    path: Path
    cluster: str = ""
    uniprot: str = ""
    split: str = ""
    binding_chain: str = ""


def sources(folder: Path) -> Iterator[Source]:
    """Find the structure files of all archives."""
    for row in _table(folder / "proteins" / "index.tsv", "\t"):
        path = folder / "proteins" / "chains" / row["file"]
        yield Source("proteins", path.stem, path, cluster=row["cluster30"], split=row["split"])
    for row in _table(folder / "affinity" / "labels.csv", ","):
        yield Source(
            "affinity",
            row["id"],
            folder / "affinity" / row["protein"],
            cluster=row["cluster30"],
            split="test" if row["source"] == "casf2016" else "",
            binding_chain=row["binding_chain"],
        )
    for row in _table(folder / "refined" / "labels.csv", ","):
        path = folder / "refined" / row["protein"]
        yield Source("refined", row["id"], path, cluster=row["cluster30"], uniprot=row["uniprot"])
    for path in sorted((folder / "fep").rglob("*.pdb")):
        yield Source("fep", f"{path.parent.name}/{path.stem}", path)


def _table(path: Path, delimiter: str) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter, restval=""))


def chains_of(source: Source) -> list[Chain]:
    """Read the chains of a structure that are long enough to be compared."""
    centers = holo_features.alpha_carbons(holo_features.read_structure(source.path))
    names, chains = centers.index["residue_name"], centers.index["chain"]
    found = []
    for chain in dict.fromkeys(chains.tolist()):
        sequence = holo_features.one_letter_sequence(names[chains == chain].tolist())
        # What a table says about a complex applies to the chain that binds the ligand.
        told = source.binding_chain in ("", chain)
        found.append(
            Chain(
                source.archive,
                source.structure,
                chain,
                sequence,
                cluster=source.cluster if told else "",
                uniprot=source.uniprot if told else "",
                split=source.split,
            )
        )
    return [chain for chain in found if len(chain.sequence) >= SHORTEST]


@attrs.frozen
class Link:
    """A significant alignment of two sequences."""

    first: int
    second: int
    identity: float
    columns: int


def links(sequences: list[str]) -> Iterator[Link]:
    """Align all pairs of sequences, and compute the full alignment only if the score is significant."""
    residues = sum(map(len, sequences))
    for first, sequence in enumerate(sequences):
        profile = parasail.profile_create_sat(sequence, MATRIX)
        # E = K m n exp(-lambda S), over the residues of all sequences
        least = np.log(K * len(sequence) * residues / E_VALUE) / LAMBDA
        for second in range(first + 1, len(sequences)):
            other = sequences[second]
            if parasail.sw_striped_profile_sat(profile, other, *GAPS).score < least:
                continue
            counted = parasail.sw_stats_striped_profile_sat(
                parasail.profile_create_stats_sat(sequence, MATRIX), other, *GAPS
            )
            yield Link(first, second, counted.matches / counted.length, counted.length)
        if first % 100 == 0:
            print(f"{first} of {len(sequences)} sequences", file=sys.stderr, flush=True)


class Components:
    """Components of items that are linked in any number of steps."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def find(self, thing: int) -> int:
        """Return the item that represents the component of an item."""
        while self._parents[thing] != thing:
            self._parents[thing] = self._parents[self._parents[thing]]
            thing = self._parents[thing]
        return thing

    def link(self, first: int, second: int) -> None:
        """Link two items."""
        low, high = sorted((self.find(first), self.find(second)))
        self._parents[high] = low

    def link_equal(self, keys: Iterable[Hashable]) -> None:
        """Link items with equal keys, where None equals nothing."""
        firsts: dict[Hashable, int] = {}
        for thing, key in enumerate(keys):
            if key is not None:
                self.link(firsts.setdefault(key, thing), thing)

    def numbers(self) -> list[int]:
        """Return the number of each item's component, counted from 1 in the order of their first items."""
        known: dict[int, int] = {}
        return [known.setdefault(self.find(thing), len(known) + 1) for thing in range(len(self._parents))]


def uses(chains: list[Chain], clusters: list[int]) -> dict[int, str]:
    """Return the split of each cluster."""
    splits, entries = defaultdict(set), defaultdict(set)
    for chain, cluster in zip(chains, clusters, strict=True):
        splits[cluster].add(chain.split)
        entries[cluster].add(chain.uniprot)
    several = [
        cluster
        for cluster in sorted(splits)
        if len(entries[cluster] - {""}) > 1 and not splits[cluster] & {"test", "valid"}
    ]
    drawn = np.random.default_rng(SEED).permutation(several)[: len(several) // 2].tolist()
    found = {}
    for cluster, held in splits.items():
        found[cluster] = "test" if "test" in held else "valid" if "valid" in held else "train"
    for number, cluster in enumerate(drawn):
        found[cluster] = "relative-valid" if number % 4 == 0 else "relative-test"
    return found


def main() -> None:
    """Cluster the chains in the given folder."""
    (folder,) = map(Path, sys.argv[1:])
    chains: list[Chain] = []
    for source in sources(folder):
        try:
            chains += chains_of(source)
        except HoloError as error:
            print(f"left out: {error}", file=sys.stderr)
    sequences = sorted({chain.sequence for chain in chains}, key=lambda text: (-len(text), text))
    places = {sequence: place for place, sequence in enumerate(sequences)}
    related, same = Components(len(chains)), Components(len(chains))
    for each in (related, same):
        each.link_equal(chain.sequence for chain in chains)
        each.link_equal(chain.uniprot or None for chain in chains)
    related.link_equal((chain.archive, chain.cluster) if chain.cluster else None for chain in chains)
    first_with = {place: chain for chain, place in reversed([*enumerate(places[c.sequence] for c in chains)])}
    for link in links(sequences):
        shorter = min(len(sequences[link.first]), len(sequences[link.second]))
        pair = first_with[link.first], first_with[link.second]
        if link.identity >= IDENTITY and link.columns >= min(LEAST_SHARE * shorter, ENOUGH_COLUMNS):
            related.link(*pair)
        if link.identity >= SAME_PROTEIN and link.columns >= SAME_SHARE * shorter:
            same.link(*pair)
    clusters, proteins = related.numbers(), same.numbers()
    use = uses(chains, clusters)
    write_csv(
        Path(__file__).with_name("chains.csv"),
        COLUMNS,
        (
            (c.archive, c.structure, c.chain, len(c.sequence), cluster, protein, use[cluster])
            for c, cluster, protein in zip(chains, clusters, proteins, strict=True)
        ),
    )


if __name__ == "__main__":
    main()
