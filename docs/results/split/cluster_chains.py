"""One clustering of all chains of proteins, affinity, refined and fep, and what each cluster is for.

    pip install parasail
    python docs/results/split/cluster_chains.py FOLDER

FOLDER holds the four archives, unpacked: proteins/, affinity/, refined/, fep/. What comes out is `chains.csv` beside
this file: ids and numbers only.

Two chains are linked where their best local alignment (Smith-Waterman, BLOSUM62, gaps -11 and -1) has an E-value of
1e-5 at most and at least 30 % of equal residues, over half of the shorter chain or 80 residues; or where both are of
one UniProt entry or of one cluster of the archive that they come from, which was made with whole sequences: files of
`refined` hold pockets alone. Clusters are what is linked in any number of steps, so that no chain has a relative in
another cluster that this finds. A `protein` is the same with 95 %, over 80 % of the shorter chain, or one UniProt
entry.

Of a cluster the first that is true decides what it is for:

- `test`: it holds a test chain of proteins, or a chain of casf2016;
- `valid`: it holds a validation chain of proteins;
- `relative-test`, `relative-valid`: `refined` has several UniProt entries of it, and it is one of the half that is
  drawn with SEED; of that half one in four is for validation;
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
    """A chain of a structure of an archive, and what the archive says of it."""

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
        # What a table says of a complex is said of the chain that binds.
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
    """An alignment of two sequences that is no chance."""

    first: int
    second: int
    identity: float
    columns: int


def links(sequences: list[str]) -> Iterator[Link]:
    """Align all pairs of sequences; the long way only those with a score that is no chance."""
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
    """Things that are linked in any number of steps."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def find(self, thing: int) -> int:
        """Return the one that stands for all that are linked with a thing."""
        while self._parents[thing] != thing:
            self._parents[thing] = self._parents[self._parents[thing]]
            thing = self._parents[thing]
        return thing

    def link(self, first: int, second: int) -> None:
        """Link two things."""
        low, high = sorted((self.find(first), self.find(second)))
        self._parents[high] = low

    def link_equal(self, keys: Iterable[Hashable]) -> None:
        """Link things of equal keys; None is equal to nothing."""
        firsts: dict[Hashable, int] = {}
        for thing, key in enumerate(keys):
            if key is not None:
                self.link(firsts.setdefault(key, thing), thing)

    def numbers(self) -> list[int]:
        """Give each thing the number of its component, from 1 in the order in which they first come."""
        known: dict[int, int] = {}
        return [known.setdefault(self.find(thing), len(known) + 1) for thing in range(len(self._parents))]


def uses(chains: list[Chain], clusters: list[int]) -> dict[int, str]:
    """Say what each cluster is for."""
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
    """Cluster the chains below the folder that was named."""
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
