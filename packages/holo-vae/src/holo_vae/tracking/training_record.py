"""What a model was trained on: kept with it, so that nothing of that is taken for a measure of it."""

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

TRAINED = "training.json"  # of a logged model
_FORMAT = "holo-vae training record"
_MOST_DIGESTS = 1 << 15
_DIGEST_BYTES = 8


@attrs.frozen(eq=False)
class TrainingRecord:
    """Which structures, clusters and rows a model was trained on.

    Parameters
    ----------
    groups
        For each column of the index that says what a row is of, such as ``structure`` and ``cluster30``, its values.
    rows
        How many rows there were.
    digests : UInt64[ndarray, "m"]
        Of the coefficients of rows, ascending: of all, or of more than 32,768 rows the smallest ones, a sample in which
        other rows are found as often as they were trained on.

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
        """Describe rows to train on.

        Parameters
        ----------
        rows
            The rows.
        config
            Says by which columns rows belong together.
        digests
            Those of all rows, in parts.
        """
        # Clusterings too that the recipe does not use: others may measure by them.
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
        """Say whether any column says of rows whether they were trained on."""
        return any(name in index for name in self.groups)

    def seen(
        self, index: Index, coefficients: Float[np.ndarray, "n dim"] | None = None
    ) -> Bool[np.ndarray, "n"]:
        """Say of each row whether the model was trained on it, or on one of its structure or cluster.

        Parameters
        ----------
        index
            What the rows are about; columns that the record does not have say nothing.
        coefficients
            The rows themselves, in the model's basis, where they are known.
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
    """Write a record as JSON, with the digest of what it says."""
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
        If the file is no record, or is damaged.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise FormatError(f"{path}: does not say what a model was trained on")
    digests = np.frombuffer(base64.b64decode(content["row_digests"], validate=True), "<u8").astype(np.uint64)
    return TrainingRecord(
        {name: tuple(values) for name, values in content["groups"].items()}, int(content["rows"]), digests
    )
