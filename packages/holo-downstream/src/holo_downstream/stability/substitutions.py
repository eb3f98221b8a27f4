"""Amino acid substitutions, described by the features that are learned from."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import attrs
import numpy as np
from jaxtyping import Float, Int

from holo_downstream.vectors.inputs import check_vectors
from holo_types import HoloError

__all__ = ["Columns", "Substitutions"]


@attrs.frozen(eq=False)
class Columns:
    """Features of rows, with the names of the columns.

    Parameters
    ----------
    names
        One name for each column.
    values : Float[ndarray, "n columns"]
        The features, which must be finite.

    Raises
    ------
    HoloError
        If there is not exactly one name for each column, or a value is not finite.
    """

    names: tuple[str, ...]
    values: Float[np.ndarray, "n columns"]

    def __attrs_post_init__(self) -> None:
        check_vectors("Columns", self.values)
        if len(self.names) != self.values.shape[1]:
            raise HoloError(f"Columns: {len(self.names)} names for {self.values.shape[1]} columns")

    def take(self, rows: Int[np.ndarray, "rows"]) -> "Columns":
        """Return some of the rows."""
        return Columns(self.names, self.values[rows])


def _blocks(blocks: Mapping[str, Columns]) -> Mapping[str, Columns]:
    return MappingProxyType(dict(blocks))


@attrs.frozen(eq=False)
class Substitutions:
    """Amino acid substitutions, one per row.

    Parameters
    ----------
    sites
        Features of the surroundings, in blocks by name; they do not depend on the amino acid at the site.
    wild_types, mutants
        Features of the wild-type amino acid and of the mutant, with the same columns.
    changes
        Features of the mutant minus those of the wild type at the site; the reverse substitution has their negatives.

    Raises
    ------
    HoloError
        If there is no block, or the rows or columns differ.

    Examples
    --------
    >>> one = Columns(("volume",), np.array([[140.0]]))
    >>> other = Columns(("volume",), np.array([[88.6]]))
    >>> buried = {"burial": Columns(("atoms",), np.array([[60.0]]))}
    >>> exchange = Substitutions(buried, one, other, Columns(("volume",), other.values - one.values))
    >>> len(exchange), exchange.reverse().changes.values.round(1).tolist()
    (1, [[51.4]])
    """

    sites: Mapping[str, Columns] = attrs.field(converter=_blocks)
    wild_types: Columns
    mutants: Columns
    changes: Columns

    def __attrs_post_init__(self) -> None:
        if not self.sites:
            raise HoloError("Substitutions.sites is empty; it must hold at least one block")
        if self.wild_types.names != self.mutants.names:
            raise HoloError(
                f"Substitutions: wild types have the numbers {self.wild_types.names} and mutants {self.mutants.names}; "
                "they must be the same"
            )
        parts = {
            **self.sites,
            "wild_types": self.wild_types,
            "mutants": self.mutants,
            "changes": self.changes,
        }
        counts = {name: len(part.values) for name, part in parts.items()}
        if len(set(counts.values())) > 1:
            raise HoloError(f"Substitutions: the rows are {counts}; they must be equally many")

    def __len__(self) -> int:
        return len(self.changes.values)

    def take(self, rows: Int[np.ndarray, "rows"]) -> "Substitutions":
        """Return some of the substitutions."""
        return Substitutions(
            {name: block.take(rows) for name, block in self.sites.items()},
            self.wild_types.take(rows),
            self.mutants.take(rows),
            self.changes.take(rows),
        )

    def reverse(self) -> "Substitutions":
        """Return the reverse substitutions at the same sites."""
        back = Columns(self.changes.names, -self.changes.values)
        return Substitutions(self.sites, self.mutants, self.wild_types, back)

    def columns(self, blocks: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the names of the features by part; of the sites, those of the given blocks that exist."""
        named = {f"site {name}": self.sites[name].names for name in blocks if name in self.sites}
        return {**named, "amino acid": self.wild_types.names, "change": self.changes.names}
