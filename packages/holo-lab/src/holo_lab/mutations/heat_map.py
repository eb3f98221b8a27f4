"""A heat map of mutations: residues by amino acids."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.figure import Figure

from holo_features import Mutation, ResidueId
from holo_types.files.atomic import replacing

__all__ = ["heat_map", "write_heat_map"]

_ORDER = "GAVLIMCFYWPSTNQHKRDE"  # small, aliphatic, aromatic, polar, charged
_PER_LINE = 60  # residues
_MOST = 6_000  # residues; a picture may have 65,535 rows of points, which 6,720 of them fill
_LEAST = 1.0  # kcal/mol at the ends of the colors, so that noise does not look like much


def heat_map(mutations: Sequence[Mutation], values: Float[np.ndarray, "n"], title: str) -> Figure:
    """Draw changes of stability, with residues from left to right and amino acids from top to bottom.

    If the structure has more than 6,000 residues, only the first are drawn, and the title says so.

    Parameters
    ----------
    mutations
        The mutations with their wild types, which are marked by a dot.
    values : Float[ndarray, "n"]
        The changes of stability in kcal/mol. Red is destabilizing, blue is stabilizing, and cells without a mutation
        are gray.
    title
        The title of the picture.

    Examples
    --------
    >>> drawing = heat_map([Mutation(ResidueId("A", 57), "L", "V")], np.array([-1.5]), "1abc")
    >>> drawing.axes[0].get_xticklabels()[0].get_text()
    'V57'
    """
    residues = list(dict.fromkeys((mutation.residue, mutation.wild_type or "") for mutation in mutations))
    if len(residues) > _MOST:
        title = f"{title}: the first {_MOST:,} of {len(residues):,} residues"
        del residues[_MOST:]
    columns = {residue: column for column, (residue, _) in enumerate(residues)}
    grid = np.full((len(_ORDER), len(residues)), np.nan)
    for mutation, value in zip(mutations, values.tolist(), strict=True):
        if mutation.residue in columns:
            grid[_ORDER.index(mutation.mutant), columns[mutation.residue]] = value
    limit = max(_LEAST, float(np.nanpercentile(np.abs(grid), 98)))
    starts = range(0, len(residues), _PER_LINE)
    width = min(len(residues), _PER_LINE)
    figure = Figure(figsize=(2.2 + 0.18 * width, 0.4 + 3.9 * len(starts)), layout="constrained")
    rows = figure.subplots(len(starts), 1, squeeze=False)[:, 0]
    colors = colormaps["RdBu"].with_extremes(bad="#e3e6e8")  # cells without a mutation
    for axes, start in zip(rows, starts, strict=True):
        some = residues[start : start + _PER_LINE]
        drawn = axes.imshow(
            grid[:, start : start + _PER_LINE],
            cmap=colors,
            vmin=-limit,
            vmax=limit,
            aspect="equal",
            interpolation="nearest",
        )
        axes.set_xlim(-0.5, width - 0.5)
        dots = [(column, _ORDER.index(letter)) for column, (_, letter) in enumerate(some) if letter in _ORDER]
        axes.scatter(*zip(*dots, strict=True), s=6, color="#3b4750", lw=0)
        axes.set_yticks(range(len(_ORDER)), list(_ORDER), fontsize=7, family="monospace")
        axes.set_xticks(range(len(some)), [_name(*each) for each in some], rotation=90, fontsize=6)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_ylabel(_chains(some), fontsize=8)
    rows[0].set_title(title, fontsize=10)
    bar = figure.colorbar(drawn, ax=list(rows), shrink=0.7 if len(starts) == 1 else 0.4, pad=0.01)
    bar.set_label("change of stability in kcal/mol (negative destabilizes)", fontsize=7)
    bar.ax.tick_params(labelsize=7)
    return figure


def write_heat_map(
    path: Path, mutations: Sequence[Mutation], values: Float[np.ndarray, "n"], title: str
) -> None:
    """Write `heat_map` as a PNG file, atomically.

    Raises
    ------
    HoloError
        If the file cannot be written.
    """
    with replacing(path) as new:
        heat_map(mutations, values, title).savefig(new, format="png", dpi=150)


def _name(residue: ResidueId, letter: str) -> str:
    return f"{letter}{residue.residue_number}{residue.insertion_code}"


def _chains(residues: Sequence[tuple[ResidueId, str]]) -> str:
    chains = list(dict.fromkeys(residue.chain for residue, _ in residues))
    return f"chain {', '.join(chains)}"
