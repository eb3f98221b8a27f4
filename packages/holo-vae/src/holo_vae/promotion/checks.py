"""The checks of the promotion gate: a model's training data, its basis, equivariance and reconstruction."""

from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np
from jaxtyping import Float, Shaped
from numpy.typing import NDArray

from holo_types import HoloError, Holograms, Index
from holo_vae.evaluation.equivariance import equivariance_errors
from holo_vae.networks.loading import load
from holo_vae.networks.model import Model
from holo_vae.networks.registry import Registered
from holo_vae.networks.row_losses import row_cosine_losses, row_squared_errors
from holo_vae.tracking.training_record import TRAINED, TrainingRecord, read_training_record

__all__ = [
    "Check",
    "Contender",
    "basis_check",
    "compare_losses",
    "equivariance_checks",
    "reconstruction_checks",
    "unseen_check",
]

# Bounds for rounding in float32, in which recorded rows are kept: relative to the largest value, but absolute for
# frames. Errors that depend on how well a row defines its axes are the 99th percentile over rows and rotations.
_EQUIVARIANCE = {"invariants": 1e-5, "frame_p99": 1e-4, "reconstruction_p99": 1e-4}
_WORSE = 1.02
_RESAMPLES = 10_000


@attrs.frozen
class Check:
    """One check of the gate.

    Parameters
    ----------
    name
        What was measured.
    figure
        The result of the measurement.
    bound
        The condition on the result.
    held
        Whether the condition holds.
    """

    name: str
    figure: str
    bound: str
    held: bool


@attrs.frozen(eq=False)
class Contender:
    """A registered model that the gate judges.

    Parameters
    ----------
    registered
        Its location in the registry.
    model
        The model.
    trained
        What the model was trained on; None if that was not recorded.
    """

    registered: Registered
    model: Model
    trained: TrainingRecord | None

    @classmethod
    def of(cls, registered: Registered) -> "Contender":
        """Load a registered model together with the record of its training data."""
        record = registered.root / TRAINED
        trained = read_training_record(record) if record.is_file() else None
        return cls(registered, load(registered.folder, Model), trained)

    @property
    def uri(self) -> str:
        """The name of the version."""
        return f"models:/{self.registered.name}/{self.registered.version}"


def basis_check(
    candidate: Contender,
    champion: Contender | None,
    recorded: Holograms | None,
    *,
    data: Path | None,
    new_basis: bool,
) -> Check:
    """Check that the candidate takes the basis of the champion, or of the recorded rows, unless another is allowed."""
    own = candidate.model.config.basis
    other = own if champion is None else champion.model.config.basis
    if champion is None and recorded is not None:
        other = recorded.basis
    was, must = own.to_dict(), other.to_dict()
    differing = [key for key in must if was[key] != must[key]]
    allowed = new_basis and data is not None
    bound = ", ".join(f"{key} {must[key]!r}" for key in differing) or other.digest[:12]
    if differing:
        bound += ", or another one with --new-basis and --gate-data"
    return Check(
        "basis",
        ", ".join(f"{key} {was[key]!r}" for key in differing) or own.digest[:12],
        bound,
        not differing or allowed,
    )


def unseen_check(contenders: Sequence[Contender], known: Sequence[Index], rows: Sequence[Holograms]) -> Check:
    """Check that neither model was trained on the rows that measure them.

    Parameters
    ----------
    contenders
        The candidate and, if there is one, the champion.
    known
        The indices of the rows, and of whatever else takes part in the measurement.
    rows
        The rows in the basis of each model.
    """
    count = len(rows[0]) + sum(len(next(iter(index.values()))) for index in known[1:])
    words = []
    for each, own in zip(contenders, rows, strict=True):
        trained = each.trained
        assert trained is not None
        if not len(trained.digests) and not any(trained.comparable(index) for index in known):
            raise HoloError(
                f"{each.uri}: it is not recorded whether it was trained on the rows that measure it"
            )
        seen = int(trained.seen(known[0], own.coefficients).sum())
        seen += sum(int(trained.seen(index).sum()) for index in known[1:])
        if seen:
            words.append(f"{seen} of {count} rows were used to train {each.uri}")
    return Check(
        "unseen",
        "; ".join(words) or f"none of {count} rows was trained on",
        "none; use --gate-data with rows that neither model was trained on",
        not words,
    )


def equivariance_checks(model: Model, rows: Holograms) -> list[Check]:
    """Check that a model is equivariant up to rounding."""
    errors = attrs.asdict(equivariance_errors(model, rows, rotations=4))
    return [
        Check(f"equivariance_{name}", f"{errors[name]:.1e}", f"at most {bound:.0e}", errors[name] <= bound)
        for name, bound in _EQUIVARIANCE.items()
    ]


def reconstruction_checks(candidate: Contender, champion: Contender | None, rows: Holograms) -> list[Check]:
    """Check that the candidate reconstructs no worse than the champion; a first one, better than the mean hologram."""
    cosine, squares = _losses(candidate.model, rows)
    if champion is None:
        mean = _mean_hologram(rows)
        bounds = row_cosine_losses(rows, mean).mean(), row_squared_errors(rows, mean).mean()
        return [
            Check(
                name,
                f"a mean {what} of {_short(losses.mean())}",
                f"under {_short(bound)}, the mean hologram's",
                bool(losses.mean() < bound),
            )
            for name, what, losses, bound in (
                ("reconstruction", "cosine loss", cosine, bounds[0]),
                ("squared_error", "squared error", squares, bounds[1]),
            )
        ]
    others = _losses(champion.model, rows)
    return [
        compare_losses("reconstruction", "cosine loss", cosine, others[0]),
        compare_losses("squared_error", "squared error", squares, others[1]),
    ]


def _mean_hologram(rows: Holograms) -> Holograms:
    mean = rows.coefficients.mean(axis=0, dtype=np.float64)
    return Holograms(np.broadcast_to(mean, rows.coefficients.shape).copy(), rows.basis)


def _losses(model: Model, rows: Holograms) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    given: Shaped[np.ndarray, n] | None = model.categories(rows.index)
    decoded = model.decode(model.encode(rows), given)
    return row_cosine_losses(rows, decoded), row_squared_errors(rows, decoded)


def compare_losses(
    name: str, what: str, candidate: Float[np.ndarray, "n"], champion: Float[np.ndarray, "n"]
) -> Check:
    """Compare losses on the same rows by the ratio of their means, resampled over rows."""
    chosen = np.random.default_rng(0).integers(len(candidate), size=(_RESAMPLES, len(candidate)))
    ratios = candidate[chosen].mean(axis=1) / champion[chosen].mean(axis=1)
    upper = float(np.quantile(ratios, 0.95))
    return Check(
        name,
        f"a mean {what} of {_short(candidate.mean())} beside {_short(champion.mean())}, "
        f"at most {upper:.3f} times the champion's with 95 % confidence",
        f"at most {_WORSE} times the champion's",
        upper <= _WORSE,
    )


def _short(value: float) -> str:
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e3 else f"{value:.3e}"
