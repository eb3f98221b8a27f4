"""The columns by which the points of the map can be colored."""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import attrs
import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy.typing import NDArray

from .residues import ExploredResidues

__all__ = ["AMINO_ACIDS", "Categories", "Numbers", "color_columns"]

# One hue for each kind of side chain: small and aliphatic, with sulfur, aromatic, polar, positive, negative.
AMINO_ACIDS = MappingProxyType(
    {
        "GLY": "#9aa5ae",
        "PRO": "#6b747b",
        "ALA": "#a3c586",
        "VAL": "#7fae6a",
        "LEU": "#5a9367",
        "ILE": "#3c7450",
        "CYS": "#e3c24f",
        "MET": "#b8962e",
        "PHE": "#a897d6",
        "TYR": "#7b6bb0",
        "TRP": "#554488",
        "SER": "#7fcfd6",
        "THR": "#3fa7b5",
        "ASN": "#d9a0c6",
        "GLN": "#b5679a",
        "HIS": "#7fb2d9",
        "LYS": "#2a6f97",
        "ARG": "#174a6b",
        "ASP": "#eda06f",
        "GLU": "#cc5a2b",
    }
)
_SECONDARY = {"helix": "#ee8a3c", "sheet": "#3d8bc4", "coil": "#9aa5ae"}
_BURIAL = {"buried": "#8d4fa8", "intermediate": "#d17ca0", "exposed": "#e8b04a"}
# The schemes "bright" and "vibrant" of P. Tol, which color-blind readers can distinguish on light and dark pages.
_CLASSES = (
    *("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377"),
    *("#ee7733", "#009988", "#a98ad6", "#cc3311", "#8a9a3b", "#f0a6b8"),
)
_REST = "#9aa5ae"
_MOST_CATEGORIES = 200
_OTHERS, _UNKNOWN = "others", "unknown"
_KNOWN = ("structure", "chain", "residue_number", "insertion_code", "residue_name", "secondary_structure")


@attrs.frozen(eq=False)
class Categories:
    """A column of names.

    Parameters
    ----------
    key, title
        The name of the column in the address of the page, and its title on the page.
    codes : Int[ndarray, "n"]
        The index of the category of each row.
    names, colors
        The name and the color of each category, in the order of the legend.
    """

    key: str
    title: str
    codes: Int[np.ndarray, "n"]
    names: tuple[str, ...]
    colors: tuple[str, ...]


@attrs.frozen(eq=False)
class Numbers:
    """A column of numbers.

    Parameters
    ----------
    key, title
        As in `Categories`.
    values : Float[ndarray, "n"]
        The value of each row, or NaN if it is missing.
    """

    key: str
    title: str
    values: Float[np.ndarray, "n"]


def color_columns(
    residues: ExploredResidues, clusters: Int[np.ndarray, "n"]
) -> tuple[Categories | Numbers, ...]:
    """Return the columns by which residues can be colored: computed properties, and every other column of the index.

    Parameters
    ----------
    residues
        The residues of the page.
    clusters : Int[ndarray, "n"]
        The cluster of z of each residue, counted from 0.

    Returns
    -------
    tuple of Categories or Numbers
        The columns, without those that have the same value in all rows.

    Examples
    --------
    >>> from holo_features import datasets
    >>> from holo_vae import embed
    >>> from .residues import find_residues
    >>> paths = datasets.example_structures()[:1]
    >>> residues = find_residues(embed(paths, "microenvironment-z128"), paths)
    >>> [column.key for column in color_columns(residues, np.arange(153) % 8)]
    ... # doctest: +NORMALIZE_WHITESPACE
    ['residue_name', 'secondary_structure', 'burial', 'b_factor', 'loss', 'z_cluster', 'residue_number']
    """
    index, embeddings = residues.embeddings.index, residues.embeddings
    made: list[Categories | Numbers] = [
        _categories("residue_name", "residue type", index["residue_name"], AMINO_ACIDS),
        _categories("secondary_structure", "secondary structure", residues.secondary_structure, _SECONDARY),
        _categories("burial", "burial", residues.burial, _BURIAL),
    ]
    if "b_factor" in index:
        title = "pLDDT" if residues.has_plddt else "B-factor (Å²)"
        made.append(Numbers("b_factor", title, _floats(index["b_factor"])))
    losses = embeddings.reconstruction_cosine_loss
    if losses is not None:
        made.append(Numbers("loss", "reconstruction loss", _floats(losses)))
    names = np.char.add("cluster ", (clusters + 1).astype(np.str_))
    in_order = dict(zip(sorted(set(names.tolist()), key=_number), _CLASSES, strict=False))
    made.append(_categories("z_cluster", "cluster of z", names, in_order))
    made.append(_categories("structure", "structure", index["structure"], {}))
    made.append(_categories("chain", "chain", index["chain"], {}))
    made.append(Numbers("residue_number", "residue number", _floats(index["residue_number"])))
    for key in index:
        if key in _KNOWN or key == "b_factor":
            continue
        column, title = index[key], key.replace("_", " ")
        if column.dtype.kind == "f":
            made.append(Numbers(f"index.{key}", title, _floats(column)))
        else:
            made.append(_categories(f"index.{key}", title, column.astype(np.str_), {}))
    return tuple(column for column in made if _varies(column))


def _number(name: str) -> int:
    return int(name.rpartition(" ")[2])


def _floats(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(values).astype(np.float32)


def _varies(column: Categories | Numbers) -> bool:
    if isinstance(column, Categories):
        return len(column.names) > 1
    there = column.values[np.isfinite(column.values)]
    return bool(len(there) and there.min() < there.max())


def _categories(
    key: str, title: str, names: Shaped[np.ndarray, "n"], colors: Mapping[str, str]
) -> Categories:
    """Order categories by a table of colors, or by frequency, and merge the rarest of them if there are very many."""
    counts = Counter(names.tolist())
    known = [name for name in colors if name in counts]
    others = [name for name, _ in counts.most_common() if name not in colors and name != ""]
    kept = others[: max(0, _MOST_CATEGORIES - len(known))]
    listed = known + kept
    shown = listed + [_OTHERS] * (len(kept) < len(others)) + [_UNKNOWN] * ("" in counts)
    place = {name: number for number, name in enumerate(listed)}
    if "" in counts:
        place[""] = len(shown) - 1
    each, row_of_name = np.unique(names, return_inverse=True)
    numbers = np.array([place.get(name, len(listed)) for name in each.tolist()], dtype=np.int64)
    return Categories(key, title, numbers[row_of_name], tuple(shown), tuple(_colors(shown, colors)))


def _colors(names: Sequence[str], known: Mapping[str, str]) -> list[str]:
    free = iter(_CLASSES if not known else ())
    return [
        known[name] if name in known else _REST if name in (_OTHERS, _UNKNOWN) else next(free, _REST)
        for name in names
    ]
