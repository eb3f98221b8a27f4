"""Example data that comes with the package."""

from pathlib import Path
from typing import NamedTuple

__all__ = ["ExampleSeries", "example_series"]

_SHIPPED = Path(__file__).parent / "shipped"


class ExampleSeries(NamedTuple):
    """The files of a series of complexes."""

    vectors: Path
    labels: Path


def example_series() -> ExampleSeries:
    """Return the files of contact counts and measured free energies of p38 kinase with 34 ligands.

    They are of Schrödinger's free energy benchmark (MIT); ``shipped/p38/README.md`` beside them says more.

    Examples
    --------
    >>> [path.name for path in example_series()]
    ['contacts.csv', 'labels.csv']
    """
    return ExampleSeries(_SHIPPED / "p38" / "contacts.csv", _SHIPPED / "p38" / "labels.csv")
