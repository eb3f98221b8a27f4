"""The contents of a page: facts as JSON, and arrays in one compressed block."""

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise

import attrs
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from .columns import Categories, Numbers
from .density import Densities
from .projection import PlaneMap
from .residues import ExploredResidues

__all__ = ["Contents", "packed", "page_arrays", "page_facts", "script_json"]

_ALIGNMENT = 8
_COARSEST = 65535  # of what is kept in 16 bits
_NO_ROW = 0xFFFFFFFF
_STEP = 0.01  # Å, of the places of atoms


@attrs.frozen(eq=False)
class Contents:
    """The contents of a page.

    Parameters
    ----------
    title
        The heading of the page.
    residues
        The residues, with embeddings and atoms.
    maps
        The maps of z, of which the first is shown at the start.
    columns
        The columns by which residues can be colored, of which the first is shown at the start.
    neighbors : Int[ndarray, "n count"]
        The nearest rows of each row; -1 where there are fewer.
    distances : Float[ndarray, "n count"]
        The distances of these neighbors, in units of the distance of two random residues.
    densities
        The densities around some residues, or None if none were requested.
    note
        A remark for the reader on how the page was made.
    """

    title: str
    residues: ExploredResidues
    maps: tuple[PlaneMap, ...]
    columns: tuple[Categories | Numbers, ...]
    neighbors: Int[np.ndarray, "n count"]
    distances: Float[np.ndarray, "n count"]
    densities: Densities | None = None
    note: str = ""


