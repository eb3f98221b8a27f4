"""Folders of complexes: their table, and the features of each complex."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import attrs
import numpy as np
from jaxtyping import Float

from holo_downstream import FeatureTable
from holo_features import (
    Complex,
    ComplexSource,
    Numbers,
    Selection,
    find_complexes,
    murcko_scaffold,
    read_complex,
    without_ligand_copies,
)
from holo_features.complexes.sets import FoundComplexes
from holo_features.encoding.parallel import map_in_order
from holo_types import FormatError, HoloError
from holo_types.console import Skipped

from .blocks import block_numbers

__all__ = ["FolderFeatures", "find_bound", "folder_features", "folder_table", "read_bound"]

_TABLE = "labels.csv"


@attrs.frozen(eq=False)
class FolderFeatures:
    """The features of the complexes of a table.

    Parameters
    ----------
    table
        The features of the complexes that could be read, in the order of the table.
    sources
        The files of these complexes, row by row.
    skipped
        The complexes that were left out, with the reasons.
    """

    table: FeatureTable
    sources: tuple[ComplexSource, ...]
    skipped: tuple[Skipped, ...]


@attrs.frozen(eq=False)
class _Row:
    numbers: Numbers
    elements: frozenset[str]
    scaffold: str


def folder_table(folder: Path, name: str | None = None) -> Path:
    """Find the table of a folder of complexes: the named file, or ``labels.csv``, or the only CSV file.

    Raises
    ------
    FormatError
        If there is no table, or there are several CSV files and none is named.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "series.csv").write_text("id,protein,ligand")
    >>> folder_table(folder).name
    'series.csv'
    """
    if not folder.is_dir():
        raise FormatError(f"{folder} is not a folder; it must be a folder with a table of complexes")
    if name is not None:
        if not (folder / name).is_file():
            raise FormatError(f"{folder}: has no file {name}")
        return folder / name
    tables = sorted(folder.glob("*.csv"))
    if folder / _TABLE in tables:
        return folder / _TABLE
    if len(tables) != 1:
        found = ", ".join(table.name for table in tables) or "none"
        raise FormatError(
            f"{folder}: must contain {_TABLE} or one other CSV file, or --table must name one; found: {found}"
        )
    return tables[0]


def read_bound(source: ComplexSource) -> Complex:
    """Read a complex with metals and cofactors, and without a second copy of the ligand.

    Raises
    ------
    HoloError
        If it cannot be read; the message names the complex.
    """
    return without_ligand_copies(read_complex(source, Selection(hetero=True)))


def find_bound(table: Path, only: Iterable[str] | None = None) -> FoundComplexes:
    """Find the complexes of a table without reading them.

    Parameters
    ----------
    table
        CSV file with the columns id, protein and ligand, and molecule if a file has several ligands.
    only
        The ids of the complexes to find, or None for all.

    Raises
    ------
    FormatError
        If the table cannot be read.
    """
    found = find_complexes(table)
    if only is None:
        return found
    wanted = set(only)
    return FoundComplexes(
        tuple(each for each in found.sources if each.name in wanted),
        tuple(each for each in found.skipped if each.name in wanted),
    )


def folder_features(
    found: FoundComplexes,
    blocks: Sequence[str],
    *,
    workers: int = 1,
    advance: Callable[[], None] = lambda: None,
) -> FolderFeatures:
    """Compute the features of complexes, in several processes.

    Parameters
    ----------
    found
        The complexes.
    blocks
        Names from `BLOCKS`.
    workers
        Number of processes.
    advance
        A function that is called after each complex has been read.

    Raises
    ------
    HoloError
        If no complex can be used; the message gives the first reason.
    """
    skipped = [Skipped(bad.name, "", bad.reason) for bad in found.skipped]
    rows: list[_Row] = []
    kept: list[ComplexSource] = []
    results = map_in_order(partial(_row, blocks=tuple(blocks)), found.sources, workers)
    for source, row in zip(found.sources, results, strict=True):
        if isinstance(row, str):
            skipped.append(Skipped(source.name, "", row))
        else:
            rows.append(row)
            kept.append(source)
        advance()
    if not rows:
        why = f"; {skipped[0].file}: {skipped[0].reason}" if skipped else ""
        raise HoloError(f"none of {len(skipped)} complexes can be used{why}")
    values: Float[np.ndarray, "n features"] = np.stack([row.numbers.values for row in rows])
    features = FeatureTable(
        np.array([source.name for source in kept]),
        rows[0].numbers.names,
        values,
        tuple(row.elements for row in rows),
        tuple(row.scaffold for row in rows),
    )
    return FolderFeatures(features, tuple(kept), tuple(skipped))


def _row(source: ComplexSource, *, blocks: tuple[str, ...]) -> _Row | str:
    """Return the features of a complex, or the reason why it has none."""
    try:
        complex_ = read_bound(source)
        elements = frozenset(element.title() for element in complex_.ligand.atoms.element.tolist())
        return _Row(block_numbers(complex_, blocks), elements, murcko_scaffold(complex_.ligand))
    except HoloError as error:
        return str(error).removeprefix(f"complex {source.name}: ")
