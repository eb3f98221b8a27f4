"""Example data that comes with the package."""

from pathlib import Path
from typing import NamedTuple

__all__ = ["ExampleSeries", "example_series"]

_DATA = Path(__file__).parent / "data"


class ExampleSeries(NamedTuple):
    """Files of a series of complexes."""

    vectors: Path
    labels: Path


def example_series() -> ExampleSeries:
    """Give contact counts and measured free energies of p38 kinase with 34 ligands.

    They are of Schrödinger's free energy benchmark (MIT); ``data/p38/README.md`` beside them says more.

    Examples
    --------
    >>> [path.name for path in example_series()]
    ['contacts.csv', 'labels.csv']
    """
    return ExampleSeries(_DATA / "p38" / "contacts.csv", _DATA / "p38" / "labels.csv")
