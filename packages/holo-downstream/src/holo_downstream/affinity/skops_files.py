"""Predictors of format 1, which skops wrote: read as what they say, without making any object that they name.

Such a file is a zip of ``schema.json``, nested nodes that say of what class each object was, and of arrays in numpy's
format. Only numbers, text, lists and arrays are taken from it; of an object, its attributes.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holo_types import FormatError

__all__ = ["read_estimators"]

_MOST_BYTES = 1 << 30  # of the members of a file together, unpacked
_SEQUENCES = ("ListNode", "TupleNode")


def read_estimators(path: Path) -> list[Any]:
    """Give what a file says of each of its estimators: objects with their attributes, and their class as ``of_class``.

    Raises
    ------
    FormatError
        If it is no such file, or unpacks to more than 1 GiB.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > _MOST_BYTES:
                raise FormatError(f"{path}: unpacks to {size} bytes; it may hold {_MOST_BYTES}")
            found = _Archive(archive).value(json.loads(archive.read("schema.json")))
    except (
        zipfile.BadZipFile,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{path}: is no file of skops ({error})") from None
    if not isinstance(found, list):
        raise FormatError(f"{path}: holds no list of estimators")
    return found


class _Archive:
    """The arrays of a file, each read once."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._arrays: dict[str, NDArray[Any]] = {}

    def value(self, node: Mapping[str, Any]) -> Any:
        """Give what a node says; None if it is of a kind that no prediction needs."""
        loader = node["__loader__"]
        if loader == "JsonNode":
            return json.loads(node["content"])
        if loader in _SEQUENCES:
            return [self.value(each) for each in node["content"]]
        if loader in ("DictNode", "TreeNode"):
            content = node["content"]
            return (
                self.value(content)
                if loader == "TreeNode"
                else {k: self.value(v) for k, v in content.items()}
            )
        if loader == "NdArrayNode":
            return self._array(node)
        if loader == "ObjectNode":
            attributes = self.value(node["content"])
            return SimpleNamespace(**{**(attributes or {}), "of_class": node["__class__"]})
        return None

    def _array(self, node: Mapping[str, Any]) -> Any:
        if node["type"] == "json":  # of objects
            return [self.value(each) for each in node["content"]]
        name = node["file"]
        if name not in self._arrays:
            self._arrays[name] = _npy(self._archive.read(name))
        return self._arrays[name]


def _npy(content: bytes) -> NDArray[Any]:
    """Read an array whose size is that of its bytes, whatever its header claims."""
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array has another version of numpy's format than 1.0")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(stream)
    values: NDArray[Any] = np.frombuffer(content, dtype, offset=stream.tell())  # refuses objects
    return values.reshape(shape, order="F" if by_columns else "C")
