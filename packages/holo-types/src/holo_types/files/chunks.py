"""Floating-point rows as compressed HDF5 chunks, several times faster than HDF5 compresses them itself.

HDF5 shuffles a chunk, so that all first bytes of its numbers come first, then all second bytes, ..., and
deflates the whole. But the low bytes of measured numbers are noise: deflate spends nearly all its time on
them and gains nothing. Here each of these planes of bytes is coded or merely stored, as a few pieces of it
say. What results is an ordinary deflate stream, which every HDF5 reads by its own filters.
"""

import zlib
from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

__all__ = ["codings_for", "deflated", "extend_floats"]

_HEADER = b"\x78\x01"  # of a zlib stream: deflate, windows of 32 KiB, fastest
_LAST_BLOCK = b"\x03\x00"  # an empty one
_TRIALS, _TRIAL_BYTES = 4, 512  # pieces of a plane that show how it is best coded
_GAIN = 0.75  # of its length: a plane that is not shortened to this is stored

# Deflate's levels and strategies: matches, for what is regular; runs of one byte, for what is measured.
_CODINGS = ((1, zlib.Z_DEFAULT_STRATEGY), (1, zlib.Z_RLE))
_STORED = (0, zlib.Z_DEFAULT_STRATEGY)


def _coded(plane: bytes | memoryview, level: int, strategy: int) -> bytes:
    """Code bytes as blocks of a deflate stream that ends at a byte's edge, so that others can follow."""
    coder = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, strategy=strategy)
    return coder.compress(plane) + coder.flush(zlib.Z_FULL_FLUSH)


def _best_coding(plane: memoryview) -> tuple[int, int]:
    """Try the codings on a few pieces of a plane."""
    starts = range(0, len(plane), max(1, len(plane) // _TRIALS))
    sample = b"".join(plane[start : start + _TRIAL_BYTES] for start in starts)
    sizes = {coding: len(_coded(sample, *coding)) for coding in _CODINGS}
    best = min(sizes, key=sizes.__getitem__)
    return best if sizes[best] < _GAIN * len(sample) else _STORED


def _planes(values: NDArray[Any]) -> tuple[bytes, list[memoryview]]:
    """Shuffle an array: first all first bytes of its numbers, then all second bytes, ..."""
    whole = np.ascontiguousarray(values).ravel().view(np.uint8).reshape(-1, values.itemsize).T.tobytes()
    size = values.size
    return whole, [memoryview(whole)[i * size : (i + 1) * size] for i in range(values.itemsize)]


def codings_for(values: NDArray[Any]) -> list[tuple[int, int]]:
    """Return the level and strategy of deflate that suit each plane of some values, and values like them."""
    return [_best_coding(plane) for plane in _planes(values)[1]]


def deflated(values: NDArray[Any], codings: Sequence[tuple[int, int]]) -> bytes:
    """Shuffle and compress an array, as HDF5's filters shuffle and gzip would, but faster.

    Parameters
    ----------
    values
        A chunk, whole.
    codings
        As `codings_for` gives them.

    Returns
    -------
    bytes
        A zlib stream (RFC 1950).

    Examples
    --------
    >>> values = np.arange(6.0)
    >>> planes = np.frombuffer(zlib.decompress(deflated(values, codings_for(values))), np.uint8)
    >>> np.array_equal(planes.reshape(8, 6).T.copy().view(np.float64)[:, 0], values)
    True
    """
    whole, planes = _planes(values)
    parts = [_coded(plane, *coding) for plane, coding in zip(planes, codings, strict=True)]
    return b"".join([_HEADER, *parts, _LAST_BLOCK, zlib.adler32(whole).to_bytes(4, "big")])


def extend_floats(dataset: h5py.Dataset, values: NDArray[Any]) -> None:
    """Append rows to a dataset that has the filters shuffle and gzip.

    Parameters
    ----------
    dataset
        Float32 or float64, chunked along its rows.
    values
        The rows, at least one, of the dataset's dtype.
    """
    start, size = len(dataset), dataset.chunks[0]
    first = start - start % size  # the last chunk may have room: it is written anew
    rows = np.concatenate([dataset[first:start], values])
    codings = codings_for(_filled(rows[:size], size))
    dataset.resize(start + len(values), axis=0)
    rest = (0,) * (dataset.ndim - 1)
    for begin in range(0, len(rows), size):
        chunk = _filled(rows[begin : begin + size], size)
        dataset.id.write_direct_chunk((first + begin, *rest), deflated(chunk, codings))


def _filled(rows: NDArray[Any], size: int) -> NDArray[Any]:
    """Fill a chunk up with zeros, as HDF5 keeps whole chunks."""
    if len(rows) == size:
        return rows
    return np.concatenate([rows, np.zeros((size - len(rows), *rows.shape[1:]), rows.dtype)])
