"""The log of the service: one line of JSON for each request and each event, without any content of requests."""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from holo_vae.serving.faults import where

__all__ = ["complain", "say", "set_up"]

_logger = logging.getLogger("holo_vae.web")


class _Lines(logging.Formatter):
    """Formatter of libraries' log records; of an exception it writes the place, as the message may quote a request."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a line of JSON."""
        fields = getattr(record, "fields", None)
        if fields is None:
            fields = {
                "logger": record.name,
                "message": str(record.msg).strip()[:200],
            }  # without its arguments
            if record.exc_info and record.exc_info[1] is not None:
                fields["fault"] = where(record.exc_info[1])
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return json.dumps({"time": time, "level": record.levelname.lower(), **fields})


def set_up() -> None:
    """Send everything that is logged in this process to stderr, as lines of JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    _logger.setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error"):
        # It warns of each request that is not HTTP, which is the client's fault, and repeats what `say` logs.
        logging.getLogger(name).setLevel(logging.ERROR)


def say(event: str, **fields: str | int | float | None) -> None:
    """Log an event.

    Parameters
    ----------
    event
        The name of the event.
    **fields
        Properties of the event; those that are None are left out.
    """
    _log(logging.INFO, event, fields)


def complain(event: str, **fields: str | int | float | None) -> None:
    """Log an event that needs attention; see `say`."""
    _log(logging.ERROR, event, fields)


def _log(level: int, event: str, fields: Mapping[str, str | int | float | None]) -> None:
    known = {name: value for name, value in fields.items() if value is not None}
    _logger.log(level, event, extra={"fields": {"event": event, **known}})
