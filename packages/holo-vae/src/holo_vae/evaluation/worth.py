"""What z is worth: what moves it, what it recognizes, what is read from it (extras structures, evaluation)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import attrs
import numpy as np
from jaxtyping import Float, Shaped
from numpy.typing import NDArray

from holo_downstream import (
    Interval,
    Scaling,
    best_regularization,
    bootstrap_mean,
    effective_dimension,
    probe,
    standardization,
    whitening,
)
from holo_features import displaced, without_own_atoms
from holo_nn.testing import random_rotations
from holo_types import HoloError, PointClouds, concatenate
from holo_vae.networks.model import Model
from holo_vae.networks.row_losses import row_cosine_losses

from .invariants import Invariants, ZAlone, encoded
from .matching import Pool, Question, match
from .measured_residues import Read, draw_residues, read_row
from .reconstruction import mean_hologram_cosine_loss
from .structure_table import StructureRow, StructureTable, read_structure_table

__all__ = ["PARTS", "PROBES", "Figure", "Worth", "measure_worth"]

_BEYOND = 2.5  # Å: surroundings are cut so much wider, as noise brings atoms in
_NOISE, _MUCH_NOISE = 0.1, 0.4  # Å
_PAIRS = 50_000
_MOVED = 0.01  # of the median distance of two residues
PROBES = {
    "secondary structure": ("secondary_structure", "whole"),
    "burial": ("burial", "whole"),
    "residue type": ("residue_type", "whole"),
    "residue type, own atoms left out": ("residue_type", "without own atoms"),
    "residue type, own side chain left out": ("residue_type", "without side chain"),
}
PARTS = (
    "reading structures",
    "reconstruction",
    "effective dimension",
    "continuity",
    "noise",
    "probes",
    "other crystals and relatives",
)
MATCHES: Mapping[Question, str] = {
    "same residue": "same residue in another crystal",
    "relative": "aligned residue in a relative",
}
_Matrices = Mapping[str, NDArray[np.floating]]


@attrs.frozen(kw_only=True)
class Figure:
    """One number of the table.

    Parameters
    ----------
    row
        What was measured.
    of
        Which invariants, such as ``"z"``.
    scaling
        How distances were measured: ``"white"`` or ``"std"``, by the covariance of clean training residues or by the
        variance of each number; empty where the row knows none.
    value
        The figure, with a 95 % interval where there is one: a bootstrap over clusters, or over proteins.
    z_above
        By how much z is above it, paired; None for z itself and where there are no pairs.
    trained
        Whether the model was trained for what the row asks.
    """

    row: str
    of: str
    scaling: str = ""
    value: Interval
    z_above: Interval | None = None
    trained: bool = False


@attrs.frozen(kw_only=True)
class Worth:
    """What a model's z is worth on the structures of a folder.

    Parameters
    ----------
    model, digest
        Which model.
    split
        The structures' split.
    training_residues, residues, clusters
        How many residues scale distances and choose regularizations; how many are measured, of how many clusters.
    figures
        The numbers.
    left_out
        Rows that were not measured, and structures that could not be used, each with the reason.
    """

    model: str
    digest: str
    split: str
    training_residues: int
    residues: int
    clusters: int
    figures: tuple[Figure, ...]
    left_out: tuple[str, ...]


def measure_worth(
    model: Model,
    folder: Path,
    *,
    split: str = "valid",
    residues: int = 5000,
    trained_for: Iterable[str] = (),
    baselines: bool = True,
    seed: int = 0,
    on_part: Callable[[str], None] = lambda part: None,
) -> Worth:
    """Measure what z is worth, beside invariants that need no training.

    All distances are measured in one way: by mean and covariance of clean training residues.

    Parameters
    ----------
    model
        A model of residues' surroundings; not conditional.
    folder
        With structures and ``structures.csv``, see `read_structure_table`. Residues of structures without a ligand are
        measured one by one, those of pockets are looked for in other structures.
    split
        Which structures are measured, ``"valid"`` or ``"test"``; those of ``"train"`` scale distances.
    residues
        How many residues, at least, are drawn of either, a structure of each cluster at a time.
    trained_for
        Further rows for whose label the model was trained, beside those of its heads; they are marked.
    baselines
        Whether z stands beside invariants that need no training, which take most of the time: one table of them serves
        for all models of a basis.
    seed
        The seed of draws, noise and rotations.
    on_part
        Is told what comes next, one of `PARTS`.

    Returns
    -------
    Worth

    Raises
    ------
    HoloError
        If the table cannot be read, the model is of images or conditional, or a split has no residues.
    """
    basis = model.config.basis
    if basis.radial is None or model.config.condition is not None:
        raise HoloError(
            f"model {model.name!r} is of images or conditional; z of residues' surroundings is needed"
        )
    if split not in ("valid", "test"):
        raise HoloError(f"split is {split!r}; it must be 'valid' or 'test'")
    table = read_structure_table(folder)
    left_out = [f"{name}: structures.csv has no such column" for name in table.missing]

    def skip(row: StructureRow, error: HoloError) -> None:
        left_out.append(f"{row.path.relative_to(folder)}: {str(error).replace(f'{folder}/', '')}")

    cutoff, channels = basis.radial.cutoff + _BEYOND, basis.channels
    on_part(PARTS[0])
    drawn = [
        draw_residues(
            [row for row in table.of(part) if row.ligand is None],
            residues,
            cutoff,
            channels,
            seed=seed,
            on_error=skip,
        )
        for part in ("train", split)
    ]
    (_, training), (reads, clean) = drawn
    invariants = Invariants(model, training, seed) if baselines else ZAlone(model)
    measured = _Measured.of(invariants, training, clean, _trained_for(model) | {*trained_for}, seed)
    rows: tuple[Callable[[], list[Figure]], ...] = (
        lambda: measured.reconstruction(model, training),
        measured.dimensions,
        lambda: measured.continuity(reads, cutoff, channels),
        measured.noise,
        lambda: measured.probes(left_out),
        lambda: _matches(measured, table, split, left_out, skip),
    )
    figures: list[Figure] = []
    for part, measure in zip(PARTS[1:], rows, strict=True):
        on_part(part)
        figures += measure()
    return Worth(
        model=f"{model.name} {model.version}",
        digest=model.digest,
        split=split,
        training_residues=len(training),
        residues=len(clean),
        clusters=len(np.unique(clean.index["cluster"])),
        figures=tuple(figures),
        left_out=tuple(left_out),
    )


@attrs.frozen(eq=False)
class _Measured:
    """Residues, their invariants, and how distances between these are scaled."""

    invariants: Invariants | ZAlone
    training: PointClouds
    clouds: PointClouds
    clean: _Matrices
    training_matrices: _Matrices
    scalings: Mapping[tuple[str, str], Scaling]
    medians: Mapping[tuple[str, str], float]
    trained_for: frozenset[str]
    seed: int

    @classmethod
    def of(
        cls,
        invariants: Invariants | ZAlone,
        training: PointClouds,
        clouds: PointClouds,
        trained_for: frozenset[str],
        seed: int,
    ) -> "_Measured":
        known, clean = invariants.of(training), invariants.of(clouds)
        scalings = {(name, "std"): standardization(matrix) for name, matrix in known.items()}
        # Of more numbers than residues no covariance is known.
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
        return cls(invariants, training, clouds, clean, known, scalings, medians, trained_for, seed)

    @property
    def clusters(self) -> Shaped[np.ndarray, "n"]:
        return self.clouds.index["cluster"]

    def _figure(
        self, row: str, key: tuple[str, str], value: Interval, above: Interval | None = None
    ) -> Figure:
        trained = row in self.trained_for
        return Figure(row=row, of=key[0], scaling=key[1], value=value, z_above=above, trained=trained)

    def shares(
        self,
        row: str,
        values: Mapping[tuple[str, str], Float[np.ndarray, "n"]],
        groups: Shaped[np.ndarray, "n"],
    ) -> list[Figure]:
        """Return means of what is known of each residue, and by how much z's are above them, paired by group."""
        figures = []
        for key, own in values.items():
            of_z = None if key[0] == "z" else values.get(("z", key[1]))
            above = None if of_z is None else _mean(of_z - own, groups, self.seed)
            figures.append(self._figure(row, key, _mean(own, groups, self.seed), above))
        return figures

    def reconstruction(self, model: Model, training: PointClouds) -> list[Figure]:
        holograms = encoded(self.clouds, model.config.basis)
        losses = row_cosine_losses(holograms, model.decode(model.encode(holograms)))
        mean = mean_hologram_cosine_loss(encoded(training, model.config.basis), holograms)
        return [
            self._figure("cosine loss", ("z", ""), _mean(losses, self.clusters, self.seed)),
            self._figure("cosine loss", ("mean hologram", ""), _plain(mean)),
        ]

    def dimensions(self) -> list[Figure]:
        return [
            self._figure("effective dimension", (name, ""), _plain(effective_dimension(matrix)))
            for name, matrix in self.training_matrices.items()
        ]

    def _moves(self, moved: _Matrices, key: tuple[str, str]) -> NDArray[np.float64]:
        """How far each residue has moved, in median distances of two residues."""
        scaling = self.scalings[key]
        difference = scaling.of(moved[key[0]]) - scaling.of(self.clean[key[0]])
        moves: NDArray[np.float64] = np.linalg.norm(difference.astype(np.float64), axis=1) / self.medians[key]
        return moves

    def _moved(self, what: str, moved: _Matrices, *, largest: bool) -> list[Figure]:
        figures = []
        for key in self.scalings:
            moves = self._moves(moved, key)
            statistics = {"median": np.median(moves), "99 %": np.quantile(moves, 0.99)}
            if largest:
                statistics |= {"largest": moves.max(), "share beyond 1 %": (moves > _MOVED).mean()}
            figures += [
                self._figure(f"{what}: {name}", key, _plain(float(value)))
                for name, value in statistics.items()
            ]
        return figures

    def continuity(self, reads: Sequence[Read], cutoff: float, channels: tuple[str, ...]) -> list[Figure]:
        parts = []
        rotations = random_rotations(len(reads), seed=self.seed).numpy()
        for read, rotation in zip(reads, rotations, strict=True):
            places = read.structure.atoms.coord.astype(np.float64) @ rotation.T
            parts.append(read.moved(np.round(places, 3)).clouds(cutoff, channels))
        return self._moved("turned and rounded", self.invariants.of(concatenate(parts)), largest=True)

    def noise(self) -> list[Figure]:
        generator = np.random.default_rng(self.seed)
        little = self.invariants.of(displaced(self.clouds, _NOISE, generator))
        figures = self._moved(f"noise of {_NOISE:g} Å", little, largest=False)
        much = self.invariants.of(displaced(self.clouds, _MUCH_NOISE, generator))
        recognized = {}
        for key, scaling in self.scalings.items():
            asked, known = scaling.of(much[key[0]]), scaling.of(self.clean[key[0]])
            squares = (known**2).sum(axis=1)
            nearest = [
                (squares - 2 * asked[start : start + 1000] @ known.T).argmin(axis=1)
                for start in range(0, len(asked), 1000)
            ]
            recognized[key] = (np.concatenate(nearest) == np.arange(len(known))).astype(np.float64)
        return figures + self.shares(f"nearest to itself at {_MUCH_NOISE:g} Å", recognized, self.clusters)

    def probes(self, left_out: list[str]) -> list[Figure]:
        figures: list[Figure] = []
        views: dict[str, Literal["all", "side chain"] | None] = {
            "whole": None,
            "without own atoms": "all",
            "without side chain": "side chain",
        }
        for view, part in views.items():
            names = {row: column for row, (column, of) in PROBES.items() if of == view}
            known, asked = self.training_matrices, self.clean
            if part is not None:
                known, asked = (
                    self.invariants.of(without_own_atoms(clouds, part))
                    for clouds in (self.training, self.clouds)
                )
            for row, column in names.items():
                try:
                    figures += self._probed(row, column, known, asked)
                except HoloError as error:  # too few clusters or labels
                    left_out.append(f"{row}: {error}")
        return figures

    def _probed(self, row: str, column: str, known: _Matrices, asked: _Matrices) -> list[Figure]:
        labels, learned = self.clouds.index[column], self.training.index
        right = {}
        for name, matrix in asked.items():
            strength = best_regularization(known[name], learned[column], learned["cluster"])
            result = probe(matrix, labels, self.clusters, seed=self.seed, regularization=strength)
            right[name, ""] = (result.predictions == labels).astype(np.float64)[labels != ""]
        return self.shares(row, right, self.clusters[labels != ""])


