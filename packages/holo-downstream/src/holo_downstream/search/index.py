"""An index in memory: scaled vectors of residues, their positions, and the distances between unrelated residues."""

from collections.abc import Mapping
from functools import cached_property
from typing import Literal

import attrs
import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy.typing import NDArray

from holo_downstream.vectors.scaling import Scaling
from holo_types import Embeddings, HoloError, Index, ModelReference

from .chance import ChanceDistances
from .directions import side_directions
from .inverted_lists import InvertedLists
from .site_chance import SiteChance

__all__ = ["CLUSTER", "NEEDED", "Other", "SearchIndex", "groups_of", "single"]

Other = Literal["structure", "cluster", "none"]

CLUSTER = "cluster"
_LARGEST_SQUARE = float(np.finfo(np.float32).max) / 4  # so that the squared distance between two is finite
NEEDED = ("structure", "chain", "residue_number", "insertion_code", "residue_name")


@attrs.frozen(eq=False)
class SearchIndex:
    """The residues to search among; made by `build_search_index` or read by `read_search_index`.

    Parameters
    ----------
    vectors : Float[ndarray, "n d"]
        Scaled z, in float32.
    frames : Float[ndarray, "n 3 3"]
        The frames, as in `Embeddings`.
    centers : Float[ndarray, "n 3"], optional
        The centers in Å, which are needed for sites.
    index
        The columns structure, chain, residue_number, insertion_code and residue_name; and cluster, if it is known.
    model
        The model that made z.
    scaling
        The scaling of z.
    chance
        The distances between residues of unrelated proteins.
    site_chance
        The scores of matches between sites of unrelated proteins; None if there are no centers.
    lists
        The inverted lists for approximate search; None if the search is exact.

    Raises
    ------
    HoloError
        If a vector is so long that distances overflow.
    """

    vectors: Float[np.ndarray, "n d"]
    frames: Float[np.ndarray, "n 3 3"]
    centers: Float[np.ndarray, "n 3"] | None
    index: Index
    model: ModelReference
    scaling: Scaling
    chance: ChanceDistances
    site_chance: SiteChance | None = None
    lists: InvertedLists | None = None

    def __attrs_post_init__(self) -> None:
        _check_lengths(self.squares)

    def __len__(self) -> int:
        return len(self.vectors)

    @cached_property
    def types(self) -> Shaped[np.ndarray, "n"]:
        """The residue type of each row."""
        return self.index.column("residue_name")

    @cached_property
    def structures(self) -> Int[np.ndarray, "n"]:
        """The number of each row's structure."""
        return _numbers(self.index.column("structure"))

    @cached_property
    def squares(self) -> Float[np.ndarray, "n"]:
        """The squared length of each vector."""
        return _squares(self.vectors)

    @cached_property
    def structure_numbers(self) -> Mapping[str, int]:
        """The number of each structure."""
        names, rows = np.unique(self.index.column("structure"), return_index=True)
        return dict(zip(names.tolist(), self.structures[rows].tolist(), strict=True))

    @cached_property
    def groups(self) -> Int[np.ndarray, "n"]:
        """The number of each row's cluster, or of its structure if clusters are unknown."""
        return groups_of(self.index)

    @cached_property
    def directions(self) -> Float[np.ndarray, "n 3"]:
        """The direction of each row's side chain, see `side_directions`."""
        if self.centers is None:
            raise HoloError(
                "the index's embeddings have no centers; sites need them: embed the structures anew"
            )
        return side_directions(self.index, self.centers)

    @cached_property
    def rows_by_type(self) -> Mapping[str, NDArray[np.int64]]:
        """The rows of each residue type."""
        return {str(name): np.flatnonzero(self.types == name) for name in np.unique(self.types)}

    def scaled(self, query: Embeddings) -> Float[np.ndarray, "q d"]:
        """Scale the z of a query in the same way as those of the index.

        Raises
        ------
        HoloError
            If another model made the query, or a vector is so long that distances overflow.
        """
        asked, mine = query.model, self.model
        if asked.basis_digest != mine.basis_digest:
            raise HoloError(
                f"the query was made from the basis {asked.basis_digest[:12]}; that of the index is "
                f"{mine.basis_digest[:12]}"
            )
        if asked.digest != mine.digest:
            raise HoloError(
                f"the query was made by {asked.name} {asked.version} ({asked.digest[:12]}); the index is of "
                f"{mine.name} {mine.version} ({mine.digest[:12]})"
            )
        scaled: NDArray[np.float32] = self.scaling.of(single(query.invariants))
        _check_lengths(_squares(scaled))
        return scaled

    def others(self, query: Embeddings, other: Other) -> Bool[np.ndarray, "n"]:
        """Return which rows are not from the query's structure, or not from its cluster.

        Parameters
        ----------
        query
            Embeddings of a single structure.
        other
            ``"structure"``, ``"cluster"``, or ``"none"`` to leave nothing out.

        Raises
        ------
        HoloError
            If the cluster of the query, or of the index, is unknown.
        """
        name = str(query.index.column("structure")[0])
        if other == "none":
            return np.ones(len(self), bool)
        same = self.structures == self.structure_numbers.get(name, -1)
        if other == "structure":
            return np.asarray(~same)
        clusters = self.index.column(CLUSTER)
        if CLUSTER in query.index:
            return np.asarray(clusters != query.index[CLUSTER][0])
        if not same.any():
            raise HoloError(
                f"the cluster of {name} is not known: it is not in the index, and its embeddings have no column "
                f"{CLUSTER!r}"
            )
        return np.asarray(clusters != clusters[same][0])


def single(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return numbers in single precision; those that are too large for it become infinite, which `Scaling` refuses."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32, copy=False)


def _squares(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        squares: NDArray[np.float32] = np.einsum("nd,nd->n", vectors, vectors)
    return squares


def _check_lengths(squares: NDArray[np.float32]) -> None:
    if not (squares <= _LARGEST_SQUARE).all():
        raise HoloError(
            f"a scaled z is {np.sqrt(squares.max()):.3g} long; it must be at most {np.sqrt(_LARGEST_SQUARE):.3g}"
        )


def groups_of(index: Index) -> Int[np.ndarray, "n"]:
    """Return the number of each row's cluster, or of its structure if clusters are unknown."""
    column = index.column(CLUSTER if CLUSTER in index else "structure")
    return _numbers(column)


def _numbers(column: NDArray[np.generic]) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = np.unique(column, return_inverse=True)[1].ravel()
    return numbers
