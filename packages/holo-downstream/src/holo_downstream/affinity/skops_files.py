"""Predictors of format 1, written by skops, read as plain data without creating any object that they name.

Such a file is a zip archive of ``schema.json``, nested nodes that state the class of each object, and of arrays in
numpy's format. Only numbers, text, lists and arrays are read from it; of an object, only its attributes.
"""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from numpy.typing import NDArray

from holo_downstream.vectors.npy_files import check_archive, npy_array, read_member
from holo_types import FormatError
from holo_types.contents import regular_file

__all__ = ["read_estimators"]

_SEQUENCES = ("ListNode", "TupleNode")


def read_estimators(path: Path) -> list[Any]:
    """Return the content of a file for each of its estimators: attributes, and the name of the class as ``of_class``.

    Raises
    ------
    FormatError
        If it is not such a file, or unpacks to too much data.
    """
    try:
        with zipfile.ZipFile(regular_file(path)) as archive:
            check_archive(path, archive)
            found = _Archive(archive).value(json.loads(read_member(archive, "schema.json")))
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
        raise FormatError(f"{path}: is not a file of skops ({error})") from None
    if not isinstance(found, list):
        raise FormatError(f"{path}: holds no list of estimators")
    return found


class _Archive:
    """The arrays of a file, each read once."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._arrays: dict[str, NDArray[Any]] = {}

    def value(self, node: Mapping[str, Any]) -> Any:
        """Return the content of a node; None if it is of a kind that no prediction needs."""
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
            self._arrays[name] = npy_array(read_member(self._archive, name))
        return self._arrays[name]
