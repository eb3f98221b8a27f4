"""A validator that the configurations share."""

from typing import Any

import attrs

from holo_types import HoloError

__all__ = ["at_least"]


def at_least(bound: int | float) -> Any:  # attrs' validators have no public type
    """Return a validator that refuses smaller values and NaN, with the name of the field."""

    def check(instance: object, attribute: "attrs.Attribute[float]", value: int | float) -> None:
        if not value >= bound:
            raise HoloError(
                f"{type(instance).__name__}.{attribute.name} is {value!r}; it must be at least {bound}"
            )

    return check
