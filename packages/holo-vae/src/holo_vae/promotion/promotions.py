"""Promotion: an alias moves to a version only if the version passes the gate (extra ``mlflow``)."""

import re
import time
from collections.abc import Sequence
from pathlib import Path

import attrs
import mlflow

from holo_types import HoloError
from holo_vae.networks.registry import fetch_registered

from .checks import Check, Contender
from .gate import Verdict, judge
from .history import Happening, note_event
from .moving import Move, promoting
from .registry_access import asked, check_alias, check_version, current_version, registered_model

__all__ = ["Promotion", "PromotionRefused", "promote"]

_NOT_IN_TAGS = re.compile(r"[^\w. /-]+")
_ROUNDS = 5  # repetitions of the measurement because the alias has moved meanwhile


class PromotionRefused(HoloError):
    """A version did not pass the gate; the message names each failed check with its figure and bound."""


@attrs.frozen
class Promotion:
    """A completed move of an alias.

    Parameters
    ----------
    name, version, alias
        The version that the alias now points at; in a dry run, that it would point at.
    previous
        The version that the alias pointed at before; None for a first one.
    rows, data
        The number of rows that were measured, and their origin.
    checks
        The checks, all of which hold.
    left_out
        The parts of the data that could not be measured, with the reasons.
    under_way
        Versions that others were still measuring for the alias when this version got it.
    """

    name: str
    version: str
    alias: str
    previous: str | None
    rows: int
    data: str
    checks: tuple[Check, ...]
    left_out: tuple[str, ...] = ()
    under_way: tuple[str, ...] = ()


def promote(
    name: str,
    version: str,
    alias: str = "champion",
    *,
    store: str | None = None,
    gate_data: Path | None = None,
    gate_rows: Sequence[str] = (),
    new_basis: bool = False,
    dry_run: bool = False,
) -> Promotion:
    """Move an alias to a version of a registered model, if the version passes the gate.

    The figures of every check, the verdict, and the previous version of the alias are written as tags ``promotion.*``
    of the version, even if it is refused, and added to the history of the registered model.

    Parameters
    ----------
    name, version
        The name and version of the registered model.
    alias
        The alias that is to point at the version. The version that it points at now is the champion.
    store
        URI of the registry; by default the one that ``MLFLOW_TRACKING_URI`` names.
    gate_data
        Data to measure on instead of the champion's recorded rows: a folder as for `measure_worth`, or a file of
        `PointClouds`.
    gate_rows
        What to compare: ``"reconstruction"``, ``"continuity"``, ``"noise"``, ``"probes"``, ``"matches"``, or single
        rows of these. By default the reconstruction on the same basis, and noise and probes across bases.
    new_basis
        Whether the version may have another basis than the champion.
    dry_run
        Whether to measure without writing anything.

    Raises
    ------
    PromotionRefused
        If a check does not hold, in which case the alias stays where it was; or if another version, promoted at the
        same time, has passed the gate against this one and now has the alias.
    HoloError
        If the registry does not answer or lacks the model, the alias already points at the version, or there is nothing
        to measure on.
    """
    check_alias(alias)
    check_version(version)
    with asked(f"models:/{name}/{version}", store) as (client, uri):
        registered_model(client, name)

        def verdict_beside(previous: str | None) -> Verdict:
            if previous == version:
                raise HoloError(f"models:/{name}@{alias} is version {version} already")
            candidate = Contender.of(fetch_registered(f"models:/{name}/{version}", uri))
            champion = None
            if previous is not None:
                champion = Contender.of(fetch_registered(f"models:/{name}/{previous}", uri))
            return judge(candidate, champion, data=gate_data, rows=gate_rows, new_basis=new_basis)

        if dry_run:
            previous = current_version(client, name, alias)
            verdict = verdict_beside(previous)
            _refuse(name, version, alias, verdict)
            return _promotion(name, version, alias, previous, verdict)
        with promoting(client, name, alias, version) as move:
            for _ in range(_ROUNDS):
                previous = move.current()
                verdict = verdict_beside(previous)
                done = _promotion(name, version, alias, previous, verdict)
                if verdict.failed:
                    _note(client, "refused", done)
                _refuse(name, version, alias, verdict)
                if move.move(previous):
                    break
            else:
                raise HoloError(f"models:/{name}@{alias} was moved by others {_ROUNDS} times; try again")
            _note(client, "promoted", done)
        return _settled(client, move, done)


def _settled(client: mlflow.MlflowClient, move: Move, done: Promotion) -> Promotion:
    """Check once more, after the promotions that ran at the same time have ended."""
    now, under_way = move.settled()
    if now != done.version:
        note_event(
            client, done.name, "overtaken", alias=done.alias, version=done.version, previous=done.previous
        )
        raise PromotionRefused(
            f"models:/{done.name}/{done.version} had {done.alias} and lost it: version {now}, promoted at the same "
            "time, has passed the gate against it"
        )
    return attrs.evolve(done, under_way=under_way)


def _promotion(name: str, version: str, alias: str, previous: str | None, verdict: Verdict) -> Promotion:
    return Promotion(
        name=name,
        version=version,
        alias=alias,
        previous=previous,
        rows=verdict.rows,
        data=verdict.data,
        checks=verdict.checks,
        left_out=verdict.left_out,
    )


def _refuse(name: str, version: str, alias: str, verdict: Verdict) -> None:
    if verdict.failed:
        reasons = "; ".join(
            f"{check.name} is {check.figure}, it must be {check.bound}" for check in verdict.failed
        )
        raise PromotionRefused(f"models:/{name}/{version} is refused as {alias}: {reasons}")


def _note(client: mlflow.MlflowClient, happening: Happening, done: Promotion) -> None:
    """Write the event to the tags of the version, as its newest, and to the history of the model."""
    tags = {_NOT_IN_TAGS.sub("_", check.name): _words(check) for check in done.checks}
    tags |= {
        "alias": done.alias,
        "previous": done.previous or "none",
        "rows": str(done.rows),
        "data": done.data,
    }
    tags |= {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "verdict": happening}
    for key, value in tags.items():
        client.set_model_version_tag(done.name, done.version, f"promotion.{key}", value)
    note_event(
        client,
        done.name,
        happening,
        alias=done.alias,
        version=done.version,
        previous=done.previous,
        data=f"{done.rows} rows: {done.data}",
        figures={check.name: _words(check) for check in done.checks},
    )


def _words(check: Check) -> str:
    return f"{'held' if check.held else 'failed'}: {check.figure}; must be {check.bound}"
