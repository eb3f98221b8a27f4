"""The second form of a request: a batch of holograms as a base64-encoded ``.npy`` file."""

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


# Python 3.11 counts the recursion depth of its parser for all threads together: two at once may raise SystemError.
_PARSING = threading.Lock()


def encode_coefficients(coefficients: NDArray[np.floating[Any]]) -> str:
    """Return coefficients in the form that a request carries.

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

    The header is not trusted: the array is only as long as the data that was sent.

    Parameters
    ----------
    text
        A ``.npy`` file in base64: float32 or float64 ``[n, dim]``, in C order.
    digest
        Digest of the basis of the sender's holograms.
    basis
        The basis that they must have.
    limits
        The limits of the request.
    what
        The name of the batch in errors, such as ``"row 0"``.

    Returns
    -------
    Holograms
        The holograms, numbered in the index column ``hologram``.

    Raises
    ------
    RefusedRequest
        If the text or the digest is not valid.
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
    # numpy reads the header as a Python literal, and raises whatever Python's parser raises.
    except (ValueError, LookupError, TypeError, SyntaxError, TokenError, RecursionError, MemoryError):
        raise RefusedRequest(f"{what}: holograms are not a .npy file of version 1.0 or 2.0") from None
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
