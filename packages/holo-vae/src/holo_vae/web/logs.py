"""The service's log: one line of JSON for each request and each event, and nothing of what was sent."""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from holo_vae.serving.faults import where

__all__ = ["complain", "say", "set_up"]

_logger = logging.getLogger("holo_vae.web")


class _Lines(logging.Formatter):
    """Libraries' lines in the same form; of an exception where it was, for its message may quote a request."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a line."""
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
    """Send all that is logged in this process to the error output, in lines of JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    _logger.setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error"):
        # It warns of each request that is no HTTP, which is the client's fault; and says what `say` says.
        logging.getLogger(name).setLevel(logging.ERROR)


def say(event: str, **fields: str | int | float | None) -> None:
    """Log an event.

    Parameters
    ----------
    event
        Its name.
    **fields
        What is said of it; None is left out.
    """
    _log(logging.INFO, event, fields)


def complain(event: str, **fields: str | int | float | None) -> None:
    """Log an event that somebody must look at; see `say`."""
    _log(logging.ERROR, event, fields)


def _log(level: int, event: str, fields: Mapping[str, str | int | float | None]) -> None:
    known = {name: value for name, value in fields.items() if value is not None}
    _logger.log(level, event, extra={"fields": {"event": event, **known}})
