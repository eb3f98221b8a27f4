"""The service, from its settings to its end."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import uvicorn

from holo_types import HoloError
from holo_types.signals import settle
from holo_vae.networks.stores import check_store
from holo_vae.serving.faults import where
from holo_vae.serving.limits import RefusedRequest

from .alias import follow
from .app import App
from .connections import connection_class, possible_connections
from .crew import Crew
from .logs import complain, say, set_up
from .metrics import Metrics
from .neighbors import read_index
from .settings import Settings

__all__ = ["serve"]

_AGAIN = (1.0, 10.0, 60.0)  # seconds after which loading a version is attempted again
_REGISTERED = "models:/"
_KEPT_OPEN = 20  # seconds between two requests on a connection


def serve(settings: Settings) -> None:
    """Serve a model until a SIGTERM or Ctrl-C; requests in progress are finished.

    Parameters
    ----------
    settings
        The settings of the service.

    Raises
    ------
    HoloError
        If there is no such model, its registry does not answer, or the address cannot be used.
    """
    set_up()
    if settings.model.startswith(_REGISTERED) and (store := os.environ.get("MLFLOW_TRACKING_URI")):
        check_store(store)  # now, because a process that takes seconds to start would otherwise find out
    metrics = Metrics()
    failures: list[Exception] = []

    def crew_of(source: str) -> Crew:
        return Crew(source, settings, lambda jobs, rows: metrics.batch.observe(jobs))

    def loaded() -> Crew:
        search = read_index(Path(settings.index)) if settings.index else None
        crew = crew_of(settings.model)
        if search is not None:
            try:
                search.check_model(crew.reference)
            except RefusedRequest as refused:
                crew.close()
                raise HoloError(f"{settings.index}: {refused.reason}") from None
            app.search_in(search)
        return crew

    def failed(error: Exception) -> None:
        failures.append(error)
        server.should_exit = True

    app = App(settings, metrics, loaded, failed)
    most = possible_connections(settings.max_connections)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=connection_class(most, settings.header_seconds, metrics),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEPT_OPEN,
        timeout_graceful_shutdown=round(settings.stop_seconds),
    )
    server = uvicorn.Server(config)
    say("start", host=settings.host, port=settings.port, source=settings.model, workers=settings.workers,
        connections=most)  # fmt: skip
    leave = _follow(settings, app, crew_of) if _is_alias(settings.model) else lambda: None
    try:
        server.run()
    except KeyboardInterrupt as end:  # uvicorn raises the signal once more at the end
        settle(end)
    except SystemExit:
        raise HoloError(f"{settings.host}:{settings.port} cannot be listened on; the log says why") from None
    finally:
        leave()
    for error in failures:
        raise error if isinstance(error, HoloError) else HoloError(f"{settings.model}: {where(error)}")
    say("stop")


def _is_alias(source: str) -> bool:
    return source.startswith(_REGISTERED) and "@" in source


def _follow(settings: Settings, app: App, crew_of: Callable[[str], Crew]) -> Callable[[], None]:
    """Switch to the version that the alias points at whenever it changes."""
    name = settings.model.removeprefix(_REGISTERED).split("@", 1)[0]

    def moved(version: str) -> None:
        if app.version_in_use() == version:
            return
        for pause in _AGAIN:
            try:
                app.use(crew_of(f"models:/{name}/{version}"))
                return
            except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the previous version continues
                reason = str(error) if isinstance(error, HoloError) else where(error)
                complain("model not taken up", version=version, reason=reason)
                time.sleep(pause)

    return follow(settings.model, settings.refresh_seconds, moved)
