"""Read MNIST's idx files, optionally gzipped."""

import contextlib
import gzip
import io
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from jaxtyping import Int, Shaped, UInt8
from numpy.typing import NDArray

from holo_types import FormatError
from holo_types.contents import most_unpacked, regular_file

__all__ = ["LabeledImages", "Mnist", "read_idx", "read_mnist"]

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

_STEP = 1 << 20


@attrs.frozen(eq=False)
class LabeledImages:
    """Images with their labels.

    Parameters
    ----------
    images : UInt8[ndarray, "n height width"]
        Gray values.
    labels : Int[ndarray, "n"]
        One label for each image.
    """

    images: UInt8[np.ndarray, "n height width"]
    labels: Int[np.ndarray, "n"]

    def __len__(self) -> int:
        return len(self.images)


@attrs.frozen(eq=False)
class Mnist:
    """The two parts of MNIST, or of a data set in its format."""

    train: LabeledImages
    test: LabeledImages


def read_idx(path: str | os.PathLike[str]) -> Shaped[np.ndarray, "..."]:
    """Read the array of an idx file.

    Parameters
    ----------
    path
        An idx file of any element type and number of dimensions; it may be gzipped.

    Returns
    -------
    Shaped[ndarray, "..."]
        The array in the native byte order.

    Raises
    ------
    FormatError
        If the file is missing, empty, truncated, longer than its header declares, or not an idx file. The declared size
        is compared with the file's size before any memory is allocated.

    Notes
    -----
    LeCun, Cortes and Burges, *The MNIST database of handwritten digits*: two zero bytes, one for the element type,
    one for the number of dimensions, their sizes as big-endian 32-bit integers, then the elements, big-endian.
    """
    place = Path(path)
    if place.is_dir():
        raise FormatError(f"{place} is a folder; it must be an idx file")
    try:
        with _opened(place) as (file, available):
            return _array(file, available, place)
    except FileNotFoundError:
        raise FormatError(f"{place} does not exist") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FormatError(f"{place}: damaged or truncated gzip data ({error})") from None
    except OSError as error:
        raise FormatError(f"{place} cannot be read ({error.strerror})") from None


@contextlib.contextmanager
def _opened(place: Path) -> Iterator[tuple[io.BufferedIOBase, int]]:
    """Open a file, decompressed, and return the largest number of bytes that it can hold."""
    with regular_file(place).open("rb") as plain:
        size = plain.seek(0, os.SEEK_END)
        plain.seek(0)
        zipped = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        if zipped:
            with gzip.open(plain) as file:
                yield file, most_unpacked(size)
        else:
            yield plain, size


def _array(file: io.BufferedIOBase, available: int, place: Path) -> NDArray[Any]:
    head = file.read(4)
    if not head:
        raise FormatError(f"{place} is empty")
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _DTYPES:
        raise FormatError(
            f"{place}: no idx file, it begins with {head.hex(' ')}; it must begin with 00 00 and a type"
        )
    dtype, dimensions = np.dtype(_DTYPES[head[2]]), head[3]
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions or dimensions == 0:
        raise FormatError(
            f"{place}: damaged or truncated, its header of {dimensions} dimensions is not whole"
        )
    shape = [int(size) for size in np.frombuffer(sizes, ">u4")]
    expected = dtype.itemsize
    for size in shape:
        expected *= size
    if expected > available:
        raise FormatError(f"{place}: damaged or truncated, an array {shape} of {expected} bytes is not in it")
    content = bytearray()
    while len(content) <= expected and (part := file.read(min(_STEP, expected + 1 - len(content)))):
        content += part
    if len(content) != expected:
        held = "more" if len(content) > expected else len(content)
        raise FormatError(f"{place}: an array {shape} has {expected} bytes; the file has {held}")
    try:
        return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))
    except ValueError:  # more dimensions than numpy supports
        raise FormatError(f"{place}: an array of {dimensions} dimensions cannot be read") from None


def read_mnist(folder: str | os.PathLike[str]) -> Mnist:
    """Read the four idx files of MNIST, or of a data set in its format (Fashion-MNIST, KMNIST).

    Parameters
    ----------
    folder
        A folder with ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
        ``t10k-labels-idx1-ubyte``, each optionally with .gz. Dots or underscores in place of hyphens, ``test`` in place
        of ``t10k``, a prefix, and a folder with the file's name around it are also accepted, because unpacking programs
        and other data sets produce them.

    Raises
    ------
    FormatError
        If a file is missing or damaged, does not hold images or labels, or their numbers differ.
    """
    place = Path(folder)
    return Mnist(train=_labeled(place, "train"), test=_labeled(place, "t10k"))


def _labeled(folder: Path, part: str) -> LabeledImages:
    paths = [_found(folder, part, *kind) for kind in (("images", "idx3"), ("labels", "idx1"))]
    images, labels = map(read_idx, paths)
    for path, array, dimensions in zip(paths, (images, labels), (3, 1), strict=True):
        if array.ndim != dimensions or array.dtype != np.uint8:
            raise FormatError(
                f"{path}: it has {array.dtype} {list(array.shape)}; it must have uint8 of {dimensions} dimensions"
            )
    if len(images) != len(labels):
        raise FormatError(
            f"{paths[1]}: it has {len(labels)} labels; it must have {len(images)}, one an image"
        )
    return LabeledImages(images, labels.astype(np.int64))


def _found(folder: Path, part: str, kind: str, idx: str) -> Path:
    """Return a file with its usual name, or the only one with a variant of it."""
    name = f"{part}-{kind}-{idx}-ubyte"
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    parts = "(?:t10k|test)" if part == "t10k" else part
    pattern = re.compile(rf"(?i)(?:.*[-_.])?{parts}[-_.]{kind}[-_.]{idx}(?:[-_.]ubyte)?(?:\.gz)?")
    there = sorted(folder.glob("*")) if folder.is_dir() else []
    found = [path for path in there if pattern.fullmatch(path.name)]
    found = [path / path.name if path.is_dir() else path for path in found]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(path.name for path in found)
        raise FormatError(f"{folder}: of {name} it has {names}; it must have one")
    raise FormatError(f"{folder}: there is no {name}, nor {name}.gz")
