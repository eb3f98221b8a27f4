"""Example structures and complexes that come with the package."""

from pathlib import Path

__all__ = ["example_complexes", "example_structures"]

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


def example_complexes() -> Path:
    """Return the path of a folder with p38 kinase, 34 ligands and their measured free energies of binding.

    The files are those that `read_complexes` and ``holo affinity fit`` take. They are of Schrödinger's free energy
    benchmark (MIT); ``README.md`` in the folder says more.

    Examples
    --------
    >>> sorted(path.name for path in example_complexes().glob("*.*z"))
    ['ligands.sdf.gz', 'protein.pdb.gz']
    """
    return _SHIPPED / "p38"
