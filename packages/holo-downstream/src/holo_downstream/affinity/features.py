"""Features of complexes before training: named numbers, elements and scaffolds, one row per complex."""

from collections.abc import Sequence

import attrs
import numpy as np
from jaxtyping import Float, Int, Shaped

from holo_types import HoloError

__all__ = ["FeatureTable"]


@attrs.frozen(eq=False)
class FeatureTable:
    """Named numbers of complexes, and properties by which complexes are compared.

    Parameters
    ----------
    ids : Shaped[ndarray, "n"]
        The ids as text, each once.
    names
        The name of each number, each once.
    values : Float[ndarray, "n features"]
        The numbers, in float64; a number that is not available for a complex is NaN.
    elements
        The chemical elements of each ligand.
    scaffolds
        A key that is the same for ligands of one series, such as the Murcko scaffold; empty text if there is none.

    Raises
    ------
    HoloError
        If a name or id is repeated, or a shape does not match.
    """

    ids: Shaped[np.ndarray, "n"]
    names: tuple[str, ...]
    values: Float[np.ndarray, "n features"]
    elements: tuple[frozenset[str], ...]
    scaffolds: tuple[str, ...]

    def __attrs_post_init__(self) -> None:
        if self.values.shape != (len(self.ids), len(self.names)):
            raise HoloError(
                f"FeatureTable.values have shape {list(self.values.shape)}; they must be "
                f"[{len(self.ids)}, {len(self.names)}], one row for each id and one column for each name"
            )
        if not len(self.ids) == len(self.elements) == len(self.scaffolds):
            raise HoloError(
                f"FeatureTable has {len(self.ids)} ids, {len(self.elements)} sets of elements and "
                f"{len(self.scaffolds)} scaffolds; they must be as many"
            )
        for what, names in (("id", self.ids.tolist()), ("name", self.names)):
            if repeated := _repeated(names):
                raise HoloError(f"FeatureTable has the {what} {repeated!r} twice; each must come once")

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, rows: Int[np.ndarray, "kept"]) -> "FeatureTable":
        """Return some of the complexes, in a new order."""
        return FeatureTable(
            self.ids[rows],
            self.names,
            self.values[rows],
            tuple(self.elements[row] for row in rows.tolist()),
            tuple(self.scaffolds[row] for row in rows.tolist()),
        )


def _repeated(names: Sequence[str]) -> str | None:
    seen: set[str] = set()
    return next((name for name in names if name in seen or seen.add(name)), None)  # type: ignore[func-returns-value]
