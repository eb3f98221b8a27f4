"""Options that several of Holo's console scripts have, each defined once (extra ``cli``)."""

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

__all__ = ["Count", "Device", "Flag", "Together", "Workers"]

Count = Annotated[int, Parameter(validator=Number(gte=1))]
Flag = Annotated[bool, Parameter(negative="")]
Together = Parameter(name="*")  # the fields of a class are options of their own

Device = Annotated[str, Parameter(help="Where to compute, such as cpu or cuda.")]
Workers = Annotated[Count, Parameter(help="Number of processes that share the work.")]
