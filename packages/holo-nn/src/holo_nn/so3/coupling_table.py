"""The table of Clebsch-Gordan coefficients that comes with the package, so that no program waits for their computation.

It contains them up to degree `LMAX`, one path (l1, l2, l3) after another: a mask of the places that are not zero, with
one bit for each, and the values there. `write_table` made it.
"""

from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from .connectivity import Path as Degrees
from .coupling import compute_coefficients

__all__ = ["LMAX", "TABLE", "read_table", "write_table"]

LMAX = 10
TABLE = Path(__file__).with_name("clebsch_gordan.npz")


def _paths() -> list[Degrees]:
    return [
        (l1, l2, l3)
        for l1 in range(LMAX + 1)
        for l2 in range(LMAX + 1)
        for l3 in range(abs(l1 - l2), min(l1 + l2, LMAX) + 1)
    ]


@cache
def read_table() -> dict[Degrees, Float64[np.ndarray, "m1 m2 m3"]]:
    """Read the coefficients of each path in the table."""
    shapes = {path: tuple(2 * degree + 1 for degree in path) for path in _paths()}
    ends = np.cumsum([np.prod(shape) for shape in shapes.values()])
    flat = np.zeros(ends[-1])
    with np.load(TABLE, allow_pickle=False) as file:
        flat[np.unpackbits(file["nonzero"], count=len(flat)).view(bool)] = file["values"]
    pieces = np.split(flat, ends[:-1])
    return {path: piece.reshape(shape) for (path, shape), piece in zip(shapes.items(), pieces, strict=True)}


def write_table(file: Path) -> None:
    """Compute all coefficients of the table and write it."""
    flat = np.concatenate([compute_coefficients(*path).ravel() for path in _paths()])
    np.savez_compressed(file, nonzero=np.packbits(flat != 0), values=flat[flat != 0])