def _trained_for(model: Model) -> frozenset[str]:
    """Name the rows that ask what a head of the model was trained to say."""
    columns = {
        "residue_type" if head.column == "residue_name" else head.column for head in model.config.heads
    }
    return frozenset(row for row, (column, _) in PROBES.items() if column in columns)


def _matches(
    measured: _Measured,
    table: StructureTable,
    split: str,
    left_out: list[str],
    skip: Callable[[StructureRow, HoloError], None],
) -> list[Figure]:
    """Look for residues of pockets in other crystals and in relatives."""
    channels = measured.clouds.channels
    reads: dict[Question, list[Read]] = {"same residue": [], "relative": []}
    for row in table.of(split):
        if row.protein and row.ligand is not None:
            try:
                reads["relative" if row.relative else "same residue"].append(read_row(row, channels))
            except HoloError as error:
                skip(row, error)
    figures: list[Figure] = []
    for question, name in MATCHES.items():
        matches = None
        if reads[question]:
            pool = Pool.of(reads[question], question)
            matches = match(pool, measured.invariants, measured.scalings, channels, seed=measured.seed)
        if matches is None:
            left_out.append(
                f"{name}: no residue of a pocket has one by the columns protein, relative and ligand"
            )
            continue
        proteins, places = np.unique(matches.proteins, return_inverse=True)
        sizes = np.bincount(places)
        means = {key: np.bincount(places, weights=right) / sizes for key, right in matches.right.items()}
        figures += measured.shares(name, means, proteins)
        chance = _plain(matches.chance)
        figures += [
            Figure(row=name, of="chance", scaling=scaling, value=chance) for scaling in ("std", "white")
        ]
    return figures


def _distances(
    rows: NDArray[np.floating], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.floating]:
    """Return the distances of pairs of rows, some at a time: a spectrum's rows are long."""
    parts = [
        np.linalg.norm(rows[first[start : start + 2000]] - rows[second[start : start + 2000]], axis=1)
        for start in range(0, len(first), 2000)
    ]
    return np.concatenate(parts)


def _mean(values: NDArray[np.float64], groups: NDArray[np.generic], seed: int) -> Interval:
    return bootstrap_mean(values, groups, seed=seed)


def _plain(value: float) -> Interval:
    return Interval(value, np.nan, np.nan)
