"""The two forms of a request's rows: structures or holograms."""

import math
from collections.abc import Iterable, Mapping, Sequence

from .decoding import Row
from .limits import Limits, RefusedRequest

__all__ = ["COLUMNS", "given_rows", "is_of_structures", "one_batch", "structures_of"]

_STRUCTURES, _HOLOGRAMS = ("name", "content"), ("holograms", "basis")
_RESIDUES = "residues"
COLUMNS = (*_STRUCTURES, _RESIDUES, *_HOLOGRAMS)
_FORMS = "it must be name and content, with or without residues, or holograms and basis"


def given_rows(records: Sequence[Mapping[str, object]], limits: Limits) -> list[dict[str, str]]:
    """Return the values of each row of a request, without columns that only other rows use.

    Parameters
    ----------
    records
        The rows; a missing value is None or NaN.
    limits
        The limits of the request.

    Raises
    ------
    RefusedRequest
        If a column is unknown, a value is not text, or there are too many rows or bytes.

    Examples
    --------
    >>> given_rows([{"name": "a.pdb", "content": "ATOM", "residues": None}], Limits())
    [{'name': 'a.pdb', 'content': 'ATOM'}]
    """
    if len(records) > limits.max_residues:
        raise RefusedRequest(f"the request has more than {limits.max_residues} rows")
    rows = [_given(record, number) for number, record in enumerate(records)]
    if sum(len(text) for row in rows for text in row.values()) > limits.max_bytes:
        raise RefusedRequest(f"the request has more than {limits.max_bytes} bytes")
    return rows


def _given(record: Mapping[str, object], number: int) -> dict[str, str]:
    given = {}
    for name, value in record.items():
        if name not in COLUMNS:
            raise RefusedRequest(f"the request has a column that is not known; {_FORMS}")
        if isinstance(value, str):
            given[name] = value
        # pandas' own missing value equals nothing, not even itself, like NaN.
        elif not (
            value is None
            or type(value).__name__ == "NAType"
            or (isinstance(value, float) and math.isnan(value))
        ):
            raise RefusedRequest(f"row {number}: {name} must be text")
    return given


def is_of_structures(rows: Iterable[Mapping[str, str]]) -> bool:
    """Return whether the rows have the form of structures, and not that of holograms.

    Raises
    ------
    RefusedRequest
        If they have neither form, or both.
    """
    forms = set()
    for number, row in enumerate(rows):
        columns = set(row) - {_RESIDUES}
        if columns == set(_STRUCTURES):
            forms.add(True)
        elif columns == set(_HOLOGRAMS) and _RESIDUES not in row:
            forms.add(False)
        else:
            raise RefusedRequest(f"row {number} has {', '.join(row) or 'nothing'}; {_FORMS}")
    if len(forms) != 1:
        raise RefusedRequest(
            "the request has both structures and holograms; send them apart"
            if forms
            else "the request is empty"
        )
    return forms.pop()


def structures_of(rows: Iterable[Mapping[str, str]]) -> list[Row]:
    """Return rows of structures in the form in which they are decoded."""
    return [(row["name"], row["content"], row.get(_RESIDUES)) for row in rows]


def one_batch(rows: list[dict[str, str]]) -> tuple[str, str]:
    """Return the digest and the text of a request's holograms.

    Raises
    ------
    RefusedRequest
        If there is more than one row.
    """
    if len(rows) > 1:
        raise RefusedRequest(f"the request has {len(rows)} rows of holograms; it must have one")
    return rows[0]["basis"], rows[0]["holograms"]
