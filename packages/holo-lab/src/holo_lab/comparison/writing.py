"""A comparison as a table, a plot and a colored structure."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from holo_features import ResidueId, Structure
from holo_lab.painting.scales import FADING, ColorScale
from holo_lab.painting.scripts import script_paths
from holo_lab.painting.writing import write_painted
from holo_types import HoloError, Index
from holo_types.files.atomic import replacing
from holo_types.files.csv_files import write_csv
from holo_types.folders import no_link

from .changes import NOISE, Comparison
from .partners import NO_PARTNER

__all__ = ["view_paths", "write_comparison"]

_RESIDUE = ("chain", "residue", "residue_name")
_RANDOM = 100  # the change of two random residues, as a B-factor
_LEAST_WIDTH, _INCHES = 6.0, 0.03  # of the plot, and of each residue in it


def view_paths(table: Path) -> tuple[Path, Path]:
    """Return the paths of the plot and the colored structure that are written beside a table.

    Raises
    ------
    HoloError
        If the name of the table does not end in ``.csv``, or contains characters that a script must not contain.

    Examples
    --------
    >>> [path.name for path in view_paths(Path("changes.csv"))]
    ['changes.png', 'changes.cif']
    """
    if table.suffix != ".csv":
        raise HoloError(f"--out is {table}; it must end in .csv")
    script_paths(table)
    return no_link(table.with_suffix(".png")), no_link(table.with_suffix(".cif"))


def write_comparison(comparison: Comparison, structure: Structure, table: Path) -> None:
    """Write the table and, beside it, the plot, and the first structure colored by the changes, with its scripts.

    Parameters
    ----------
    comparison
        The comparison to write.
    structure
        The first of the two structures.
    table
        CSV file for residues and distances; residues without a partner have empty cells.

    Raises
    ------
    HoloError
        If a file cannot be written.
    """
    picture, colored = view_paths(table)
    header = (*_RESIDUE, *(f"other_{name}" for name in _RESIDUE), "distance", "noise_floors", "of_random")
    write_csv(table, header, _lines(comparison))
    with replacing(picture) as new:
        _plot(comparison, structure.name).savefig(new, dpi=150, format="png")
    write_painted(structure, _of_residues(comparison), colored, ColorScale(FADING, 0, _RANDOM))


def _lines(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    for row, (partner, distance) in enumerate(
        zip(comparison.partners.tolist(), comparison.distances.tolist(), strict=True)
    ):
        if partner == NO_PARTNER:
            yield *_residue(comparison.first, row), "", "", "", "", "", ""
        else:
            yield (
                *_residue(comparison.first, row),
                *_residue(comparison.second, partner),
                f"{distance:.4g}",
                f"{distance / comparison.noise_floor:.3f}",
                f"{distance / comparison.random:.3f}",
            )
    for row in comparison.alone.tolist():
        yield "", "", "", *_residue(comparison.second, row), "", "", ""


def _residue(index: Index, row: int) -> tuple[str, str, str]:
    number = f"{index['residue_number'][row]}{index['insertion_code'][row]}"
    return str(index["chain"][row]), number, str(index["residue_name"][row])


def _plot(comparison: Comparison, name: str) -> Figure:
    count = len(comparison.distances)
    figure = Figure(figsize=(max(_LEAST_WIDTH, min(_INCHES * count, 40.0)), 3.2), layout="constrained")
    axes = figure.add_subplot()
    axes.bar(np.arange(count), comparison.distances / comparison.random, width=1.0, color="#2a6f97")
    axes.axhline(
        comparison.noise_floor / comparison.random, color="#e07a3f", label=f"noise of {NOISE:g} Å (median)"
    )
    axes.axhline(1.0, color="#9aa5ae", label="two random residues (median)")
    chains = comparison.first["chain"]
    starts = np.flatnonzero(np.r_[True, chains[1:] != chains[:-1]])
    ticks = np.unique(np.r_[starts, np.arange(0, count, max(1, count // 10))])
    axes.set_xticks(
        ticks, [" ".join(_residue(comparison.first, row)[:2]) for row in ticks.tolist()], rotation=45
    )
    axes.set_xlim(-0.5, count - 0.5)
    axes.set_xlabel(f"residue of {name}", parse_math=False)
    axes.set_ylabel("change of z")
    axes.legend(frameon=False)
    return figure


def _of_residues(comparison: Comparison) -> dict[ResidueId, float]:
    """Return the change of each residue, where 100 is the distance of two random residues; NaN without a partner."""
    index = comparison.first
    columns = (index[name].tolist() for name in ("chain", "residue_number", "insertion_code"))
    changes = (_RANDOM * comparison.distances / comparison.random).tolist()
    return dict(zip(map(ResidueId, *columns), changes, strict=True))
