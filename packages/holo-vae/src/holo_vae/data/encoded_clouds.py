"""Point clouds as rows that are encoded on request, and views of them (extra ``structures``)."""

from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy.typing import NDArray

from holo_types import Basis, HoloError, PointClouds
from holo_types.extras import extra
from holo_vae.recipes.views import ViewsConfig

__all__ = ["EncodedClouds", "Pairs"]

_BLOCK = 1024  # clouds


@attrs.frozen(eq=False)
class Pairs:
    """Rows that are views of the same residue.

    Parameters
    ----------
    order : Int[ndarray, "n"]
        The rows that have a partner, sorted so that those of a residue are together.
    starts : Int[ndarray, "groups+1"]
        Where the rows of each residue begin in `order`.
    """

    order: Int[np.ndarray, "n"]
    starts: Int[np.ndarray, "groups_and_end"]

    @classmethod
    def of(cls, numbers: Shaped[np.ndarray, "n"]) -> "Pairs":
        """Group rows by their number; rows with -1, or with a number that occurs once, belong to no pair.

        Examples
        --------
        >>> Pairs.of(np.array([4, -1, 7, 4, 5])).order.tolist()
        [0, 3]
        """
        order = np.argsort(numbers, kind="stable")
        values, counts = np.unique(numbers, return_counts=True)
        kept = (counts > 1) & (values >= 0)
        order = order[np.repeat(kept, counts)]
        return cls(order, np.concatenate([[0], np.cumsum(counts[kept])]))

    def draw(self, count: int, generator: np.random.Generator) -> Int[np.ndarray, "count 2"]:
        """Draw residues uniformly, and two different rows of each."""
        groups = generator.integers(len(self.starts) - 1, size=count)
        sizes = np.diff(self.starts)[groups]
        first = generator.integers(sizes)
        second = (first + generator.integers(1, sizes)) % sizes
        drawn: NDArray[np.int64] = self.order[
            self.starts[groups][:, None] + np.stack([first, second], axis=1)
        ]
        return drawn


@attrs.frozen(eq=False)
class EncodedClouds:
    """Point clouds that are encoded whenever rows are requested: 50,000 rows take one second on one processor.

    Parameters
    ----------
    clouds
        The clouds, made by `cut_split`.
    basis
        The basis in which they are encoded.
    views
        How views of them are made.

    Raises
    ------
    HoloError
        If the channels are not those of the basis, or views leave out a residue's own atoms and the clouds do not mark
        them.
    """

    clouds: PointClouds
    basis: Basis
    views: ViewsConfig

    def __attrs_post_init__(self) -> None:
        if self.clouds.channels != self.basis.channels:
            raise HoloError(
                f"the clouds have the channels {', '.join(self.clouds.channels)}; the basis has "
                f"{', '.join(self.basis.channels)}"
            )
        if (self.views.without_own_atoms or self.views.without_side_chain) and (
            "own" not in self.clouds.point_columns
        ):
            raise HoloError("the clouds have no point column 'own', which says what views are to leave out")

    def __len__(self) -> int:
        return len(self.clouds)

    def row_name(self, row: int) -> str:
        """Return the name of a row for messages."""
        return f"the clouds: row {row}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the index columns."""
        return tuple(self.clouds.index)

    def column(self, name: str) -> Iterator[NDArray[Any]]:
        """Return a column of the index."""
        yield self.clouds.index.column(name)

    def pieces(self) -> Iterator[NDArray[Any]]:
        """Yield all rows without views, encoded a few at a time."""
        for start in range(0, max(len(self), 1), _BLOCK):
            yield self.encoded(np.arange(start, min(start + _BLOCK, len(self))), np.dtype(np.float32))

    def encoded(self, rows: Int[np.ndarray, "n"], dtype: np.dtype[Any]) -> Float[np.ndarray, "n dim"]:
        """Encode rows without views."""
        return self._encode(self.clouds[rows], dtype)

    def view(
        self,
        rows: Int[np.ndarray, "n"],
        dtype: np.dtype[Any],
        *,
        seed: int,
        epoch: int,
        number: int,
        like: Int[np.ndarray, "n"],
    ) -> Float[np.ndarray, "n dim"]:
        """Encode a view of rows.

        The random numbers depend only on the seed, the epoch, the view and the row, so that the result does not depend
        on which rows are requested together.

        Parameters
        ----------
        rows, dtype
            The rows, and the precision of the result.
        seed, epoch, number
            The seed and the epoch of the run, and the number of the view, 0 or 1.
        like
            The rows that determine which atoms are left out: the same for both views of a sample.
        """
        with extra("holo-vae[structures]"):
            from holo_features import without_points  # noqa: PLC0415

        config, clouds = self.views, self.clouds[rows]
        sizes = np.diff(clouds.offsets)
        coordinates = clouds.coordinates.astype(np.float64)
        if config.noise:
            for place, row in enumerate(rows.tolist()):
                generator = np.random.default_rng((seed, epoch, row, number))
                moves = generator.standard_normal((sizes[place] + 1, 3))
                part = slice(clouds.offsets[place], clouds.offsets[place + 1])
                coordinates[part] += config.noise * (moves[1:] - moves[0])
        clouds = attrs.evolve(clouds, coordinates=coordinates)
        if config.without_own_atoms or config.without_side_chain:
            least = np.array([self._least_left_out(seed, epoch, row) for row in like.tolist()])
            clouds = without_points(clouds, clouds.point_columns["own"] >= np.repeat(least, sizes))
        return self._encode(clouds, dtype)

    def _least_left_out(self, seed: int, epoch: int, row: int) -> int:
        """Return from which part of its residue on a sample's view lacks atoms: 1 all, 2 the side chain, 3 none."""
        chance = np.random.default_rng((seed, epoch, row, 2)).random()
        if chance < self.views.without_own_atoms:
            return 1
        return 2 if chance < self.views.without_own_atoms + self.views.without_side_chain else 3

    def _encode(self, clouds: PointClouds, dtype: np.dtype[Any]) -> NDArray[Any]:
        with extra("holo-vae[structures]"):
            from holo_features import zernike_transform  # noqa: PLC0415

        bare = attrs.evolve(clouds, index={}, centers=None, point_columns={})
        return zernike_transform(bare, self.basis, dtype).coefficients
