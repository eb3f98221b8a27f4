"""JSON files that contain a digest of their content, so that no flipped bit goes unnoticed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from holo_types.contents import read_content
from holo_types.errors import FormatError

from .atomic import replacing

__all__ = ["read_json", "write_json"]

_DIGEST = "file_digest"


def write_json(path: Path, content: Mapping[str, Any], indent: int | None = None) -> None:
    """Write a JSON file, which appears whole or not at all, with a digest of its content as ``file_digest``.

    Raises
    ------
    HoloError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.json")
    >>> write_json(path, {"name": "demo"})
    >>> read_json(path)
    {'name': 'demo'}
    """
    with replacing(path) as new:
        sealed = {**content, _DIGEST: _digest(content)}
        new.write_text(json.dumps(sealed, indent=indent) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file and verify its digest if it has one.

    Raises
    ------
    FormatError
        If it does not match its digest, or is nested too deeply.
    OSError, ValueError
        If it cannot be read, or is not JSON.
    """
    try:
        content = json.loads(read_content(path).decode("utf-8"))
    except RecursionError:
        raise FormatError(f"{path}: is nested too deeply") from None
    if isinstance(content, dict) and _DIGEST in content:
        said = content.pop(_DIGEST)
        if said != _digest(content):
            raise FormatError(f"{path}: does not match its {_DIGEST}; the file is damaged or was changed")
    return content


def _digest(content: Mapping[str, Any]) -> str:
    # The digest is of the text as it is read again, where all keys are text.
    plain = json.loads(json.dumps(content))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
