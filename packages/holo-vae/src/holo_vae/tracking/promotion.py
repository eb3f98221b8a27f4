"""The promotion gate (extra ``mlflow``): an alias moves to a version only if the version is not worse.

All is measured from the registry alone, on the rows that were recorded with the champion: a candidate cannot
bring easier ones. Three things are checked:

- the basis is the champion's, for what reads the alias hands it holograms of that basis;
- z, frame and reconstruction are equivariant to rounding;
- the reconstruction is not worse. Candidate and champion reconstruct the same rows; with 95 % confidence
  (one-sided, paired bootstrap over rows) the candidate's mean cosine loss is at most 1.02 times the champion's.
  A first version must reconstruct better than the mean hologram of its own recorded rows.
"""

import time

import attrs
import mlflow
import numpy as np
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray

import holo_types
from holo_types import HoloError, Holograms
from holo_vae.evaluation.equivariance import equivariance_errors
from holo_vae.evaluation.reconstruction import mean_hologram_cosine_loss
from holo_vae.networks.loading import load
from holo_vae.networks.model import Model
from holo_vae.networks.registry import Registered, fetch_registered
from holo_vae.networks.row_losses import row_cosine_losses

from .run import RECORDED

__all__ = ["Check", "Promotion", "PromotionRefused", "promote"]

# Of rounding in float32, in which recorded rows are kept: relative to the largest value, frames absolute; what
# depends on how well a row defines its axes at the 99th percentile of rows and rotations.
_EQUIVARIANCE = {"invariants": 1e-5, "frame_p99": 1e-4, "reconstruction_p99": 1e-4}
_WORSE = 1.02
_RESAMPLES = 10_000


class PromotionRefused(HoloError):
    """A version that did not pass the gate; the message names each check that failed, its figure and bound."""


@attrs.frozen
class Check:
    """One thing that the gate measured.

    Parameters
    ----------
    name
        What was measured.
    figure
        What it gave.
    bound
        What it must be.
    held
        Whether it is.
    """

    name: str
    figure: str
    bound: str
    held: bool


@attrs.frozen
class Promotion:
    """A move of an alias.

    Parameters
    ----------
    name, version, alias
        What points at what now.
    previous
        The version that the alias pointed at before; None for a first one.
    rows
        How many rows were measured on.
    checks
        All held.
    """

    name: str
    version: str
    alias: str
    previous: str | None
    rows: int
    checks: tuple[Check, ...]


