"""Measurements of residues by invariants of their surroundings (extras structures, evaluation).

`worth` makes a table of them; `comparison` compares two models by them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import attrs
import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy.typing import NDArray

from holo_downstream import Scaling, best_regularization, probe, standardization, whitening
from holo_features import displaced, without_own_atoms
from holo_nn.testing import random_rotations
from holo_types import HoloError, PointClouds, concatenate

from .invariants import Invariants, ZAlone
from .matching import Matches, Pool, Question, match
from .measured_residues import Read, read_row
from .structure_table import StructureRow, StructureTable

__all__ = [
    "BEYOND",
    "MATCHES",
    "MUCH_NOISE",
    "NOISE",
    "PROBES",
    "Found",
    "Key",
    "Measured",
    "Probed",
    "find_matches",
    "turned_and_rounded",
]

BEYOND = 2.5  # Å by which surroundings are cut wider than the cutoff, since noise brings atoms in
NOISE, MUCH_NOISE = 0.1, 0.4  # Å
_PAIRS = 50_000
_SEARCHED = 1000  # residues whose distances from all others are in memory at once
PROBES = {
    "secondary structure": ("secondary_structure", "whole"),
    "burial": ("burial", "whole"),
    "residue type": ("residue_type", "whole"),
    "residue type, own atoms left out": ("residue_type", "without own atoms"),
    "residue type, own side chain left out": ("residue_type", "without side chain"),
}
MATCHES: Mapping[Question, str] = {
    "same residue": "same residue in another crystal",
    "relative": "aligned residue in a relative",
}
_VIEWS: Mapping[str, Literal["all", "side chain"] | None] = {
    "whole": None,
    "without own atoms": "all",
    "without side chain": "side chain",
}

Key = tuple[str, str]  # invariants and scaling
_Matrices = Mapping[str, NDArray[np.floating]]


@attrs.frozen(eq=False)
class Probed:
    """The answers of a linear probe on invariants.

    Parameters
    ----------
    row
        What the probe was to predict, one of `PROBES`.
    labeled : Bool[ndarray, "n"]
        Which residues have a label.
    right
        For each of the invariants, whether the probe predicted the label of each labeled residue.
    """

    row: str
    labeled: Bool[np.ndarray, "n"]
    right: Mapping[Key, Float[np.ndarray, "m"]]


@attrs.frozen(eq=False)
class Found:
    """How often residues of pockets are found in other structures, by protein.

    Parameters
    ----------
    row
        What was searched for, one of `MATCHES`.
    proteins
        The names of the proteins.
    means
        For each pair of invariants and scaling, the share that was found for each protein.
    chance
        The share that would be found by chance.
    """

    row: str
    proteins: tuple[str, ...]
    means: Mapping[Key, Float[np.ndarray, "proteins"]]
    chance: float


@attrs.frozen(eq=False)
class Measured:
    """Residues with their invariants, and the scaling of the distances between them.

    Parameters
    ----------
    invariants
        Functions of surroundings.
    training, clouds
        Surroundings of the residues that set the scale of distances, and of those that are measured, with their labels.
    training_matrices, clean
        Their invariants.
    scalings, medians
        The scaling of distances, and the median distance between two residues.
    seed
        The seed of draws and noise.
    """

    invariants: Invariants | ZAlone
    training: PointClouds
    clouds: PointClouds
    training_matrices: _Matrices
    clean: _Matrices
    scalings: Mapping[Key, Scaling]
    medians: Mapping[Key, float]
    seed: int

    @classmethod
    def of(
        cls, invariants: Invariants | ZAlone, training: PointClouds, clouds: PointClouds, seed: int
    ) -> "Measured":
        """Compute the invariants and the scaling of their distances."""
        known, clean = invariants.of(training), invariants.of(clouds)
        scalings = {(name, "std"): standardization(matrix) for name, matrix in known.items()}
        # With more dimensions than residues, the covariance cannot be estimated.
        scalings |= {
            (name, "white"): whitening(matrix)
            for name, matrix in known.items()
            if matrix.shape[1] < len(matrix) / 2
        }
        first, second = np.random.default_rng(seed).integers(len(clouds), size=(2, _PAIRS))
        medians = {}
        for key, scaling in scalings.items():
            scaled = scaling.of(clean[key[0]])
            medians[key] = float(np.median(_distances(scaled, first, second)))
        return cls(invariants, training, clouds, known, clean, scalings, medians, seed)

    @property
    def clusters(self) -> Shaped[np.ndarray, "n"]:
        """The cluster of each measured residue."""
        return self.clouds.index["cluster"]

    def moves(self, moved: PointClouds) -> dict[Key, Float[np.ndarray, "n"]]:
        """Return how far the invariants of each residue move, in units of the median distance between two residues."""
        matrices = self.invariants.of(moved)
        found = {}
        for key, scaling in self.scalings.items():
            difference = scaling.of(matrices[key[0]]) - scaling.of(self.clean[key[0]])
            found[key] = np.linalg.norm(difference.astype(np.float64), axis=1) / self.medians[key]
        return found

    def noise(self) -> tuple[dict[Key, Float[np.ndarray, "n"]], dict[Key, Float[np.ndarray, "n"]]]:
        """Return how far residues move under a little noise, and whether each is nearest to itself under much noise."""
        generator = np.random.default_rng(self.seed)
        little = self.moves(displaced(self.clouds, NOISE, generator))
        much = self.invariants.of(displaced(self.clouds, MUCH_NOISE, generator))
        recognized = {}
        for key, scaling in self.scalings.items():
            asked, known = scaling.of(much[key[0]]), scaling.of(self.clean[key[0]])
            squares = (known**2).sum(axis=1)
            nearest = [
                (squares - 2 * asked[start : start + _SEARCHED] @ known.T).argmin(axis=1)
                for start in range(0, len(asked), _SEARCHED)
            ]
            recognized[key] = (np.concatenate(nearest) == np.arange(len(known))).astype(np.float64)
        return little, recognized

    def probes(self, left_out: list[str]) -> Iterator[Probed]:
        """Predict labels from the invariants; those that cannot be predicted go to `left_out` with the reason."""
        for view, part in _VIEWS.items():
            names = {row: column for row, (column, of) in PROBES.items() if of == view}
            known, asked = self.training_matrices, self.clean
            try:
                if part is not None:
                    known, asked = (
                        self.invariants.of(without_own_atoms(clouds, part))
                        for clouds in (self.training, self.clouds)
                    )
            except HoloError as error:  # the clouds do not mark the residue's own atoms
                left_out += [f"{row}: {error}" for row in names]
                continue
            for row, column in names.items():
                try:
                    yield self._probed(row, column, known, asked)
                except HoloError as error:  # too few clusters or labels
                    left_out.append(f"{row}: {error}")

    def _probed(self, row: str, column: str, known: _Matrices, asked: _Matrices) -> Probed:
        labels, learned = self.clouds.index.column(column), self.training.index
        labeled = labels != ""
        right = {}
        for name, matrix in asked.items():
            strength = best_regularization(known[name], learned[column], learned["cluster"])
            result = probe(matrix, labels, self.clusters, seed=self.seed, regularization=strength)
            right[name, ""] = (result.predictions == labels).astype(np.float64)[labeled]
        return Probed(row, labeled, right)


def turned_and_rounded(
    reads: Sequence[Read], cutoff: float, channels: tuple[str, ...], seed: int
) -> PointClouds:
    """Cut out the surroundings of rotated structures, rounded to the three decimals of a PDB file."""
    parts = []
    rotations = random_rotations(len(reads), seed=seed).numpy()
    for read, rotation in zip(reads, rotations, strict=True):
        places = read.structure.atoms.coord.astype(np.float64) @ rotation.T
        parts.append(read.moved(np.round(places, 3)).clouds(cutoff, channels))
    return concatenate(parts)


def find_matches(
    measured: Measured,
    table: StructureTable,
    split: str,
    left_out: list[str],
    skip: Callable[[StructureRow, HoloError], None],
) -> Iterator[Found]:
    """Search for residues of pockets in other crystals and in relatives."""
    channels = measured.clouds.channels
    reads: dict[Question, list[Read]] = {"same residue": [], "relative": []}
    for row in table.of(split):
        if row.protein and row.ligand is not None:
            try:
                reads["relative" if row.relative else "same residue"].append(read_row(row, channels))
            except HoloError as error:
                skip(row, error)
    for question, name in MATCHES.items():
        matches = None
        if reads[question]:
            pool = Pool.of(reads[question], question)
            matches = match(pool, measured.invariants, measured.scalings, channels, seed=measured.seed)
        if matches is None:
            left_out.append(
                f"{name}: no residue of a pocket has one, according to the columns protein, relative and ligand"
            )
            continue
        yield _found(name, matches, [read.row.protein for read in reads[question]])


def _found(name: str, matches: Matches, proteins: Sequence[str]) -> Found:
    """Average over the residues of each protein."""
    numbers, places = np.unique(matches.proteins, return_inverse=True)
    sizes = np.bincount(places)
    means = {key: np.bincount(places, weights=right) / sizes for key, right in matches.right.items()}
    names = np.unique(proteins)[numbers]
    return Found(name, tuple(names.tolist()), means, matches.chance)


def _distances(
    rows: NDArray[np.floating], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.floating]:
    """Return the distances of pairs of rows, a few at a time, because the rows of a spectrum are long."""
    parts = [
        np.linalg.norm(rows[first[start : start + 2000]] - rows[second[start : start + 2000]], axis=1)
        for start in range(0, len(first), 2000)
    ]
    return np.concatenate(parts)
