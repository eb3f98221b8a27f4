"""Biological assemblies: rotated and translated copies of chains."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, product

import attrs
import numpy as np
from biotite.structure import AtomArray, concatenate
from jaxtyping import Float, Int, Shaped

from holo_types import FormatError
from holo_types.contents import most_bytes

__all__ = ["Copy", "UnitSets", "are_moved_copies", "build_assembly", "check_copies", "operations"]

_MOST_DEVIATION = 1e-2  # files have few decimals
_MOVED = 0.5  # Å
_FARTHEST = 1e6  # Å; a translation beyond it is damage
_MOST_COMPARED = 1000  # models; a wwPDB assembly file of a virus may have 1,680
_MOST_COPIES = 10_000  # a capsid may have 1,680, such as 1M4X
_ATOM = 256  # bytes of memory that an atom takes while copies are joined
_MOST_STEPS = 8  # of an operation; files have at most two
_NONE = np.zeros(0, dtype=np.int64)
_RANGE = re.compile(r"(\d{1,5})-(\d{1,5})")


@attrs.frozen(eq=False)
class Copy:
    """Some units of a structure under one operation, x' = rotation x + translation.

    Parameters
    ----------
    units
        Names of the units; see `RawAtoms.units`.
    rotation : Float[ndarray, "3 3"]
        A proper rotation.
    translation : Float[ndarray, "3"]
        The translation in Å.
    """

    units: frozenset[str]
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]

    @classmethod
    def of(cls, units: frozenset[str], rows: Sequence[Sequence[float]], name: str) -> "Copy":
        """Make a copy from three rows, each of the rotation and the translation.

        Raises
        ------
        FormatError
            If they are not a rotation and translation; `name` identifies them in the message.
        """
        if [len(row) for row in rows] != [4, 4, 4]:
            raise FormatError(f"{name}: its matrix has rows {rows}; it must have 3 of 4 numbers")
        matrix = np.array(rows, dtype=np.float64)
        rotation = matrix[:, :3]
        with np.errstate(all="ignore"):
            deviation = np.abs(rotation @ rotation.T - np.eye(3)).max()
        if not (np.isfinite(matrix).all() and deviation < _MOST_DEVIATION):
            raise FormatError(f"{name}: {matrix.tolist()} is not a rotation and translation")
        farthest = float(np.abs(matrix[:, 3]).max())
        if farthest > _FARTHEST:
            raise FormatError(f"{name}: it is moved by {farthest:g} Å; it may be moved by {_FARTHEST:g} Å")
        return cls(units, rotation, matrix[:, 3])


@attrs.define(eq=False)
class UnitSets:
    """The sets of units of an assembly's copies: one object for equal sets, and only of units that the file has.

    A file can name units in every copy that it does not have, and their sets would take far more memory than its text.

    Parameters
    ----------
    there : Shaped[ndarray, "atoms"]
        Each atom's unit.

    Examples
    --------
    >>> sets = UnitSets(np.array(["A", "A", "B"]))
    >>> sets.of(["B", "A", "Z"]) is sets.of(["A", "B"])
    True
    """

    there: Shaped[np.ndarray, "atoms"]
    _names: dict[str, str] = attrs.field(init=False)
    _sets: dict[frozenset[str], frozenset[str]] = attrs.field(factory=dict, init=False)
    _members: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._names = {name: name for name in np.unique(self.there).tolist()}

    def known(self, names: Iterable[str]) -> Iterator[str]:
        """Yield those of some units that the file has."""
        return (self._names[name] for name in names if name in self._names)

    def of(self, names: Iterable[str]) -> frozenset[str]:
        """Return the set of those of some units that the file has.

        Raises
        ------
        FormatError
            If all different sets together have more units than an assembly may have atoms; see `build_assembly`.
        """
        units = frozenset(self.known(names))
        if units not in self._sets:
            self._sets[units] = units
            self._members += len(units)
            if self._members > (most := max(most_bytes() // _ATOM, len(self.there))):
                raise FormatError(
                    f"its assembly names more than {most} chains, each of which has atoms "
                    "(HOLO_MAX_BYTES allows more)"
                )
        return self._sets[units]


def are_moved_copies(
    atoms: Float[np.ndarray, "atoms 3"], others: Iterable[Float[np.ndarray, "atoms 3"]]
) -> bool:
    """Return whether models are copies of the first one at other places, as in assembly files, and not other states.

    Of very many models, only the first thousand are compared.

    Examples
    --------
    >>> atoms = np.random.default_rng(0).normal(size=(9, 3))
    >>> are_moved_copies(atoms, [atoms[:, [1, 2, 0]] + 20]), are_moved_copies(atoms, [atoms[::-1] + 20])
    (True, False)
    """
    return all(_is_moved(atoms, other) for other in islice(others, _MOST_COMPARED))


def _is_moved(atoms: Float[np.ndarray, "atoms 3"], other: Float[np.ndarray, "atoms 3"]) -> bool:
    """Return whether internal distances are the same; those from a few points determine all others."""
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


def check_copies(count: int) -> None:
    """Refuse more copies than any assembly has, before they are made.

    Raises
    ------
    FormatError
        If there are more than 10,000.
    """
    if count > _MOST_COPIES:
        raise FormatError(f"its assembly has {count} copies; it may have {_MOST_COPIES}")


def operations(expression: str) -> Iterator[tuple[str, ...]]:
    """Yield the successive steps of each operation of an ``oper_expression``; the first is applied last.

    Raises
    ------
    FormatError
        If it is not such an expression, or has more than 10,000 operations, or one of more than 8 steps.

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
    if len(groups) > _MOST_STEPS:
        raise FormatError(
            f"oper_expression has operations of {len(groups)} steps; they may have {_MOST_STEPS}"
        )
    names = [[_named(part) for part in group.split(",")] for group in groups]
    check_copies(math.prod(sum(map(len, parts)) for parts in names))
    return product(*([str(name) for part in parts for name in part] for parts in names))


