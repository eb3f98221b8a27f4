"""Conversion of fitted regressors to the arrays and plain values of a file, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from holo_types import HoloError

from .fitted import FORMS, Fitted

__all__ = ["members_of", "split_members"]

_NAMES = {form: name for name, form in FORMS.items()}
_MOST_MEMBERS = 100  # an ensemble has 3


def split_members(members: Sequence[Fitted]) -> tuple[dict[str, NDArray[Any]], list[dict[str, object]]]:
    """Return the arrays of members, named by the number of the member, and the remaining plain values of each member.

    Examples
    --------
    >>> from holo_downstream.affinity.fitted import Constant
    >>> split_members([Constant(6.0)])
    ({}, [{'form': 'constant', 'value': 6.0}])
    """
    arrays: dict[str, NDArray[Any]] = {}
    said: list[dict[str, object]] = []
    for number, member in enumerate(members):
        plain = attrs.asdict(member, recurse=False)
        arrays |= {f"{number}_{name}": each for name, each in plain.items() if isinstance(each, np.ndarray)}
        others = {name: each for name, each in plain.items() if not isinstance(each, np.ndarray)}
        said.append({"form": _NAMES[type(member)], **others})
    return arrays, said


def members_of(arrays: Mapping[str, NDArray[Any]], said: object) -> tuple[Fitted, ...]:
    """Return members made from the results of `split_members`, or from the content of a file.

    Raises
    ------
    HoloError
        If a value or shape does not match.
    KeyError, TypeError
        If something is missing or has another type.
    """
    if not isinstance(said, list) or not all(isinstance(plain, dict) for plain in said):
        raise TypeError(f"its members are {said!r}")
    if len(said) > _MOST_MEMBERS:
        raise HoloError(f"it has {len(said)} members; it may have {_MOST_MEMBERS}")
    members = []
    for number, plain in enumerate(said):
        form = FORMS[plain["form"]]
        numbers = {name: each for name, each in plain.items() if name != "form"}
        of_arrays = {
            name: arrays.get(f"{number}_{name}") for name in attrs.fields_dict(form) if name not in numbers
        }
        members.append(form(**numbers, **of_arrays))  # type: ignore[arg-type]
    return tuple(members)