def page_arrays(contents: Contents, *, atoms: bool) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of a page by name, with those of atoms and densities only if they are wanted."""
    residues, index = contents.residues, contents.residues.embeddings.index
    arrays: dict[str, NDArray[np.generic]] = {
        "structure": residues.structure_of_row.astype(np.uint32),
        "number": index["residue_number"].astype(np.int32),
        "chain": _codes(index["chain"])[0],
        "insertion": _codes(index["insertion_code"])[0],
        "name": _codes(index["residue_name"])[0],
        "neighbors": np.where(contents.neighbors < 0, _NO_ROW, contents.neighbors).astype(np.uint32),
        "distances": _sixteen(np.nan_to_num(contents.distances) * 1000),
    }
    for plane in contents.maps:
        low = plane.points.min(axis=0)
        spread = float((plane.points - low).max()) or 1.0
        arrays[f"map.{plane.key}"] = _sixteen((plane.points - low) / spread * _COARSEST)
    for number, column in enumerate(contents.columns):
        arrays[f"column.{number}"] = (
            column.codes.astype(np.uint16)
            if isinstance(column, Categories)
            else column.values.astype(np.float32)
        )
    if atoms:
        arrays |= _atom_arrays(residues)
        if contents.densities is not None:
            arrays["density"] = contents.densities.values
    return arrays


def _atom_arrays(residues: ExploredResidues) -> dict[str, NDArray[np.generic]]:
    """Return positions relative to the middle of each structure, rounded to about a hundredth of an Å."""
    firsts, coordinates = residues.first_atoms, residues.coordinates.astype(np.float64)
    middles = np.stack([coordinates[a:b].mean(axis=0) for a, b in pairwise(firsts.tolist())]).astype(
        np.float32
    )
    structure_of_atom = np.repeat(np.arange(len(firsts) - 1), np.diff(firsts))
    coordinates -= middles[structure_of_atom]
    reach = np.maximum.reduceat(np.abs(coordinates).max(axis=1), firsts[:-1])
    steps = np.maximum(reach / 32767, _STEP).astype(np.float32)
    places = np.round(coordinates / steps[structure_of_atom, None]).astype(np.int16)
    return {
        "atom.steps": steps,
        "atom.firsts": firsts.astype(np.uint32),
        # Differences between successive atoms compress better; an overflow is undone when they are added up again.
        "atom.places": np.diff(places.T, axis=1, prepend=np.zeros((3, 1), np.int16)),
        "atom.kinds": residues.kinds,
        "alpha": residues.alpha_atoms.astype(np.uint32),
        # The third axis is the product of the two.
        "frames": np.round(residues.embeddings.frames[:, :2].reshape(-1, 6) * 32767).astype(np.int16),
    }


def page_facts(contents: Contents, *, atoms: bool) -> Mapping[str, object]:
    """Return everything except the arrays, as values for JSON."""
    residues, index, model = (
        contents.residues,
        contents.residues.embeddings.index,
        contents.residues.embeddings.model,
    )
    densities = contents.densities
    return {
        "title": contents.title,
        "rows": len(residues),
        "model": f"{model.name} {model.version}",
        "note": contents.note,
        "atoms": atoms,
        "structures": residues.structures,
        "chains": _codes(index["chain"])[1],
        "insertions": _codes(index["insertion_code"])[1],
        "residueNames": _codes(index["residue_name"])[1],
        "elements": residues.elements,
        "neighborCount": contents.neighbors.shape[1],
        "maps": [{"key": plane.key, "title": plane.title, "detail": plane.detail} for plane in contents.maps],
        "columns": [_column_facts(column) for column in contents.columns],
        "densities": {
            "rows": densities.rows.tolist(),
            "channels": densities.channels,
            "points": densities.values.shape[-1],
            "radius": densities.radius,
        }
        if densities is not None and atoms
        else None,
    }


def _column_facts(column: Categories | Numbers) -> dict[str, object]:
    facts: dict[str, object] = {"key": column.key, "title": column.title}
    if isinstance(column, Categories):
        return facts | {"names": column.names, "colors": column.colors}
    there = column.values[np.isfinite(column.values)]
    # The extreme hundredth at either end would compress the color scale of all other values.
    low, high = np.percentile(there, (1, 99)).tolist()
    if low == high:
        low, high = float(there.min()), float(there.max())
    return facts | {"low": low, "high": high}


def _codes(values: NDArray[np.generic]) -> tuple[NDArray[np.uint16], list[str]]:
    names, codes = np.unique(values.astype(np.str_), return_inverse=True)
    return codes.astype(np.uint16), names.tolist()


def _sixteen(values: NDArray[np.floating]) -> NDArray[np.uint16]:
    return np.clip(np.round(values), 0, _COARSEST).astype(np.uint16)


def packed(arrays: Mapping[str, NDArray[np.generic]]) -> tuple[list[dict[str, object]], str]:
    """Return the position of each array in a block, and the block itself, gzipped and in base64.

    Parameters
    ----------
    arrays
        The arrays by name.

    Returns
    -------
    list of dict
        The name, type, start and number of values of each array.
    str
        The little-endian values, where each array begins at a multiple of eight bytes.

    Examples
    --------
    >>> listed, block = packed({"a": np.arange(3, dtype=np.uint16), "b": np.ones(1, np.float32)})
    >>> listed[1], len(gzip.decompress(base64.b64decode(block)))
    ({'name': 'b', 'type': 'float32', 'start': 8, 'count': 1}, 16)
    """
    listed: list[dict[str, object]] = []
    parts: list[bytes] = []
    start = 0
    for name, array in arrays.items():
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        listed.append({"name": name, "type": array.dtype.name, "start": start, "count": array.size})
        data = little.tobytes()
        data += bytes(-len(data) % _ALIGNMENT)
        parts.append(data)
        start += len(data)
    return listed, base64.b64encode(gzip.compress(b"".join(parts), 9, mtime=0)).decode("ascii")


def script_json(facts: Mapping[str, object] | Sequence[object]) -> str:
    r"""Return JSON that is safe in an HTML script: no character in it begins a tag or ends the script.

    Examples
    --------
    >>> script_json({"name": "</script>"})
    '{"name": "\\u003c/script\\u003e"}'
    """
    text = json.dumps(facts, allow_nan=False)  # ASCII, so that no line separator of Unicode is in it
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
