"""Comparison of two models on the same residues, whatever their bases: the measures of `worth`, paired by residue."""

from collections.abc import Iterator, Mapping, Sequence

import attrs
import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy.typing import NDArray

from holo_downstream import Interval, bootstrap_mean
from holo_types import HoloError
from holo_vae.networks.model import Model
from holo_vae.networks.row_losses import row_cosine_losses

from .gate_residues import SPLIT, GateResidues, residue_names
from .invariants import ZAlone, encoded
from .measured import MATCHES, MUCH_NOISE, NOISE, PROBES, Measured, find_matches

__all__ = ["GROUPS", "Compared", "compare_models"]

_NOISE_ROW, _NEAREST_ROW = f"noise of {NOISE:g} Å", f"nearest to itself at {MUCH_NOISE:g} Å"
_TURNED_ROW, _LOSS_ROW = "turned and rounded", "cosine loss"
GROUPS: Mapping[str, tuple[str, ...]] = {
    "reconstruction": (_LOSS_ROW,),
    "continuity": (_TURNED_ROW,),
    "noise": (_NOISE_ROW, _NEAREST_ROW),
    "probes": tuple(PROBES),
    "matches": tuple(MATCHES.values()),
}
_LOW_IS_GOOD = (_LOSS_ROW, _TURNED_ROW, _NOISE_ROW)


@attrs.frozen
class Compared:
    """One measure of both models.

    Parameters
    ----------
    row, scaling
        What was measured, as in `Figure`.
    candidate, champion
        The means over the residues that both models have in common.
    worse
        The paired difference by which the candidate is worse, with a 95 % interval over clusters or over proteins.
    """

    row: str
    scaling: str
    candidate: float
    champion: float
    worse: Interval

    @property
    def held(self) -> bool:
        """Whether the candidate is no worse than the interval allows."""
        return self.worse.lower <= 0


@attrs.frozen(eq=False)
class _Values:
    """What was measured of one model for one row, by residue or by protein."""

    values: Float[np.ndarray, "n"]
    names: Shaped[np.ndarray, "n"]
    groups: Shaped[np.ndarray, "n"]


def compare_models(
    candidate: tuple[Model, GateResidues],
    champion: tuple[Model, GateResidues],
    rows: Sequence[str],
    left_out: list[str],
    seed: int = 0,
) -> tuple[Compared, ...]:
    """Measure two models as `worth` does, and compare them.

    Parameters
    ----------
    candidate, champion
        Each model with the residues in the channels and cutoff of its basis, read from the same place.
    rows
        Rows in `GROUPS`, or names of the groups.
    left_out
        Receives the reasons for whatever cannot be measured.
    seed
        The seed of draws, noise and rotations.

    Raises
    ------
    HoloError
        If a name is unknown, or nothing that it stands for can be measured.
    """
    wanted = _wanted(rows)
    measured = [
        _measure(model, residues, {row for part in wanted.values() for row in part}, left_out, seed)
        for model, residues in (candidate, champion)
    ]
    left_out[:] = dict.fromkeys(left_out)
    for name, part in wanted.items():
        if not any(row in part for row, _ in measured[0]):
            reasons = "; ".join(reason for reason in left_out if reason.partition(":")[0] in part)
            raise HoloError(
                f"{candidate[1].path}: {name} cannot be measured there ({reasons or 'no residue for it'})"
            )
    return tuple(
        _compared(row, scaling, measured[0][row, scaling], measured[1][row, scaling], seed)
        for row, scaling in measured[0]
        if (row, scaling) in measured[1]
    )


def _wanted(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    known = {**GROUPS, **{row: (row,) for part in GROUPS.values() for row in part}}
    for name in names:
        if name not in known:
            raise HoloError(f"there is no row {name!r} to compare by; it must be one of {', '.join(known)}")
    return {name: known[name] for name in names}


def _measure(
    model: Model, residues: GateResidues, rows: set[str], left_out: list[str], seed: int
) -> dict[tuple[str, str], _Values]:
    measured = Measured.of(ZAlone(model), residues.training, residues.clouds, seed)
    names, clusters = residue_names(residues.clouds), measured.clusters
    found: dict[tuple[str, str], _Values] = {}

    def add(
        row: str, by_key: Mapping[tuple[str, str], NDArray[np.floating]], chosen: Bool[np.ndarray, "n"]
    ) -> None:
        for (_, scaling), values in by_key.items():
            if row in rows:
                found[row, scaling] = _Values(np.asarray(values, np.float64), names[chosen], clusters[chosen])

    everyone: NDArray[np.bool_] = np.ones(len(names), dtype=bool)
    if _LOSS_ROW in rows:
        holograms = encoded(residues.clouds, model.config.basis)
        losses = row_cosine_losses(holograms, model.decode(model.encode(holograms)))
        add(_LOSS_ROW, {("z", ""): losses}, everyone)
    if _TURNED_ROW in rows:
        add(_TURNED_ROW, measured.moves(residues.turned()), everyone)
    if rows & {*GROUPS["noise"]}:
        little, nearest = measured.noise()
        add(_NOISE_ROW, little, everyone)
        add(_NEAREST_ROW, nearest, everyone)
    if rows & {*GROUPS["probes"]}:
        for probed in measured.probes(left_out):
            add(probed.row, probed.right, probed.labeled)
    if rows & {*GROUPS["matches"]}:
        for row, scaling, values in _matched(measured, residues, left_out):
            if row in rows:
                found[row, scaling] = values
    return found


def _matched(
    measured: Measured, residues: GateResidues, left_out: list[str]
) -> Iterator[tuple[str, str, _Values]]:
    if residues.table is None:
        left_out += [f"{row}: a file of clouds has no structures" for row in MATCHES.values()]
        return
    for found in find_matches(
        measured,
        residues.table,
        SPLIT,
        left_out,
        lambda row, error: left_out.append(f"{row.path.name}: {error}"),
    ):
        names = np.array(found.proteins)
        for (_, scaling), means in found.means.items():
            yield found.row, scaling, _Values(means, names, names)


def _compared(row: str, scaling: str, candidate: _Values, champion: _Values, seed: int) -> Compared:
    """Compare the two models on what was measured of both, in the same order."""
    _, first, second = np.intersect1d(candidate.names, champion.names, return_indices=True)
    if not len(first):
        raise HoloError(f"{row}: no residue was measured with both models")
    own, other = candidate.values[first], champion.values[second]
    difference = own - other if row in _LOW_IS_GOOD else other - own
    worse = bootstrap_mean(difference, candidate.groups[first], seed=seed)
    return Compared(row, scaling, float(own.mean()), float(other.mean()), worse)
