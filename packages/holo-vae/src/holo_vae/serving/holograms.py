"""The second form of a request: a batch of holograms as one base64 ``.npy``."""

import base64
import binascii
import io
import math
import threading
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from holo_types import Basis, Holograms

from .limits import Limits, RefusedRequest

__all__ = ["encode_coefficients", "parse_holograms"]

_DTYPES = (np.dtype("<f4"), np.dtype("<f8"))
_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


# Python 3.11 counts the depth of its parser for all threads together. If two parse at once, it may raise SystemError.
_PARSING = threading.Lock()


def encode_coefficients(coefficients: NDArray[np.floating[Any]]) -> str:
    """Return coefficients as a request carries them.

    Examples
    --------
    >>> encode_coefficients(np.zeros((1, 9), np.float32))[:12]
    'k05VTVBZAQB2'
    """
    file = io.BytesIO()
    npy.write_array(file, np.ascontiguousarray(coefficients), version=(1, 0), allow_pickle=False)
    return base64.b64encode(file.getvalue()).decode("ascii")


def parse_holograms(text: str, digest: str, basis: Basis, limits: Limits, what: str) -> Holograms:
    """Parse a batch of holograms.

    Nothing is made of a header's word: the array is as long as what was sent.

    Parameters
    ----------
    text
        A ``.npy`` file in base64: float32 or float64 ``[n, dim]``, in C order.
    digest
        Digest of the basis that the sender's holograms are in.
    basis
        The one that they must be in.
    limits
        How many they may be.
    what
        What an error calls them, such as ``"row 0"``.

    Returns
    -------
    Holograms
        Numbered in the index's column ``hologram``.

    Raises
    ------
    RefusedRequest
        If they are anything else.
    """
    if digest != basis.digest:
        raise RefusedRequest(f"{what}: basis is not that of the model, whose digest is {basis.digest}")
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise RefusedRequest(f"{what}: holograms must be a .npy file in base64") from None
    file = io.BytesIO(content)
    try:
        with _PARSING:
            shape, fortran, dtype = _READERS[npy.read_magic(file)](file)
    # numpy reads the header as a Python literal, and raises whatever Python's parser does.
    except (ValueError, LookupError, TypeError, SyntaxError, TokenError, RecursionError, MemoryError):
        raise RefusedRequest(f"{what}: holograms are no .npy file of version 1.0 or 2.0") from None
    if dtype not in _DTYPES or fortran:
        raise RefusedRequest(f"{what}: holograms must be little-endian float32 or float64 in C order")
    if len(shape) != 2 or shape[1] != basis.dim or shape[0] < 1:
        raise RefusedRequest(f"{what}: holograms must have the shape [n, {basis.dim}], n at least 1")
    if shape[0] > limits.max_residues:
        raise RefusedRequest(
            f"{what}: there are more holograms than the {limits.max_residues} that a request may have"
        )
    if len(content) - file.tell() != math.prod(shape) * dtype.itemsize:
        raise RefusedRequest(f"{what}: holograms are not as many bytes as their header says")
    coefficients = np.frombuffer(content, dtype, offset=file.tell()).reshape(shape).copy()  # torch writes
    finite = np.isfinite(coefficients).all(axis=1)
    if not finite.all():
        raise RefusedRequest(
            f"{what}: hologram {int(np.argmin(finite))} holds a value that is not a finite number"
        )
    return Holograms(coefficients, basis, {"hologram": np.arange(len(coefficients))})
