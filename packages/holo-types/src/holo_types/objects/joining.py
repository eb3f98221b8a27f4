"""The function that joins objects of one type."""

from collections.abc import Sequence
from typing import Any, TypeVar

import attrs
import numpy as np

from holo_types.errors import HoloError

from .columns import Columns
from .embeddings import Embeddings
from .holograms import Holograms
from .point_clouds import PointClouds
from .sphere_images import SphereImages

__all__ = ["Data", "DataT", "concatenate"]

Data = PointClouds | SphereImages | Holograms | Embeddings
DataT = TypeVar("DataT", PointClouds, SphereImages, Holograms, Embeddings)


def concatenate(parts: Sequence[DataT]) -> DataT:
    """Join the rows of objects of one type, one object after the other.

    Raises
    ------
    HoloError
        If there is nothing to join, or if the parts differ in type, basis, channels, model, columns, dtype or in the
        optional fields that they have.

    Examples
    --------
    >>> from holo_types import Basis
    >>> basis = Basis(lmax=0, radial=None, channels=("image",))
    >>> len(concatenate([Holograms(np.zeros((2, 1)), basis), Holograms(np.ones((3, 1)), basis)]))
    5
    """
    if not parts:
        raise HoloError("concatenate: there is nothing to concatenate")
    kind = type(parts[0])
    if any(type(part) is not kind for part in parts):
        raise HoloError(f"concatenate: all parts must be {kind.__name__}")
    names = [field.name for field in attrs.fields(kind)]
    return kind(**{name: _join(name, [getattr(part, name) for part in parts]) for name in names})


def _join(name: str, values: list[Any]) -> Any:
    """Join the values of one field: rows one after the other, or the one value that all parts share."""
    first = values[0]
    if isinstance(first, Columns):
        return type(first).concatenate(values)
    if name == "offsets":
        starts = np.cumsum([0, *(offsets[-1] for offsets in values)])
        shifted = [offsets[1:] + start for offsets, start in zip(values, starts, strict=False)]
        return np.concatenate([[0], *shifted]).astype(np.int64)
    if any(isinstance(value, np.ndarray) for value in values):
        kinds = {"absent" if array is None else f"{array.dtype} {array.shape[1:]}" for array in values}
        if len(kinds) > 1:
            raise HoloError(f"concatenate: the parts differ in {name}: {', '.join(sorted(kinds))}")
        return np.concatenate(values)
    if any(value != first for value in values):
        raise HoloError(f"concatenate: the parts differ in {name}")
    return first