def promote(name: str, version: str, alias: str = "champion", *, store: str | None = None) -> Promotion:
    """Move an alias to a version of a registered model, if the version passes the gate.

    The figures of every check, the verdict and where the alias was before are written as tags ``promotion.*``
    of the version, also if it is refused.

    Parameters
    ----------
    name, version
        The name and version of the registered model.
    alias
        What is to point at the version. The version that it points at is the champion.
    store
        URI of the registry; by default the one that ``MLFLOW_TRACKING_URI`` names.

    Raises
    ------
    PromotionRefused
        If a check does not hold; the alias stays where it was.
    HoloError
        If the registry lacks the model, the alias is there already, or there are no rows to measure on.
    """
    client = mlflow.MlflowClient(tracking_uri=store)
    candidate = fetch_registered(f"models:/{name}/{version}", store)
    aliases = _aliases(client, name)
    previous = aliases.get(alias)
    if previous == candidate.version:
        raise HoloError(f"models:/{name}@{alias} is version {version} already")
    champion = None if previous is None else fetch_registered(f"models:/{name}/{previous}", store)
    rows = _recorded(candidate, champion)
    checks = _checks(candidate, champion, rows)

    tags = {f"promotion.{check.name}": _words(check) for check in checks}
    tags |= {"promotion.alias": alias, "promotion.previous": previous or "none"}
    tags |= {
        "promotion.rows": str(len(rows)),
        "promotion.time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    failed = [check for check in checks if not check.held]
    if failed:
        _tag(client, candidate, tags | {"promotion.verdict": "refused"})
        reasons = "; ".join(f"{check.name} is {check.figure}, it must be {check.bound}" for check in failed)
        raise PromotionRefused(f"models:/{name}/{version} is refused as {alias}: {reasons}")
    _tag(client, candidate, tags)
    client.set_registered_model_alias(name, alias, version)
    _tag(client, candidate, {"promotion.verdict": "promoted"})
    return Promotion(name, version, alias, previous, len(rows), checks)


def _aliases(client: mlflow.MlflowClient, name: str) -> dict[str, str]:
    try:
        aliases = client.get_registered_model(name).aliases
    except MlflowException as error:
        raise HoloError(f"models:/{name}: not found in the registry ({str(error).splitlines()[0]})") from None
    return {alias: str(version) for alias, version in aliases.items()}


def _tag(client: mlflow.MlflowClient, candidate: Registered, tags: dict[str, str]) -> None:
    for key, value in tags.items():
        client.set_model_version_tag(candidate.name, candidate.version, key, value)


def _words(check: Check) -> str:
    return f"{'held' if check.held else 'failed'}: {check.figure}; must be {check.bound}"


def _recorded(candidate: Registered, champion: Registered | None) -> Holograms:
    """Return the champion's recorded rows; the candidate's own only where there is no champion that has some."""
    for version in (champion, candidate):
        if version is not None and (version.root / RECORDED).is_file():
            return holo_types.load(version.root / RECORDED, kind=Holograms)
    raise HoloError(
        f"models:/{candidate.name}/{candidate.version}: no validation rows were recorded with it, and there is "
        "nothing to measure it on"
    )


def _checks(candidate: Registered, champion: Registered | None, rows: Holograms) -> tuple[Check, ...]:
    model = load(candidate.folder, Model)
    basis = _basis_check(model, rows)
    if not basis.held:
        return (basis,)  # the recorded rows mean nothing to the model
    errors = attrs.asdict(equivariance_errors(model, rows, rotations=4))
    equivariance = [
        Check(f"equivariance_{name}", f"{errors[name]:.1e}", f"at most {bound:.0e}", errors[name] <= bound)
        for name, bound in _EQUIVARIANCE.items()
    ]
    losses = _losses(model, rows)
    if champion is None:
        mean = mean_hologram_cosine_loss(rows, rows)
        reconstruction = Check(
            "reconstruction",
            f"a mean cosine loss of {losses.mean():.4f}",
            f"under {mean:.4f}, the mean hologram's",
            bool(losses.mean() < mean),
        )
    else:
        reconstruction = _comparison(losses, _losses(load(champion.folder, Model), rows))
    return (basis, *equivariance, reconstruction)


def _basis_check(model: Model, rows: Holograms) -> Check:
    was, must = model.config.basis.to_dict(), rows.basis.to_dict()
    differing = [key for key in must if was[key] != must[key]]
    return Check(
        "basis",
        ", ".join(f"{key} {was[key]!r}" for key in differing) or model.config.basis.digest[:12],
        ", ".join(f"{key} {must[key]!r}" for key in differing) or rows.basis.digest[:12],
        not differing,
    )


def _losses(model: Model, rows: Holograms) -> NDArray[np.float64]:
    condition = model.config.condition
    given = None if condition is None else rows.index[condition.column]
    return row_cosine_losses(rows, model.decode(model.encode(rows), given))


def _comparison(candidate: NDArray[np.float64], champion: NDArray[np.float64]) -> Check:
    """Compare losses on the same rows: the ratio of means, resampled by rows."""
    chosen = np.random.default_rng(0).integers(len(candidate), size=(_RESAMPLES, len(candidate)))
    ratios = candidate[chosen].mean(axis=1) / champion[chosen].mean(axis=1)
    upper = float(np.quantile(ratios, 0.95))
    return Check(
        "reconstruction",
        f"a mean cosine loss of {candidate.mean():.4f} beside {champion.mean():.4f}, "
        f"at most {upper:.3f} times the champion's with 95 % confidence",
        f"at most {_WORSE} times the champion's",
        upper <= _WORSE,
    )
