"""Surroundings of atoms in proteins, for training a model that predicts which kind of atom belongs where.

    python docs/results/affinity/protein_atoms.py FOLDER --out atoms.h5
    holo train atoms.h5 --recipe docs/results/affinity/protein-atoms.yaml --out run

FOLDER is that of docs/results/split, whose proteins/chains contains the chains. From each chain whose sequence cluster
has no complex with a measured affinity (docs/results/split/chains.csv), up to 220 atoms are drawn. The surroundings
of an atom are the atoms of all residues except its own and the two next to it in the chain, so that, as around a
ligand atom, they are not bonded to it.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from affinity_kinds import OTHER, protein_kind
from numpy.typing import NDArray

import holo_types
from holo_features import Structure, read_structure
from holo_features.structures.residue import residue_numbers
from holo_features.surroundings.channels import channel_weights
from holo_features.surroundings.pairs import pairs_within
from holo_types import HoloError, Index, PointClouds
from holo_types.files.csv_files import csv_text

CHANNELS = ("protein:C", "protein:N", "protein:O", "protein:S")
CHAINS = Path(__file__).parents[1] / "split" / "chains.csv"
_WITH_AFFINITY = ("affinity", "refined")
_RADIUS = 9.5  # Å: the cutoff of 8 Å, and a margin for noise
_MOST = 220  # atoms of a chain
_SHARE = 0.6  # share of its atoms
_FEWEST = 8  # atoms around an atom
_DENSEST = 400  # more are found only if several models are superposed
# Half of all atoms belong to the backbone, whose surroundings are all similar.
_WEIGHTS = {"N": 0.35, "O": 0.35, "C": 0.12, "CA": 0.12}


def main() -> None:
    """Write the surroundings."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder with proteins/chains")
    parser.add_argument("--out", type=Path, required=True, help="HDF5 file of point clouds")
    given = parser.parse_args()
    rows = list(csv.DictReader(csv_text(CHAINS)))
    left_out = {row["cluster"] for row in rows if row["archive"] in _WITH_AFFINITY}
    rng = np.random.default_rng(0)
    parts = []
    for row in rows:
        if (
            row["archive"] == "proteins"
            and row["cluster"] not in left_out
            and row["use"] in ("train", "valid")
        ):
            path = given.folder / "proteins" / "chains" / f"{row['structure']}.pdb"
            try:
                parts.append(surroundings(read_structure(path), row["cluster"], rng))
            except HoloError as error:
                raise SystemExit(f"{path}: {error}") from None
    holo_types.save(holo_types.concatenate(parts), given.out)


def surroundings(structure: Structure, cluster: str, rng: np.random.Generator) -> PointClouds:
    """Return the surroundings of some atoms of a chain."""
    atoms = structure.atoms
    named = zip(atoms.res_name.tolist(), atoms.atom_name.tolist(), strict=True)
    kinds = np.array([protein_kind(*names) for names in named])
    chances = np.array([_WEIGHTS.get(name, 1.0) for name in atoms.atom_name.tolist()]) * (kinds != OTHER)
    count = min(_MOST, int(_SHARE * np.count_nonzero(chances)))
    chosen = np.sort(rng.choice(len(atoms), count, replace=False, p=chances / chances.sum()))
    weights = channel_weights(atoms, CHANNELS)
    near = pairs_within(atoms.coord.astype(np.float64), atoms.coord[chosen].astype(np.float64), _RADIUS)
    centers = np.repeat(np.arange(count), near.counts)
    residues = residue_numbers(atoms)
    bonded = np.abs(residues[near.points] - residues[chosen][centers]) <= 1
    kept = ~bonded & weights[near.points].any(axis=1)
    sizes = np.bincount(centers[kept], minlength=count)
    usable = (sizes >= _FEWEST) & (sizes < _DENSEST)
    kept &= usable[centers]
    points, centers = near.points[kept], centers[kept]
    places: NDArray[np.float32] = (atoms.coord[points] - atoms.coord[chosen][centers]).astype(np.float32)
    many = int(usable.sum())
    index = Index(
        {
            "structure": np.full(many, structure.name),
            "kind": kinds[chosen][usable],
            "cluster30": np.full(many, cluster),
        }
    )
    offsets = np.concatenate([[0], np.cumsum(sizes[usable])])
    return PointClouds(places, weights[points], offsets, CHANNELS, index=index)


if __name__ == "__main__":
    main()
