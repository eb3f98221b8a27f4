"""What every format of small molecules is read into."""

from collections.abc import Callable

import attrs
from biotite.structure import AtomArray

__all__ = ["Molecule"]


@attrs.frozen(eq=False)
class Molecule:
    """A molecule of a file, not read yet.

    Parameters
    ----------
    name
        As the file has it; empty if it has none.
    read
        Gives its atoms, or raises an error if they are damaged. ``charge`` is the formal charge,
        ``partial_charge`` is there where the file has it.
    """

    name: str
    read: Callable[[], AtomArray]
