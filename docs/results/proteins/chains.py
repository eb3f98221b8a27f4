"""Protein chains of a folder, and their residues as holograms with labels."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np
from jaxtyping import Float

import holo_features
from holo_features import STANDARD_AMINO_ACIDS, Centers, Encoding, Selection, Structure
from holo_types import Basis, HoloError, Holograms, PointClouds, concatenate
from holo_vae import StructureData
from holo_vae.data.structure_sets import TableRow, read_table

__all__ = [
    "BURIALS",
    "CLUSTER",
    "Protein",
    "encode",
    "encode_files",
    "one_of_each_cluster",
    "read_proteins",
    "read_splits",
    "selection_of",
]

CLUSTER = "cluster30"  # of 30 % identity, which the splits keep whole
BURIALS = ("buried", "between", "exposed")
# Of the relative solvent-accessible area; Rost and Sander, Proteins 20, 216 (1994).
_BURIAL_EDGES = (0.09, 0.36)


@attrs.frozen(eq=False)
class Protein:
    """A protein chain, with labels of its residues.

    Parameters
    ----------
    structure
        The atoms.
    centers
        The Cα of its residues. The index says of each beside its name: ``cluster``; ``residue_type``, one of the
        twenty or empty; ``burial``, one of `BURIALS` or empty; ``exposure``, the relative solvent-accessible area
        in hundredths, -1 where it is not known; ``atoms``, how many are within 10 Å.
    """

    structure: Structure
    centers: Centers

    def clouds(self, cutoff: float, channels: tuple[str, ...]) -> PointClouds:
        """Return the neighborhoods of all residues."""
        return holo_features.neighborhoods(
            self.structure,
            cutoff,
            channels,
            secondary_structure=True,
            centers=self.centers,
        )

    def turned(self, rotation: Float[np.ndarray, "3 3"]) -> "Protein":
        """Rotate all atoms about their center in float64, and round them to the float32 of `Structure`."""
        atoms = self.structure.atoms.copy()
        places = atoms.coord.astype(np.float64)
        atoms.coord = ((places - places.mean(axis=0)) @ rotation.T).astype(np.float32)
        positions = atoms.coord[self.centers.atoms].astype(np.float64)
        return Protein(
            attrs.evolve(self.structure, atoms=atoms), attrs.evolve(self.centers, positions=positions)
        )


def read_splits(folder: Path) -> Mapping[str, Sequence[TableRow]]:
    """Read the split and the sequence cluster of each chain of a folder."""
    return read_table(StructureData(kind="structures", columns=(CLUSTER,)), folder)


def selection_of(basis: Basis) -> Selection:
    """Return the selection, which includes ligands if the basis has a channel for them, as in training."""
    return Selection(hetero="other" in basis.channels)


def read_proteins(chains: Iterable[TableRow], selection: Selection) -> Iterator[Protein | HoloError]:
    """Read chains, and return the error for each file that cannot be used."""
    for chain in chains:
        try:
            yield _read(chain, selection)
        except HoloError as error:
            yield error


def _read(chain: TableRow, selection: Selection) -> Protein:
    structure = holo_features.read_structure(chain.path, selection)
    centers = holo_features.alpha_carbons(structure)
    if len(centers) == 0:
        raise HoloError(f"{chain.path}: has no residue with a CA")
    names = centers.index["residue_name"]
    shares = holo_features.relative_surface_areas(structure)
    known = ~np.isnan(shares)
    burial = np.where(known, np.array(BURIALS)[np.digitize(shares, _BURIAL_EDGES)], "")
    everything = holo_features.neighborhoods(structure, 10.0, ("C", "other"), centers=centers)
    if len(everything) != len(centers):
        raise HoloError(f"{chain.path}: has a residue with nothing around it")
    index = centers.index.assign(
        cluster=np.full(len(centers), chain.columns[CLUSTER]),
        residue_type=np.where(np.isin(names, STANDARD_AMINO_ACIDS), names, ""),
        burial=burial,
        exposure=np.where(known, np.rint(100 * np.nan_to_num(shares)), -1).astype(np.int64),
        atoms=np.diff(everything.offsets),
    )
    return Protein(structure, attrs.evolve(centers, index=index))


def encode(proteins: Iterable[Protein], basis: Basis) -> Holograms:
    """Encode the neighborhoods of all residues, with their labels in the index."""
    assert basis.radial is not None
    cutoff = basis.radial.cutoff
    return concatenate(
        [
            holo_features.zernike_transform(protein.clouds(cutoff, basis.channels), basis, np.float32)
            for protein in proteins
        ]
    )


def one_of_each_cluster(chains: Iterable[TableRow], count: int | None, seed: int) -> list[TableRow]:
    """Draw one chain from each of a number of clusters, or from all if it is None."""
    generator = np.random.default_rng(seed)
    members: dict[str, list[TableRow]] = {}
    for chain in chains:
        members.setdefault(chain.columns[CLUSTER], []).append(chain)
    clusters = generator.permutation(sorted(members))[:count].tolist()
    return [members[cluster][generator.integers(len(members[cluster]))] for cluster in clusters]


def encode_files(chains: Iterable[TableRow], basis: Basis, encoding: Encoding) -> Holograms:
    """Encode chains without labels, skipping files that cannot be used."""
    encoded = holo_features.encode_structures([chain.path for chain in chains], basis, encoding=encoding)
    return concatenate([file.holograms for file in encoded if file.holograms is not None])
