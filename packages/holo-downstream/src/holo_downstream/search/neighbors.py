"""The residues of an index that are nearest to a query's residues, and the significance of their distances."""

from pathlib import Path

import attrs
import numpy as np
from jaxtyping import Bool, Float, Int

from holo_types import Embeddings, HoloError, Index
from holo_types.files.csv_files import write_csv

from .chance import ANY_TYPE
from .index import NEEDED, Other, SearchIndex
from .residues import residue_names

__all__ = ["Neighbors", "neighbor_table", "search_residues", "write_neighbors"]

_BLOCK = 1 << 16  # rows that are compared at once


@attrs.frozen(eq=False)
class Neighbors:
    """The nearest residues for each residue of a query, in ascending order of distance.

    Parameters
    ----------
    query
        The embeddings that were searched for.
    rows : Int[ndarray, "q count"]
        Rows of the index; -1 if there are fewer neighbors.
    distances : Float[ndarray, "q count"]
        Distances between scaled z; NaN if there is no such neighbor.
    p_values : Float[ndarray, "q count"]
        The share of pairs of unrelated residues that are as near: pairs of residues of the query's type, or of any two
        residues if other types were also searched. A value of `least` means "less than".
    expected : Float[ndarray, "q count"]
        E, the number of residues of the index expected to be as near by chance: the share times the number of rows
        searched.
    least : Float[ndarray, "q"]
        The smallest share that the index can resolve.
    """

    query: Embeddings
    rows: Int[np.ndarray, "q count"]
    distances: Float[np.ndarray, "q count"]
    p_values: Float[np.ndarray, "q count"]
    expected: Float[np.ndarray, "q count"]
    least: Float[np.ndarray, "q"]


def search_residues(
    index: SearchIndex,
    query: Embeddings,
    *,
    count: int = 10,
    other: Other = "structure",
    any_type: bool = False,
) -> Neighbors:
    """Find the residues whose surroundings are most similar to those of each residue of a query.

    Parameters
    ----------
    index
        The index to search.
    query
        Embeddings made by the model of the index.
    count
        The number of neighbors for each residue.
    other
        Residues to leave out: ``"structure"``, those of the query's own structure; ``"cluster"``, those of its whole
        cluster; ``"none"``, no residues.
    any_type
        Search for residues of any type, not only of the query's type.

    Returns
    -------
    Neighbors
        The neighbors, exact for up to a million rows in the index; beyond that, those that inverted lists find, with
        exact distances.

    Raises
    ------
    HoloError
        If another model made the query, or its cluster is to be left out but is unknown.

    Examples
    --------
    >>> from holo_downstream.search.building import build_search_index
    >>> from holo_types import ModelReference
    >>> rng = np.random.default_rng(0)
    >>> z, model = rng.normal(size=(100, 4)), ModelReference("demo", "1", "0" * 64, "0" * 64)
    >>> z[70] = z[20]
    >>> rows = {"structure": np.repeat(["1abc", "2xyz"], 50), "chain": ["A"] * 100, "residue_number": range(100),
    ...         "insertion_code": [""] * 100, "residue_name": ["ALA"] * 100}
    >>> embeddings = Embeddings(z, np.zeros((100, 3, 3)), model, rows)
    >>> search_residues(build_search_index(embeddings), embeddings[20:21], count=1).rows.tolist()
    [[70]]
    """
    if count < 1:
        raise HoloError(f"count is {count}; it must be 1 or more")
    vectors = index.scaled(query)
    shape = (len(query), count)
    rows, expected = np.full(shape, -1, np.int64), np.full(shape, np.nan)
    distances, p_values = np.full(shape, np.nan), np.full(shape, np.nan)
    least = np.empty(len(query))
    names, types = query.index.column("structure"), query.index.column("residue_name")
    for name, kind in sorted(set(zip(names.tolist(), types.tolist(), strict=True))):
        asked = np.flatnonzero((names == name) & (types == kind))
        allowed = index.others(query[asked], other)
        if not any_type:
            allowed &= index.types == kind
        pairs = ANY_TYPE if any_type else kind
        found = _nearest(index, vectors[asked], allowed, count)
        for row, nearest in zip(asked.tolist(), found, strict=True):
            there = nearest[nearest >= 0]
            apart = np.linalg.norm(index.vectors[there].astype(np.float64) - vectors[row], axis=1)
            order = np.argsort(apart, kind="stable")
            rows[row, : len(there)], distances[row, : len(there)] = there[order], apart[order]
            p_values[row, : len(there)] = index.chance.of(pairs, apart[order])
        least[asked] = index.chance.least(pairs)
        expected[asked] = p_values[asked] * allowed.sum()
    return Neighbors(query, rows, distances, p_values, expected, least)