def _named(part: str) -> Sequence[int | str]:
    """Return the operations that a part of an expression names; a range is not expanded yet."""
    ends = _RANGE.fullmatch(part)
    return range(int(ends[1]), int(ends[2]) + 1) if ends else [part]


def build_assembly(atoms: AtomArray, units: Shaped[np.ndarray, "atoms"], copies: Sequence[Copy]) -> AtomArray:
    """Assemble copies of a structure's units.

    The first copy of a unit keeps the names of its chains; the others are named ``A-2``, ``A-3``, ... as in the wwPDB's
    assembly files, so that no two residues have the same name.

    Parameters
    ----------
    atoms
        The structure.
    units
        Each atom's unit.
    copies
        The copies to assemble, in this order.

    Returns
    -------
    AtomArray
        All copies one after the other; positions are computed in float64 and rounded once.

    Raises
    ------
    FormatError
        If their atoms take more than 1 GiB of memory (some 4 million atoms), or than HOLO_MAX_BYTES, and are more than
        those of the structure; or if a copy lies at no finite position.

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
    names = _Names.of(atoms.chain_id.tolist())
    rows = _rows_of(units)
    times = Counter(copy.units for copy in copies)
    total = sum(number * _size(chosen, rows) for chosen, number in times.items())
    if total > max(most := most_bytes() // _ATOM, len(atoms)):
        raise FormatError(f"its assembly has {total} atoms; it may have {most} (HOLO_MAX_BYTES allows more)")
    members = {
        chosen: np.sort(np.concatenate([_NONE, *(rows[unit] for unit in chosen if unit in rows)]))
        for chosen in times
    }
    pairs, pair = _pairs(atoms.chain_id, units)
    count: Counter[str] = Counter()
    parts = []
    for copy in copies:
        chosen = members[copy.units]
        if not len(chosen):
            continue
        part = atoms[chosen]
        with np.errstate(over="ignore"):
            coord = part.coord.astype(np.float64) @ copy.rotation.T + copy.translation
            part.coord = coord.astype(np.float32)
        if np.isinf(part.coord).any():
            raise FormatError("a copy in its assembly lies at no finite position")
        there, which = np.unique(pair[chosen], return_inverse=True)
        count.update({pairs[i][1] for i in there})
        part.chain_id = np.array([names[pairs[i][0], count[pairs[i][1]]] for i in there])[which]
        parts.append(part)
    return concatenate(parts) if parts else atoms[:0]


def _size(units: frozenset[str], rows: Mapping[str, Int[np.ndarray, "members"]]) -> int:
    """Return the number of atoms of some units."""
    return sum(len(rows[unit]) for unit in units if unit in rows)


def _pairs(
    chains: Shaped[np.ndarray, "atoms"], units: Shaped[np.ndarray, "atoms"]
) -> tuple[list[tuple[str, str]], Int[np.ndarray, "atoms"]]:
    """Return the distinct pairs of chain and unit, and the pair of each atom."""
    (chain_names, chain), (unit_names, unit) = (
        np.unique(names, return_inverse=True) for names in (chains, units)
    )
    codes, which = np.unique(chain * len(unit_names) + unit, return_inverse=True)
    first, second = np.divmod(codes, max(len(unit_names), 1))
    return list(zip(chain_names[first].tolist(), unit_names[second].tolist(), strict=True)), which


def _rows_of(units: Shaped[np.ndarray, "atoms"]) -> dict[str, Int[np.ndarray, "members"]]:
    """Return the atoms of each unit."""
    names, number, counts = np.unique(units, return_inverse=True, return_counts=True)
    rows = np.split(np.argsort(number, kind="stable"), np.cumsum(counts))  # the last one is empty
    return dict(zip(names.tolist(), rows, strict=False))


@attrs.frozen
class _Names:
    """Names of the copies of chains, each used once: a file may have chains that are named like copies."""

    given: dict[tuple[str, int], str]  # by chain and number of the copy
    taken: set[str]
    runs: dict[str, tuple[int, int]] = attrs.field(factory=dict)  # used suffixes of each chain

    @classmethod
    def of(cls, chains: Iterable[str]) -> "_Names":
        names = dict.fromkeys(chains)
        return cls({(chain, 1): chain for chain in names}, set(names))

    def __getitem__(self, copy: tuple[str, int]) -> str:
        if copy not in self.given:
            chain, number = copy
            first, last = self.runs.get(chain, (0, 0))
            suffix = last + 1 if first <= number <= last else number
            while (name := f"{chain}-{suffix}") in self.taken:
                suffix += 1
            self.runs[chain] = (number, suffix)
            self.taken.add(name)
            self.given[copy] = name
        return self.given[copy]
