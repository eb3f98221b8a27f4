"""Ranked lists as files, in the format of SHREC17's evaluator."""

import math
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from holo_types import FormatError, HoloError
from holo_types.contents import read_content
from holo_types.files.atomic import owned, replacing, write_errors

from .retrieval import LIST_LENGTH, Distance, ranked_lists

__all__ = ["read_ranked_lists", "write_ranked_lists"]

_NAME = re.compile(r"[^\s/\\]+")


def write_ranked_lists(
    folder: str | os.PathLike[str],
    names: Sequence[str],
    vectors: Float[np.ndarray, "n d"],
    *,
    predicted: ArrayLike | None = None,
    limit: int = LIST_LENGTH,
    metric: Distance = "cosine",
) -> None:
    """Write the results of each row as a query to a file, as in SHREC17's ``test_normal/`` or ``test_perturbed/``.

    A file has the query's name, without a suffix, and one line for each row that the query returns, the nearest first:
    its name, a space, and its distance.

    Parameters
    ----------
    folder
        The folder, which is created if it does not exist.
    names
        The name of each row, such as ``000009``, each once.
    vectors, predicted, limit, metric
        As for `retrieval_scores`.

    Raises
    ------
    HoloError
        If a name is repeated, cannot be a file name or contains a space, or the files cannot be written; or as for
        `retrieval_scores`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_ranked_lists(folder, ["000001", "000002"], np.array([[1.0, 0.0], [0.0, 1.0]]))
    ...     Path(folder, "000002").read_text().splitlines()
    ['000002 0.000000', '000001 1.000000']
    """
    if len(names) != len(vectors):
        raise HoloError(f"there are {len(names)} names for {len(vectors)} vectors; each must have one")
    seen: set[str] = set()
    for name in names:
        if not _NAME.fullmatch(name) or name in {".", ".."}:
            raise HoloError(
                f"{name!r} cannot be the name of a query's file; it must be text without blanks and /"
            )
        if name in seen:
            raise HoloError(f"{name} is the name of two rows; each must have its own")
        seen.add(name)
    place = Path(folder)
    lists = ranked_lists(vectors, predicted=predicted, limit=limit, metric=metric)
    with write_errors(place), owned(place):
        place.mkdir(parents=True, exist_ok=True)
        for name, (rows, distances) in zip(names, lists, strict=True):
            lines = (
                f"{names[row]} {distance:.6f}\n"
                for row, distance in zip(rows.tolist(), distances.tolist(), strict=True)
            )
            with replacing(place / name) as new:
                new.write_text("".join(lines), encoding="utf-8")


def read_ranked_lists(folder: str | os.PathLike[str]) -> dict[str, list[tuple[str, float]]]:
    r"""Read ranked lists in the format of `write_ranked_lists` and of entries of SHREC17.

    Returns
    -------
    dict
        For the name of each query, the names that it returns, with their distances.

    Raises
    ------
    FormatError
        If there is no such folder or it is empty, or a line is not a name and a finite number.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "000001").write_text("000001 0\n000007 0.25\n")
    ...     read_ranked_lists(folder)
    {'000001': [('000001', 0.0), ('000007', 0.25)]}
    """
    place = Path(folder)
    if not place.is_dir():
        raise FormatError(f"{place} is not a folder; it must be one with a file for each query")
    lists = {path.name: _read(path) for path in sorted(place.iterdir()) if path.is_file()}
    if not lists:
        raise FormatError(f"{place}: there is no file in the folder; there must be one for each query")
    return lists


def _read(path: Path) -> list[tuple[str, float]]:
    found = []
    for number, line in enumerate(read_content(path).decode("utf-8", "replace").splitlines(), start=1):
        try:
            name, distance = line.split()
            found.append((name, float(distance)))
        except ValueError:
            found.append(("", math.nan))
        if not math.isfinite(found[-1][1]):
            raise FormatError(f"{path}: line {number} is {line[:80]!r}; it must be a name and a distance")
    return found
