"""``holo-vae promote``, ``rollback``, ``history`` and ``track``."""

# torch takes seconds to import: it is imported by the commands, so that --help is quick.
# ruff: noqa: PLC0415

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from holo_types.console import say
from holo_types.extras import extra
from holo_types.options import IN_LINES, Flag, SummaryOptions

__all__ = ["history_command", "promote_command", "rollback_command", "track_command"]


def promote_command(
    name: str,
    version: str,
    /,
    *,
    alias: str = "champion",
    gate_data: Path | None = None,
    gate_rows: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    new_basis: Flag = False,
    dry_run: Flag = False,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Move an alias to a version of a registered model, if the version passes the gate.

    The version must take the champion's basis, be equivariant to rounding error, and be no worse at reconstructing the
    champion's recorded rows, or in what --gate-data measures; neither model may have been trained on these data. The
    figures and the verdict are written as tags of the version, and added to the history.

    Parameters
    ----------
    name
        The name of the registered model.
    version
        Version that is to get the alias.
    alias
        The alias.
    gate_data
        Data to measure on: a folder with structures and structures.csv, as for worth, or an HDF5 file of point clouds.
    gate_rows
        Measures that must not get worse: reconstruction, continuity, noise, probes, matches, or single rows of worth;
        by default reconstruction on one basis, noise and probes across bases. All but reconstruction need --gate-data.
    new_basis
        Allow the version to have another basis than the champion; needs --gate-data, and clients must change.
    dry_run
        Measure without changing anything.
    """
    with extra("holo-vae[mlflow]"):
        from holo_vae.promotion.promotions import promote

    done = promote(
        name,
        version,
        alias,
        gate_data=gate_data,
        gate_rows=gate_rows,
        new_basis=new_basis,
        dry_run=dry_run,
    )
    for check in done.checks:
        say(f"{check.name}: {check.figure} (must be {check.bound})")
    for reason in done.left_out:
        say(f"left out: {reason}")
    before = "none" if done.previous is None else f"version {done.previous}"
    if dry_run:
        say(f"models:/{name}@{alias} would be version {version}; it is {before}, and nothing was changed")
        return 0
    say(f"models:/{name}@{alias} is version {version} now; it was {before}")
    for other in done.under_way:
        say(f"version {other} is being measured at the same time: see holo-vae history {name}")
    return 0


def rollback_command(
    name: str,
    /,
    *,
    alias: str = "champion",
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Move an alias back to the version that had it before, according to its history.

    Parameters
    ----------
    name
        The name of the registered model.
    alias
        The alias.
    """
    with extra("holo-vae[mlflow]"):
        from holo_vae.promotion.rollbacks import rollback

    done = rollback(name, alias)
    say(f"models:/{name}@{alias} is version {done.version} again; it was version {done.previous}")
    return 0


def history_command(
    name: str,
    /,
    *,
    alias: str = "champion",
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Print the history of an alias: which versions had it when, with which figures, and what was refused.

    Parameters
    ----------
    name
        The name of the registered model.
    alias
        The alias.
    """
    with extra("holo-vae[mlflow]"):
        from holo_vae.promotion.rollbacks import promotion_history

    events = promotion_history(name, alias)
    for event in events:
        before = "" if event.previous is None else f", before it version {event.previous}"
        say(f"{event.time} version {event.version} {event.happening}{before}, by {event.by}")
        for title, figure in event.figures.items():
            say(f"    {title}: {figure}")
    if not events:
        say(f"models:/{name}@{alias} has no history")
    return 0


def track_command(
    folder: Path,
    /,
    *,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Send to MLflow what a training run could not send while it was running.

    A model that was to be registered then goes through the gate, as it would have done in the run.

    Parameters
    ----------
    folder
        The folder of the training run.
    """
    with extra("holo-vae[mlflow]"):
        from holo_vae.promotion.waiting import promote_waiting
        from holo_vae.tracking.sender import send_journals
    from holo_vae.networks.stores import shown

    for store in send_journals(folder):
        gone = ", ".join(store.sent.missing)
        missing = f"; not tracked, because the files are gone: {gone}" if gone else ""
        say(f"run {store.sent.run_id} in {shown(store.uri)} is complete{missing}")
        for outcome in promote_waiting(store):
            told = f"models:/{outcome.name}@{outcome.alias} is version {outcome.version} now"
            say(outcome.refusal or told)
    return 0
