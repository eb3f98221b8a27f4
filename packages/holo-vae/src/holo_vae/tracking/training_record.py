"""The record of a model's training data, kept with the model so that none of it is used to measure the model."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs
import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt64
from numpy.typing import NDArray

from holo_types import FormatError, Index
from holo_types.files.json_files import read_json, write_json
from holo_types.reading import reads
from holo_vae.data.batches import Rows
from holo_vae.data.clusters import group_columns
from holo_vae.recipes.training import TrainingConfig

__all__ = ["TRAINED", "TrainingRecord", "read_training_record", "row_digests", "write_training_record"]

TRAINED = "training.json"  # file of a logged model
_FORMAT = "holo-vae training record"
_MOST_DIGESTS = 1 << 15
_DIGEST_BYTES = 8


@attrs.frozen(eq=False)
class TrainingRecord:
    """The structures, clusters and rows that a model was trained on.

    Parameters
    ----------
    groups
        The values of each index column that identifies rows, such as ``structure`` and ``cluster30``.
    rows
        The number of rows.
    digests : UInt64[ndarray, "m"]
        Digests of the rows' coefficients in ascending order: of all rows, or, of more than 32,768 rows, the smallest
        digests, which are a random sample of the rows.

    Examples
    --------
    >>> record = TrainingRecord({"structure": ("1abc",)}, 1, row_digests(np.zeros((1, 4), np.float32)))
    >>> record.seen(Index({"structure": ["1abc", "2xyz"]}), np.ones((2, 4), np.float32)).tolist()
    [True, False]
    """

    groups: Mapping[str, tuple[str, ...]]
    rows: int
    digests: UInt64[np.ndarray, "m"]

    @classmethod
    def of(
        cls, rows: Rows, config: TrainingConfig, digests: Iterable[UInt64[np.ndarray, "_"]]
    ) -> "TrainingRecord":
        """Describe training rows.

        Parameters
        ----------
        rows
            The rows.
        config
            Determines the columns by which rows belong together.
        digests
            The digests of all rows, in parts.
        """
        # Clusterings that the recipe does not use are included, because others may measure by them.
        named = {
            *group_columns(rows.columns, config),
            *(name for name in rows.columns if name.startswith("cluster")),
        }
        groups = {name: _texts(rows.column(name)) for name in rows.columns if name in named}
        smallest: NDArray[np.uint64] = np.empty(0, np.uint64)
        for part in digests:
            smallest = np.unique(np.concatenate([smallest, part]))[:_MOST_DIGESTS]
        return cls(groups, len(rows), smallest)

    def comparable(self, index: Index) -> bool:
        """Return whether any column of an index can tell whether rows were trained on."""
        return any(name in index for name in self.groups)

    def seen(
        self, index: Index, coefficients: Float[np.ndarray, "n dim"] | None = None
    ) -> Bool[np.ndarray, "n"]:
        """Return for each row whether the model was trained on it, or on one of the same structure or cluster.

        Parameters
        ----------
        index
            The index of the rows; columns that the record lacks are ignored.
        coefficients
            The rows themselves, in the model's basis, if they are available.
        """
        count = len(next(iter(index.values()), ())) if coefficients is None else len(coefficients)
        seen: NDArray[np.bool_] = np.zeros(count, dtype=bool)
        for name, values in self.groups.items():
            if name in index:
                seen |= np.isin(index[name].astype(np.str_), np.array(values, dtype=np.str_))
        if coefficients is not None:
            seen |= np.isin(row_digests(coefficients), self.digests)
        return seen


def row_digests(coefficients: Float[np.ndarray, "n dim"]) -> UInt64[np.ndarray, "n"]:
    """Return a digest of each row, as float32: the first 8 bytes of a SHA-256.

    Examples
    --------
    >>> row_digests(np.zeros((2, 3))).tolist()
    [12984449153667689493, 12984449153667689493]
    """
    with np.errstate(over="ignore"):
        rows = np.ascontiguousarray(coefficients, dtype="<f4")
    return np.array([_digest(row) for row in rows], dtype=np.uint64)


def _digest(row: NDArray[np.float32]) -> int:
    return int.from_bytes(hashlib.sha256(row.data).digest()[:_DIGEST_BYTES], "little")


def _texts(values: Shaped[np.ndarray, "n"]) -> tuple[str, ...]:
    return tuple(np.unique(values).astype(np.str_).tolist())


def write_training_record(record: TrainingRecord, path: Path) -> None:
    """Write a record as JSON, with a digest of its content."""
    write_json(
        path,
        {
            "format": _FORMAT,
            "groups": {name: list(values) for name, values in record.groups.items()},
            "rows": record.rows,
            "row_digests": base64.b64encode(record.digests.astype("<u8").tobytes()).decode("ascii"),
        },
    )


@reads("what a model was trained on")
def read_training_record(path: Path) -> TrainingRecord:
    """Read a record.

    Raises
    ------
    FormatError
        If the file is not a record, or is damaged.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise FormatError(f"{path}: does not say what a model was trained on")
    digests = np.frombuffer(base64.b64decode(content["row_digests"], validate=True), "<u8").astype(np.uint64)
    return TrainingRecord(
        {name: tuple(values) for name, values in content["groups"].items()}, int(content["rows"]), digests
    )
