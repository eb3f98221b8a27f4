"""Imports that only an extra makes work."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from importlib.util import find_spec

from .errors import HoloError

__all__ = ["extra"]


@contextmanager
def extra(requirement: str) -> Iterator[None]:
    """Say what to install where an import in the context fails for want of an extra.

    Parameters
    ----------
    requirement : str
        What brings the imported modules, as pip takes it: a package with the name of its extra.

    Raises
    ------
    HoloError
        If a module is not installed; or if it is, and cannot be imported all the same, when installing it again
        would not help: then with its version and with what was wrong.

    Examples
    --------
    >>> with extra("holo-types[table]"):
    ...     import no_such_module
    Traceback (most recent call last):
    holo_types.errors.HoloError: no_such_module is not installed: pip install 'holo-types[table]'
    """
    try:
        yield
    except ImportError as error:
        # What failed may be an import that an imported module does in its turn: the error names what.
        name = (error.name or "").partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and name and find_spec(name) is None:
            raise HoloError(f"{name} is not installed: pip install {requirement!r}") from None
        reason = " ".join(str(error).split())
        raise HoloError(f"{_installed(name)} is installed but cannot be imported: {reason}") from error


def _installed(module: str) -> str:
    """Name the distributions that a top-level module is of, with their versions."""
    distributions = sorted(set(metadata.packages_distributions().get(module, ())))
    return (
        ", ".join(f"{name} {metadata.version(name)}" for name in distributions) or module or "what it needs"
    )