def _nearest(
    index: SearchIndex, queries: Float[np.ndarray, "q d"], allowed: Bool[np.ndarray, "n"], count: int
) -> Int[np.ndarray, "q found"]:
    if index.lists is not None:
        return index.lists.nearest(queries, allowed, count)
    candidates = np.flatnonzero(allowed)
    if 2 * len(candidates) > len(allowed):  # comparing with all rows then takes less time than selecting
        candidates = np.arange(len(allowed))
    best_rows = np.empty((len(queries), 0), np.int64)
    best = np.empty((len(queries), 0), np.float32)
    for start in range(0, len(candidates), _BLOCK):
        block = candidates[start : start + _BLOCK]
        whole = len(candidates) == len(allowed)
        vectors = index.vectors[start : start + _BLOCK] if whole else index.vectors[block]
        # Terms that are the same for all rows do not change the order for a query.
        apart = np.where(allowed[block], index.squares[block] - 2 * queries @ vectors.T, np.inf)
        best = np.hstack([best, apart])
        best_rows = np.hstack([best_rows, np.broadcast_to(block, apart.shape)])
        if best.shape[1] > count:
            kept = np.argpartition(best, count - 1, axis=1)[:, :count]
            best, best_rows = np.take_along_axis(best, kept, 1), np.take_along_axis(best_rows, kept, 1)
    return np.where(np.isfinite(best), best_rows, -1)


def neighbor_table(found: Neighbors, index: SearchIndex) -> Index:
    """Return neighbors as columns, with one row for each neighbor.

    Parameters
    ----------
    found
        The neighbors.
    index
        The index that was searched.

    Returns
    -------
    Index
        structure, chain, residue_number, insertion_code and residue_name of the query; rank, from 1; the same five
        columns for the neighbor, as neighbor_structure and so on; distance; p_value; expected; and less_than, which is
        1 if both mean "less than", because the index cannot resolve a smaller number.
    """
    query, place = np.nonzero(found.rows >= 0)
    rows = found.rows[query, place]
    shares = found.p_values[query, place]
    return Index(
        {
            **{name: found.query.index.column(name)[query] for name in NEEDED},
            "rank": place + 1,
            **{f"neighbor_{name}": index.index.column(name)[rows] for name in NEEDED},
            "distance": found.distances[query, place],
            "p_value": shares,
            "expected": found.expected[query, place],
            "less_than": (shares <= found.least[query]).astype(np.int64),
        }
    )


def write_neighbors(found: Neighbors, index: SearchIndex, path: Path) -> None:
    """Write neighbors as CSV, with the columns query, rank, structure, residue, distance, p_value and expected.

    Parameters
    ----------
    found
        The neighbors.
    index
        The index that was searched.
    path
        The file, which appears completely or not at all.
    """
    asked = residue_names(found.query.index, np.arange(len(found.query)))
    structures = found.query.index.column("structure").tolist()
    table = []
    for number, rows in enumerate(found.rows):
        there = rows[rows >= 0]
        for rank, (row, name) in enumerate(
            zip(there.tolist(), residue_names(index.index, there), strict=True)
        ):
            values = (each[number, rank] for each in (found.distances, found.p_values, found.expected))
            table.append(
                (
                    f"{structures[number]} {asked[number]}",
                    rank + 1,
                    str(index.index["structure"][row]),
                    name,
                    *(f"{value:.4g}" for value in values),
                )
            )
    write_csv(path, ("query", "rank", "structure", "residue", "distance", "p_value", "expected"), table)
