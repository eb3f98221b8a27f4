"""What the runs in a folder could not send to the tracking store, sent later."""

from collections.abc import Mapping
from pathlib import Path

import attrs
from mlflow.exceptions import MlflowException

from holo_types import HoloError
from holo_vae.networks.registry import reason

from .journal import (
    Journal,
    journals,
)
from .store import Store

__all__ = ["Sent", "send_journals"]


@attrs.frozen
class Sent:
    """What `send_journals` did for one run.

    Parameters
    ----------
    run_id, store
        Where it is.
    versions
        The version of each name that the run's model is registered under.
    missing
        Files that were to be sent and are gone.
    """

    run_id: str
    store: str
    versions: Mapping[str, str]
    missing: tuple[str, ...]


def send_journals(folder: Path | str) -> tuple[Sent, ...]:
    """Send what the runs in a folder could not send; what the store has is not sent again.

    Parameters
    ----------
    folder
        Of a training run. ``MLFLOW_TRACKING_URI`` may say where the server is now; the run must be known there
        if it was before.

    Raises
    ------
    HoloError
        If the folder holds no tracked run, one of them is still under way, or the store does not answer.
    """
    folder = Path(folder)
    found = journals(folder)
    if not found:
        raise HoloError(f"{folder}: holds no tracked run; give the folder of a training run")
    return tuple(_send_journal(path, folder) for path in found)


def _send_journal(path: Path, folder: Path) -> Sent:
    journal = Journal(path)
    store = Store(path, folder)
    try:
        store.send()
    except (MlflowException, OSError) as error:
        raise HoloError(f"{path}: cannot be sent to {store.uri} ({reason(error)})") from None
    finally:
        journal.close()
    return Sent(store.run_id, str(store.uri), store.progress.versions, store.progress.missing)
