"""Options that several commands have."""

from collections.abc import Mapping
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

__all__ = ["Channels", "Count", "Flag", "Length", "Order", "settings_of"]

Order = Annotated[int, Parameter(validator=Number(gte=0))]
Count = Annotated[int, Parameter(validator=Number(gte=1))]
Length = Annotated[float, Parameter(validator=Number(gt=0))]
Flag = Annotated[bool, Parameter(negative="")]
Channels = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="", show_default=" ".join)]


def settings_of(command: str, options: Mapping[str, object]) -> dict[str, str]:
    """Give options as the output keeps them, so that it is continued with the same.

    Examples
    --------
    >>> settings_of("structures", {"lmax": 6, "channels": ("C", "N")})
    {'command': 'structures', 'lmax': '6', 'channels': 'C N'}
    """

    def text(value: object) -> str:
        return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)

    return {"command": command} | {name: text(value) for name, value in options.items()}
