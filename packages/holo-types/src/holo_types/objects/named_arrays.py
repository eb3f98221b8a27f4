"""Objects of further kinds: named arrays with a header."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from holo_types.errors import HoloError

from .columns import check_name, text_array

__all__ = ["NamedArrays"]

_TAKEN = ("PointClouds", "SphereImages", "Holograms", "Embeddings", "NamedArrays")
_TYPES = "truth values, integers, float32, float64 or text"


def _kind(value: object) -> str:
    if not isinstance(value, str) or not value.isidentifier():
        raise HoloError(f"NamedArrays.kind is {value!r}; it must be a name such as 'VectorIndex'")
    if value in _TAKEN:
        raise HoloError(f"NamedArrays.kind is {value!r}; it must be a name of its own, not that of a type")
    return value


def _array(name: str, values: ArrayLike) -> NDArray[Any]:
    where = f"NamedArrays.arrays[{name!r}]"
    array = np.asarray(values)
    if array.ndim == 0 or 0 in array.shape[1:]:
        raise HoloError(
            f"{where} has shape {list(array.shape)}; it must have rows, of at least one value each"
        )
    if array.dtype.kind in "UO":
        if array.ndim != 1 or not all(isinstance(value, str) for value in array.tolist()):
            raise HoloError(f"{where} has dtype {array.dtype}; it must hold {_TYPES}, text in one dimension")
        return text_array(where, array.tolist())
    native = array.dtype.newbyteorder("=")
    if native.kind not in "biu" and native not in (np.float32, np.float64):
        raise HoloError(f"{where} has dtype {array.dtype}; it must hold {_TYPES}")
    return array.astype(native, copy=False)


def _arrays(arrays: Mapping[str, ArrayLike]) -> Mapping[str, NDArray[Any]]:
    if not arrays:
        raise HoloError("NamedArrays.arrays is empty; it must hold at least one array")
    checked = {}
    for name, values in arrays.items():
        check_name(f"NamedArrays.arrays: {name!r} is not a name", name)
        checked[name] = _array(name, values)
    return MappingProxyType(checked)


def _header(header: Mapping[str, object]) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(header), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise HoloError(
            f"NamedArrays.header is {header!r}; it must hold text, finite numbers, truth values, None, and lists and "
            f"mappings of them ({error})"
        ) from None
    return plain


def _same(arrays: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> bool:
    return list(arrays) == list(other) and all(
        values.dtype == other[name].dtype
        and np.array_equal(values, other[name], equal_nan=values.dtype.kind == "f")
        for name, values in arrays.items()
    )


@attrs.frozen(hash=False)
class NamedArrays:
    """An object of a kind that Holo's types do not cover: named arrays, each with its own rows, and a header.

    Other packages use it to keep their objects, such as an index of vectors, in Holo's files; they define its meaning.

    Parameters
    ----------
    kind
        Name of the kind, an identifier such as ``"VectorIndex"``.
    arrays
        Arrays by name, of any number of dimensions and in any unit. Truth values, integers, float32 and float64 are
        kept to the bit, including NaN; text has one dimension.
    header
        Plain values: text, numbers, truth values, None, and lists and mappings of them.

    Raises
    ------
    HoloError
        If a kind, name, dtype or value is not allowed; the message names it.

    Examples
    --------
    >>> index = NamedArrays("VectorIndex", {"vectors": np.eye(3), "names": ["a", "b", "c"]}, {"metric": "cosine"})
    >>> index.arrays["vectors"].shape, index.header["metric"]
    ((3, 3), 'cosine')
    """

    kind: str = attrs.field(converter=_kind)
    arrays: Mapping[str, NDArray[Any]] = attrs.field(converter=_arrays, eq=attrs.cmp_using(eq=_same))
    header: dict[str, Any] = attrs.field(factory=dict, converter=_header)
