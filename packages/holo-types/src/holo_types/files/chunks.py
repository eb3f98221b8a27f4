"""Compression of floating-point rows into HDF5 chunks, several times faster than HDF5's own.

HDF5 shuffles a chunk, so that the first bytes of all its numbers come first, then all second bytes, and so on, and
deflates the result. But the low bytes of measured numbers are noise: deflate spends nearly all its time on them and
gains nothing. Here each of these planes of bytes is either compressed or merely stored, depending on how well a few
pieces of it compress. The result is an ordinary deflate stream, which every HDF5 reads with its own filters.
"""

import zlib
from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

__all__ = ["codings_for", "deflated", "extend_floats"]

_HEADER = b"\x78\x01"  # of a zlib stream: deflate, a window of 32 KiB, fastest level
_LAST_BLOCK = b"\x03\x00"  # an empty one
_TRIALS, _TRIAL_BYTES = 4, 512  # pieces of a plane on which the codings are tried
_GAIN = 0.75  # of its length: a plane that does not shrink to this fraction is stored

# Deflate's levels and strategies: matches for regular data, runs of one byte for measured data.
_CODINGS = ((1, zlib.Z_DEFAULT_STRATEGY), (1, zlib.Z_RLE))
_STORED = (0, zlib.Z_DEFAULT_STRATEGY)


def _coded(plane: bytes | memoryview, level: int, strategy: int) -> bytes:
    """Compress bytes as blocks of a deflate stream that ends on a byte boundary, so that others can follow."""
    coder = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, strategy=strategy)
    return coder.compress(plane) + coder.flush(zlib.Z_FULL_FLUSH)


def _best_coding(plane: memoryview) -> tuple[int, int]:
    """Return the coding that compresses a few pieces of a plane best."""
    starts = range(0, len(plane), max(1, len(plane) // _TRIALS))
    sample = b"".join(plane[start : start + _TRIAL_BYTES] for start in starts)
    sizes = {coding: len(_coded(sample, *coding)) for coding in _CODINGS}
    best = min(sizes, key=sizes.__getitem__)
    return best if sizes[best] < _GAIN * len(sample) else _STORED


def _planes(values: NDArray[Any]) -> tuple[bytes, list[memoryview]]:
    """Shuffle an array: the first bytes of all its numbers, then all second bytes, and so on."""
    whole = np.ascontiguousarray(values).ravel().view(np.uint8).reshape(-1, values.itemsize).T.tobytes()
    size = values.size
    return whole, [memoryview(whole)[i * size : (i + 1) * size] for i in range(values.itemsize)]


def codings_for(values: NDArray[Any]) -> list[tuple[int, int]]:
    """Return the level and strategy of deflate that suit each plane of the given values and of similar ones."""
    return [_best_coding(plane) for plane in _planes(values)[1]]


def deflated(values: NDArray[Any], codings: Sequence[tuple[int, int]]) -> bytes:
    """Shuffle and compress an array, with the result of HDF5's shuffle and gzip filters, but faster.

    Parameters
    ----------
    values
        A whole chunk.
    codings
        Those that `codings_for` returned.

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
    """Append rows to a dataset that has the shuffle and gzip filters.

    Parameters
    ----------
    dataset
        Float32 or float64, chunked along its rows.
    values
        The rows, at least one, of the dataset's dtype.
    """
    start, size = len(dataset), dataset.chunks[0]
    first = start - start % size  # the last chunk may have room left: it is written again
    rows = np.concatenate([dataset[first:start], values])
    codings = codings_for(_filled(rows[:size], size))
    dataset.resize(start + len(values), axis=0)
    rest = (0,) * (dataset.ndim - 1)
    for begin in range(0, len(rows), size):
        chunk = _filled(rows[begin : begin + size], size)
        dataset.id.write_direct_chunk((first + begin, *rest), deflated(chunk, codings))


def _filled(rows: NDArray[Any], size: int) -> NDArray[Any]:
    """Fill a chunk up with zeros, because HDF5 keeps whole chunks."""
    if len(rows) == size:
        return rows
    return np.concatenate([rows, np.zeros((size - len(rows), *rows.shape[1:]), rows.dtype)])
