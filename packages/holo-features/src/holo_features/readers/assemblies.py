"""Biological assemblies: copies of chains, turned and moved."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import attrs
import numpy as np
from biotite.structure import AtomArray, concatenate
from jaxtyping import Float, Shaped

from holo_types import FormatError

__all__ = ["Copy", "are_moved_copies", "build_assembly", "operations"]

_MOST_DEVIATION = 1e-2  # files give a few decimals
_MOVED = 0.5  # Å


@attrs.frozen(eq=False)
class Copy:
    """Some units of a structure under one operation, x' = rotation x + translation.

    Parameters
    ----------
    units
        Names of the units, see `RawAtoms.units`.
    rotation : Float[ndarray, "3 3"]
        A proper rotation.
    translation : Float[ndarray, "3"]
        In Å.
    """

    units: frozenset[str]
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]

    @classmethod
    def of(cls, units: frozenset[str], rows: Sequence[Sequence[float]], name: str) -> "Copy":
        """Make one from three rows, of rotation and translation each.

        Raises
        ------
        FormatError
            If they are no rotation and translation; `name` says whose they are.
        """
        if [len(row) for row in rows] != [4, 4, 4]:
            raise FormatError(f"{name}: its matrix has rows {rows}; it must have 3 of 4 numbers")
        matrix = np.array(rows, dtype=np.float64)
        rotation = matrix[:, :3]
        with np.errstate(all="ignore"):
            deviation = np.abs(rotation @ rotation.T - np.eye(3)).max()
        if not (np.isfinite(matrix).all() and deviation < _MOST_DEVIATION):
            raise FormatError(f"{name}: {matrix.tolist()} is no rotation and translation")
        return cls(units, rotation, matrix[:, 3])


def are_moved_copies(
    atoms: Float[np.ndarray, "atoms 3"], others: Iterable[Float[np.ndarray, "atoms 3"]]
) -> bool:
    """Say whether models are copies of the first one elsewhere, as in files of assemblies, and no other states of it.

    Examples
    --------
    >>> atoms = np.random.default_rng(0).normal(size=(9, 3))
    >>> are_moved_copies(atoms, [atoms[:, [1, 2, 0]] + 20]), are_moved_copies(atoms, [atoms[::-1] + 20])
    (True, False)
    """
    return all(_is_moved(atoms, other) for other in others)


def _is_moved(atoms: Float[np.ndarray, "atoms 3"], other: Float[np.ndarray, "atoms 3"]) -> bool:
    """Say whether distances within are the same; those from a few points say that of all."""
    if not (np.isfinite(atoms).all() and np.isfinite(other).all()):
        return False
    for i in range(-1, min(3, len(atoms))):
        one, two = (
            np.linalg.norm(points - (points[i] if i >= 0 else points.mean(axis=0)), axis=1)
            for points in (atoms.astype(np.float64), other.astype(np.float64))
        )
        if np.abs(one - two).max() > _MOST_DEVIATION:
            return False
    return bool(np.abs(atoms - other).max() > _MOVED)


def operations(expression: str) -> Iterator[tuple[str, ...]]:
    """Give the successive steps of each operation of an ``oper_expression``, the first to be applied last.

    Raises
    ------
    FormatError
        If it is no such expression.

    Examples
    --------
    >>> list(operations("1,3-4"))
    [('1',), ('3',), ('4',)]
    >>> list(operations("(X)(1-2)"))
    [('X', '1'), ('X', '2')]
    """
    bare = "".join(expression.split())
    groups = re.findall(r"\(([^()]+)\)", bare)
    if not groups and "(" not in bare and ")" not in bare and bare:
        groups = [bare]
    elif "".join(f"({group})" for group in groups) != bare or not groups:
        raise FormatError(f"oper_expression is {expression!r}; it must be like '1,2', '1-4' or '(1-4)(5)'")
    return product(*map(_names, groups))


def _names(group: str) -> Iterator[str]:
    for part in group.split(","):
        ends = re.fullmatch(r"(\d{1,5})-(\d{1,5})", part)
        if ends:
            yield from map(str, range(int(ends[1]), int(ends[2]) + 1))
        else:
            yield part


def build_assembly(atoms: AtomArray, units: Shaped[np.ndarray, "atoms"], copies: Sequence[Copy]) -> AtomArray:
    """Put copies of a structure's units together.

    The first copy of a unit keeps the names of its chains; the others are called ``A-2``, ``A-3``, ... as in
    wwPDB's assembly files, so that no two residues have the same name.

    Parameters
    ----------
    atoms
        The structure.
    units
        Each atom's unit.
    copies
        What to put together, in this order.

    Returns
    -------
    AtomArray
        All copies one after the other; positions are computed in float64 and rounded once.

    Examples
    --------
    >>> atoms = AtomArray(1)
    >>> atoms.coord[0], atoms.chain_id[0] = (1, 2, 3), "A"
    >>> half_turn = np.diag([-1.0, -1.0, 1.0])
    >>> copies = [Copy(frozenset("A"), turn, np.zeros(3)) for turn in (np.eye(3), half_turn)]
    >>> both = build_assembly(atoms, np.array(["A"]), copies)
    >>> both.chain_id.tolist(), both.coord.tolist()
    (['A', 'A-2'], [[1.0, 2.0, 3.0], [-1.0, -2.0, 3.0]])
    """
    names = {chain: (chain, 1) for chain in atoms.chain_id.tolist()}
    count: Counter[str] = Counter()
    parts = []
    for copy in copies:
        members = np.isin(units, list(copy.units))
        if not members.any():
            continue
        part = atoms[members]
        coord = part.coord.astype(np.float64) @ copy.rotation.T + copy.translation
        part.coord = coord.astype(np.float32)
        unit = units[members]
        count.update(set(unit.tolist()))
        pairs = list(zip(part.chain_id.tolist(), (count[name] for name in unit.tolist()), strict=True))
        renamed = {pair: _copy_name(*pair, names) for pair in dict.fromkeys(pairs)}
        part.chain_id = np.array([renamed[pair] for pair in pairs])
        parts.append(part)
    return concatenate(parts) if parts else atoms[:0]


def _copy_name(chain: str, number: int, names: dict[str, tuple[str, int]]) -> str:
    """Name a copy of a chain; `names` tells which copy has a name already, for a file may have an A-2."""
    suffix = number
    while True:
        name = chain if suffix == 1 else f"{chain}-{suffix}"
        if names.setdefault(name, (chain, number)) == (chain, number):
            return name
        suffix += 1
