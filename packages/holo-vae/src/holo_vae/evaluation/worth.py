"""What z is worth: what moves it, what it recognizes, and what can be predicted from it.

It needs the extras structures and evaluation.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import attrs
import numpy as np
from jaxtyping import Float, Shaped

from holo_downstream import Interval, bootstrap_mean, effective_dimension
from holo_types import HoloError, PointClouds
from holo_vae.networks.model import Model
from holo_vae.networks.row_losses import row_cosine_losses

from .invariants import Invariants, ZAlone, encoded
from .measured import (
    BEYOND,
    MUCH_NOISE,
    NOISE,
    PROBES,
    Found,
    Key,
    Measured,
    find_matches,
    turned_and_rounded,
)
from .measured_residues import draw_residues
from .reconstruction import mean_hologram_cosine_loss
from .structure_table import StructureRow, read_structure_table

__all__ = ["PARTS", "PROBES", "Figure", "Worth", "measure_worth"]

_MOVED = 0.01  # of the median distance between two residues
PARTS = (
    "reading structures",
    "reconstruction",
    "effective dimension",
    "continuity",
    "noise",
    "probes",
    "other crystals and relatives",
)


@attrs.frozen(kw_only=True)
class Figure:
    """One number of the table.

    Parameters
    ----------
    row
        What was measured.
    of
        The invariants, such as ``"z"``.
    scaling
        How distances were measured: ``"white"``, by the covariance of clean training residues, or ``"std"``, by the
        variance of each dimension; empty if the row involves no distances.
    value
        The figure, with a 95 % interval if there is one: a bootstrap over clusters or over proteins.
    z_above
        The paired difference by which z is above this value; None for z itself, and if there are no pairs.
    trained
        Whether the model was trained for this task.
    """

    row: str
    of: str
    scaling: str = ""
    value: Interval
    z_above: Interval | None = None
    trained: bool = False


@attrs.frozen(kw_only=True)
class Worth:
    """What the z of a model is worth on the structures of a folder.

    Parameters
    ----------
    model, digest
        The name and the digest of the model.
    split
        The split of the structures.
    training_residues, residues, clusters
        The number of residues that set the scale of distances and choose regularizations; the number of measured
        residues; and the number of their clusters.
    figures
        The figures of the table.
    left_out
        Rows that were not measured, and structures that could not be used, with the reasons.
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
    """Measure what the z of a model is worth, compared with invariants that need no training.

    All distances are measured in the same way: by the mean and covariance of clean training residues.

    Parameters
    ----------
    model
        A model of residues' surroundings, not conditional.
    folder
        Folder with structures and ``structures.csv``, see `read_structure_table`. Residues of structures without a
        ligand are measured one by one; those of pockets are searched for in other structures.
    split
        The structures to measure, ``"valid"`` or ``"test"``; those of ``"train"`` set the scale of distances.
    residues
        The minimum number of residues that are drawn from each, one structure of each cluster at a time.
    trained_for
        Further rows whose labels the model was trained on, in addition to those of its heads; they are marked.
    baselines
        Whether z is compared with invariants that need no training, which take most of the time. One such table serves
        for all models of a basis.
    seed
        The seed of draws, noise and rotations.
    on_part
        Called with the next part of the work, one of `PARTS`.

    Returns
    -------
    Worth

    Raises
    ------
    HoloError
        If the table cannot be read, the model is one of images or conditional, or a split has no residues.
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

    cutoff, channels = basis.radial.cutoff + BEYOND, basis.channels
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
    measured = Measured.of(invariants, training, clean, seed)
    made = _Table(measured, _trained_for(model) | {*trained_for})
    rows: tuple[Callable[[], list[Figure]], ...] = (
        lambda: made.reconstruction(model),
        made.dimensions,
        lambda: made.continuity(turned_and_rounded(reads, cutoff, channels, seed)),
        made.noise,
        lambda: made.probes(left_out),
        lambda: made.matches(find_matches(measured, table, split, left_out, skip)),
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
class _Table:
    """The figures made from the measurements."""

    measured: Measured
    trained_for: frozenset[str]

    def _figure(self, row: str, key: Key, value: Interval, above: Interval | None = None) -> Figure:
        trained = row in self.trained_for
        return Figure(row=row, of=key[0], scaling=key[1], value=value, z_above=above, trained=trained)

    def _shares(
        self,
        row: str,
        values: Mapping[Key, Float[np.ndarray, "n"]],
        groups: Shaped[np.ndarray, "n"],
    ) -> list[Figure]:
        """Return the means of per-residue values, and the differences of z's from them, paired by group."""
        seed = self.measured.seed
        figures = []
        for key, own in values.items():
            of_z = None if key[0] == "z" else values.get(("z", key[1]))
            above = None if of_z is None else bootstrap_mean(of_z - own, groups, seed=seed)
            figures.append(self._figure(row, key, bootstrap_mean(own, groups, seed=seed), above))
        return figures

    def reconstruction(self, model: Model) -> list[Figure]:
        measured = self.measured
        holograms = encoded(measured.clouds, model.config.basis)
        losses = row_cosine_losses(holograms, model.decode(model.encode(holograms)))
        mean = mean_hologram_cosine_loss(encoded(measured.training, model.config.basis), holograms)
        loss = bootstrap_mean(losses, measured.clusters, seed=measured.seed)
        return [
            self._figure("cosine loss", ("z", ""), loss),
            self._figure("cosine loss", ("mean hologram", ""), _plain(mean)),
        ]

    def dimensions(self) -> list[Figure]:
        return [
            self._figure("effective dimension", (name, ""), _plain(effective_dimension(matrix)))
            for name, matrix in self.measured.training_matrices.items()
        ]

    def _moved(
        self, what: str, moved: Mapping[Key, Float[np.ndarray, "n"]], *, largest: bool
    ) -> list[Figure]:
        figures = []
        for key, moves in moved.items():
            statistics = {"median": np.median(moves), "99 %": np.quantile(moves, 0.99)}
            if largest:
                statistics |= {"largest": moves.max(), "share beyond 1 %": (moves > _MOVED).mean()}
            figures += [
                self._figure(f"{what}: {name}", key, _plain(float(value)))
                for name, value in statistics.items()
            ]
        return figures

    def continuity(self, turned: PointClouds) -> list[Figure]:
        return self._moved("turned and rounded", self.measured.moves(turned), largest=True)

    def noise(self) -> list[Figure]:
        little, recognized = self.measured.noise()
        figures = self._moved(f"noise of {NOISE:g} Å", little, largest=False)
        return figures + self._shares(
            f"nearest to itself at {MUCH_NOISE:g} Å", recognized, self.measured.clusters
        )

    def probes(self, left_out: list[str]) -> list[Figure]:
        figures: list[Figure] = []
        for probed in self.measured.probes(left_out):
            figures += self._shares(probed.row, probed.right, self.measured.clusters[probed.labeled])
        return figures

    def matches(self, found: Iterable[Found]) -> list[Figure]:
        figures: list[Figure] = []
        for one in found:
            figures += self._shares(one.row, one.means, np.array(one.proteins))
            chance = _plain(one.chance)
            figures += [
                Figure(row=one.row, of="chance", scaling=scaling, value=chance)
                for scaling in ("std", "white")
            ]
        return figures


def _trained_for(model: Model) -> frozenset[str]:
    """Return the rows whose labels a head of the model was trained to predict."""
    columns = {
        "residue_type" if head.column == "residue_name" else head.column for head in model.config.heads
    }
    return frozenset(row for row, (column, _) in PROBES.items() if column in columns)


def _plain(value: float) -> Interval:
    return Interval(value, np.nan, np.nan)
