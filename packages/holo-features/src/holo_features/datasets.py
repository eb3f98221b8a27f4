"""Example structures that come with the package."""

from pathlib import Path

__all__ = ["example_structures"]

_SHIPPED = Path(__file__).parent / "shipped"


def example_structures() -> tuple[Path, ...]:
    """Return the paths of small protein chains of different folds, sorted by name.

    They are chains of PDB entries (CC0), which ``data/SOURCES.md`` beside them lists.

    Examples
    --------
    >>> {path.name.partition(".")[2] for path in example_structures()}
    {'bcif.gz'}
    """
    return tuple(sorted(_SHIPPED.glob("*.bcif.gz")))
