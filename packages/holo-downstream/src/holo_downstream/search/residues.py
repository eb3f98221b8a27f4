"""Selection of residues in embeddings by their usual names, such as A:57,102,195."""

import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from holo_types import Embeddings, HoloError, Index

__all__ = ["residue_names", "select_site", "site_rows"]

_COLUMNS = ("structure", "chain", "residue_number", "insertion_code", "residue_name")
_SHOWN = 100  # characters shown of a text that names no residue


def select_site(embeddings: Embeddings, *residues: str, structure: str | None = None) -> Embeddings:
    """Return the embeddings of some residues.

    Parameters
    ----------
    embeddings
        Embeddings of one or more structures.
    *residues
        Each is a chain with one or more numbers, such as ``"A:57,102,195"``; an insertion code follows its number, as
        in ``"H:52A"``.
    structure
        The structure; by default the only one.

    Returns
    -------
    Embeddings
        One row for each residue, in the order of the names.

    Raises
    ------
    HoloError
        If a text has another form, or there is no such structure or residue, or more than one.

    Examples
    --------
    >>> from holo_types import ModelReference
    >>> index = {"structure": ["1abc"] * 2, "chain": ["A", "A"], "residue_number": [57, 102],
    ...          "insertion_code": ["", ""], "residue_name": ["HIS", "ASP"]}
    >>> rows = Embeddings(np.ones((2, 2)), np.zeros((2, 3, 3)), ModelReference("demo", "1", "", ""), index)
    >>> select_site(rows, "A:102,57").index["residue_name"].tolist()
    ['ASP', 'HIS']
    """
    return embeddings[site_rows(embeddings.index, *residues, structure=structure)]


def site_rows(index: Index, *residues: str, structure: str | None = None) -> Int[np.ndarray, "k"]:
    """Return the row numbers of some residues; the arguments and errors are those of `select_site`."""
    columns = {name: index.column(name) for name in _COLUMNS}
    there = np.unique(columns["structure"])
    if structure is None and len(there) != 1:
        raise HoloError(
            f"there are {len(there)} structures; say which one is meant, such as {there[:1].tolist()}"
        )
    if structure is not None and structure not in there:
        raise HoloError(f"there is no structure {structure!r}; there are {', '.join(there[:5].tolist())} ...")
    inside = columns["structure"] == (there[0] if structure is None else structure)
    rows: list[int] = []
    for text in residues:
        for chain, number, code in _parsed(text):
            fits = inside & (columns["chain"] == chain) & (columns["residue_number"] == number)
            found = np.flatnonzero(fits & (columns["insertion_code"] == code))
            if len(found) != 1:
                how_many = "is no residue" if len(found) == 0 else f"are {len(found)} residues"
                raise HoloError(f"there {how_many} {chain}:{number}{code}; there must be one")
            rows.append(int(found[0]))
    if len(set(rows)) < len(rows):
        raise HoloError(f"a residue comes twice in {' '.join(residues)}; each must come once")
    if not rows:
        raise HoloError("no residue is named; it must be one or more, such as A:57,102,195")
    return np.array(rows)


def residue_names(index: Index, rows: Int[np.ndarray, "n"]) -> list[str]:
    """Return the names of residues for rows of an index.

    Examples
    --------
    >>> index = Index({"chain": ["A"], "residue_number": [52], "insertion_code": ["A"], "residue_name": ["GLY"]})
    >>> residue_names(index, np.array([0]))
    ['A:52A GLY']
    """
    chosen = (index.column(name)[rows].tolist() for name in _COLUMNS[1:])
    return [f"{chain}:{number}{code} {name}" for chain, number, code, name in zip(*chosen, strict=True)]


def _parsed(text: str) -> Sequence[tuple[str, int, str]]:
    match = re.fullmatch(r"([^:,]+):((?:-?[0-9]{1,9}[A-Za-z]?)(?:,-?[0-9]{1,9}[A-Za-z]?)*)", text)
    if match is None:
        raise HoloError(
            f"residues {text[:_SHOWN]!r}: they must be written as chain:number,number, such as A:57,102,195 or A:52B"
        )
    parts = [re.fullmatch(r"(-?[0-9]+)([A-Za-z]?)", each) for each in match[2].split(",")]
    return [(match[1], int(part[1]), part[2]) for part in parts if part is not None]
