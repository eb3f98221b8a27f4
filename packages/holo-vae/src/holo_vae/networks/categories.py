"""The categories of conditional models and classifiers, converted from index columns to numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from holo_types import HoloError
from holo_vae.recipes.model import Condition

__all__ = ["category_numbers"]


def category_numbers(condition: Condition, values: NDArray[Any] | int | str) -> NDArray[np.int64]:
    """Return the position of each value among the categories.

    Parameters
    ----------
    condition
        The categories.
    values
        One category, or an array of them in any shape.

    Raises
    ------
    HoloError
        If a value is not a category; the message names such values.

    Examples
    --------
    >>> category_numbers(Condition(column="residue_name", categories=("ALA", "GLY")), np.array(["GLY", "ALA"]))
    array([1, 0])
    """
    array = np.asarray(values)
    places = {category: place for place, category in enumerate(condition.categories)}
    found: list[int | str] = array.ravel().tolist()
    if unknown := [value for value in dict.fromkeys(found) if value not in places]:
        raise HoloError(
            f"{condition.column} is {', '.join(map(repr, unknown[:5]))}{', ...' if unknown[5:] else ''}; "
            f"it must be one of {', '.join(map(repr, condition.categories))}"
        )
    return np.array([places[value] for value in found], dtype=np.int64).reshape(array.shape)
