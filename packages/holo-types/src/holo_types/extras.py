"""Imports that need an extra."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from importlib.util import find_spec

from .errors import HoloError

__all__ = ["extra"]


@contextmanager
def extra(requirement: str) -> Iterator[None]:
    """Report what to install if an import inside the context fails because an extra is missing.

    Parameters
    ----------
    requirement : str
        What to install for the imported modules, in pip's notation: a package with the name of its extra.

    Raises
    ------
    HoloError
        If a module is not installed. If it is installed and still cannot be imported, so that installing it again
        would not help, the message has its version and the reason instead.

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
        # The import that failed may be one inside an imported module: the error names which.
        name = (error.name or "").partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and name and find_spec(name) is None:
            raise HoloError(f"{name} is not installed: pip install {requirement!r}") from None
        reason = " ".join(str(error).split())
        raise HoloError(f"{_installed(name)} is installed but cannot be imported: {reason}") from error


def _installed(module: str) -> str:
    """Return the names and versions of the distributions that provide a top-level module."""
    distributions = sorted(set(metadata.packages_distributions().get(module, ())))
    return (
        ", ".join(f"{name} {metadata.version(name)}" for name in distributions) or module or "what it needs"
    )
