"""Options that several of Holo's console scripts have, each defined once (extra ``cli``)."""

from typing import Annotated

import attrs
from cyclopts import Parameter
from cyclopts.validators import Number

__all__ = ["Count", "Device", "Flag", "RunOptions", "Scheduler", "Together", "Workers"]

Count = Annotated[int, Parameter(validator=Number(gte=1))]
Flag = Annotated[bool, Parameter(negative="")]
Together = Parameter(name="*")  # the fields of a class are options of their own

Device = Annotated[str, Parameter(help="Where to compute, such as cpu or cuda.")]
Workers = Annotated[Count, Parameter(help="Number of processes that share the work.")]
Scheduler = Annotated[
    str | None,
    Parameter(
        help="Address of a Dask scheduler, such as tcp://host:8786, whose workers do it instead (extra dask of "
        "holo-features); they must see the files under the same paths."
    ),
]


@attrs.frozen
class RunOptions:
    """How the work is done, which changes nothing in the output.

    Parameters
    ----------
    workers, scheduler
        Who does the work.
    resume
        Go on with an unfinished output, given the same inputs and options; what it has is not done again.
    """

    workers: Workers = 1
    scheduler: Scheduler = None
    resume: Flag = False

    @property
    def alone(self) -> bool:
        """Whether one process does it all."""
        return self.workers == 1 and self.scheduler is None
