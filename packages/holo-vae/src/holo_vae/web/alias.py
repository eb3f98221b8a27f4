"""A process that regularly asks the registry which version an alias points at.

MLflow takes seconds to import and, if the registry is gone, minutes to report it; neither may delay requests.
"""

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable

from holo_types import HoloError
from holo_vae.networks.stores import brief_requests
from holo_vae.serving.processes import end, own_pipes, receive, send, start

__all__ = ["follow", "watch"]


def watch() -> None:
    """Report the version of the alias whenever it changes, until the service ends."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    from holo_vae.networks.registry import open_registry  # noqa: PLC0415

    requests, answers = own_pipes()
    with contextlib.suppress(OSError, EOFError):
        setting = json.loads(receive(requests))
        name, alias = setting["name"], setting["alias"]
        threading.Thread(target=_end_with, args=(requests,), daemon=True).start()
        known = None
        while True:
            # With MLflow alone, a database that is down would fill the log, and one that is missing would be created.
            with contextlib.suppress(MlflowException, HoloError, OSError), brief_requests():
                client, _ = open_registry()
                version = str(client.get_model_version_by_alias(name, alias).version)
                if version != known:
                    send(answers, json.dumps({"version": version}).encode())
                    known = version
            time.sleep(setting["seconds"])
    os._exit(0)


def _end_with(requests: object) -> None:
    with contextlib.suppress(OSError, EOFError):
        receive(requests)  # type: ignore[arg-type]  # nothing comes but the end
    os._exit(0)


def follow(source: str, seconds: float, moved: Callable[[str], None]) -> Callable[[], None]:
    """Watch an alias from a separate process.

    Parameters
    ----------
    source
        ``models:/NAME@ALIAS``.
    seconds
        The interval in seconds between two requests to the registry.
    moved
        Called in a thread with the version that the alias points at, first and whenever it changes.

    Returns
    -------
    callable
        A function that ends the process.
    """
    name, alias = source.removeprefix("models:/").split("@", 1)
    process = start("holo_vae.web.alias:watch")

    def listen() -> None:
        with contextlib.suppress(OSError, EOFError, ValueError):
            while True:
                moved(json.loads(receive(process.stdout))["version"])

    send(process.stdin, json.dumps({"name": name, "alias": alias, "seconds": seconds}).encode())
    threading.Thread(target=listen, daemon=True).start()
    return lambda: end(process)
