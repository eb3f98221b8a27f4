"""Batches to train on, from memory or streamed from files that are larger than it.

The order of an epoch is a function of the seed and the epoch's number, and never depends on who reads it. Up to
`shuffle_rows` rows are all held in memory, and an epoch is a random permutation of them. Larger data is streamed: the
chunks of the files (256 KiB of consecutive rows, often from one structure) are permuted over all files. A window is as
many random chunks as hold `shuffle_rows` rows, and the rows of a window are permuted among one another. Every row
comes once per epoch.

The place of a chunk in the epoch is therefore random, and a batch is drawn evenly from all chunks of its window. For
protein holograms, with 38 rows per chunk, a window of 500,000 rows holds 13,158 chunks, and a batch of 512 rows comes
from 502 of them. All that remains of the files' order is that the rows of a chunk come in one window. The first windows
are an eighth, a quarter and half as long, so that an epoch begins soon. Threads read one window ahead, so two windows
are in memory.

Where rows belong to clusters, an epoch takes a part of each, drawn by `holo_vae.data.clusters`; all else is the same.
"""

import hashlib
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from numpy.typing import NDArray
from torch import Tensor

from holo_types import Basis, HoloError, Holograms, Index
from holo_vae.recipes.model import Condition

from .alike_rows import AlikeRows
from .cloud_sets import ALIKE
from .clusters import ClusterColumns, Clusters
from .encoded_clouds import EncodedClouds, Pairs
from .shards import Shards, check_finite

__all__ = ["Batch", "Rows", "Source", "Split", "data_scale", "dataset_digest", "open_rows", "split_by_group"]

Source = Holograms | EncodedClouds | Path | Sequence[Path]

_DTYPES: dict[torch.dtype, np.dtype[Any]] = {
    torch.float32: np.dtype(np.float32),
    torch.float64: np.dtype(np.float64),
}
_FIRST_WINDOWS = (8, 4, 2)  # the first windows are these fractions (1/8, 1/4, 1/2) of a full one
_ORDERED_BYTES = 1 << 25  # size of a window that is not shuffled
_VIEWED_AHEAD = 2  # batches of views that are prepared ahead


@attrs.frozen(eq=False)
class Batch:
    """Rows that are processed together in one training step.

    Parameters
    ----------
    coefficients
        The coefficients, in memory that belongs to the batch.
    labels
        The number of each row's category, where there is a condition.
    rows
        The row numbers in the source, counted over all its files.
    heads
        The number of each row's category for each head, -1 where it has none; None if there are no heads.
    views
        For training on point clouds: ``view``, the network's input for each row; with two views per row,
        ``other_view``; and, for paired rows, ``other``, the coefficients of the rows that ``other_view`` shows. For
        rows that are views of one another, ``other_view`` and ``other`` are the same.
    """

    coefficients: Float[Tensor, "n dim"]
    labels: Int[Tensor, " n"] | None
    rows: Int[np.ndarray, " n"]
    heads: Int[Tensor, "n heads"] | None = None
    views: Mapping[str, Float[Tensor, "n dim"]] = attrs.field(factory=dict)


@attrs.frozen(eq=False)
class Split:
    """The row numbers of the training part and of the validation part."""

    training: NDArray[np.int64]
    validation: NDArray[np.int64]


@attrs.frozen(eq=False)
class _Memory:
    """Holograms in memory, with the interface of `Shards`."""

    holograms: Holograms

    @property
    def basis(self) -> Basis:
        return self.holograms.basis

    def __len__(self) -> int:
        return len(self.holograms)

    def row_name(self, row: int) -> str:
        return f"the holograms: row {row}"

    def column(self, name: str) -> Iterator[NDArray[Any]]:
        yield self.holograms.index.column(name)

    def pieces(self) -> Iterator[NDArray[Any]]:
        yield from np.array_split(self.holograms.coefficients, math.ceil(len(self) / 1024) or 1)

    def read(self, rows: NDArray[np.int64] | None, dtype: np.dtype[Any]) -> NDArray[Any]:
        chosen = self.holograms.coefficients if rows is None else self.holograms.coefficients[rows]
        with np.errstate(over="ignore"):
            values = chosen.astype(dtype, copy=False)
        check_finite(values, np.arange(len(values)) if rows is None else rows, self)
        return values


_Opened = _Memory | EncodedClouds | Shards


@attrs.frozen(eq=False)
class _Held:
    """The index of holograms in memory, kept without the holograms."""

    index: Index

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.index)

    def column(self, name: str) -> Iterator[NDArray[Any]]:
        yield self.index.column(name)


_Columns = _Held | EncodedClouds | Shards


def _opened(source: Source) -> _Opened:
    if isinstance(source, Holograms):
        return _Memory(source)
    if isinstance(source, EncodedClouds):
        return source
    return Shards.open([source] if isinstance(source, Path) else source)


@attrs.frozen(eq=False)
class Rows:
    """The rows to train on or to validate with, made by `open_rows`.

    Parameters
    ----------
    basis
        The basis of the holograms.
    numbers
        The numbers of the rows in the source, in ascending order.
    labels
        The number of each row's category, or None.
    values
        The coefficients, where all of them are in memory.
    shards
        The files that the rows are otherwise read from.
    clusters
        The clusters that determine which rows an epoch takes; None to take all.
    shuffle_rows, dtype, workers
        As for `open_rows`.
    heads
        The number of each row's category for each head, -1 where it has none; None if there are no heads.
    clouds, partners
        Where rows are encoded from point clouds: the clouds, and which of them are views of the same residue.
    index
        The index of the source.
    alike
        Where rows are views of one another: their groups, as positions in `numbers`.
    """

    basis: Basis
    numbers: Int[np.ndarray, " n"]
    labels: Int[np.ndarray, " n"] | None
    values: Float[np.ndarray, "n dim"] | None
    shards: Shards | None
    clusters: Clusters | None
    shuffle_rows: int
    dtype: torch.dtype
    workers: int
    heads: Int[np.ndarray, "n heads"] | None = None
    clouds: EncodedClouds | None = None
    partners: Pairs | None = None
    index: "_Columns | None" = None
    alike: AlikeRows | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the index columns."""
        return () if self.index is None else self.index.columns

    def column(self, name: str) -> Shaped[np.ndarray, "n"]:
        """Read a column of the index, from the files if the source has any.

        Raises
        ------
        HoloError
            If there is no such column.
        """
        if self.index is None:
            raise HoloError(f"the rows have no index, and no column {name!r}")
        values: NDArray[Any] = np.concatenate(list(self.index.column(name)))[self.numbers]
        return values

    @property
    def epoch_rows(self) -> int:
        """The number of rows in an epoch."""
        return len(self) if self.clusters is None else len(self.clusters)

    @property
    def pairs(self) -> int:
        """The number of pairs that each batch has in addition to its own rows."""
        return 0 if self.clouds is None or self.partners is None else self.clouds.views.pairs

    def steps(self, batch_size: int) -> int:
        """Return the number of batches in an epoch. Their sizes differ by at most one."""
        return math.ceil(self.epoch_rows / batch_size)

    def epoch(
        self, seed: int, epoch: int, batch_size: int, *, start: int = 0, rank: int = 0, world: int = 1
    ) -> Iterator[Batch]:
        """Yield the batches of an epoch in random order: each row once, or at most once if there are clusters.

        Parameters
        ----------
        seed, epoch, batch_size
            These determine the content of each batch, together with the rows and `shuffle_rows`; nothing else does.
        start
            The number of the first batch; earlier batches are not read.
        rank, world
            The number of processes is `world`, each of which takes a part of every batch; this is process `rank`. The
            parts of a batch are consecutive and differ by at most one row, cut as by `torch.tensor_split`.

        Yields
        ------
        Batch
            The part of this process of batch `start`, `start` + 1, ...

        Raises
        ------
        HoloError
            If a row read from a file holds NaN or infinity.
        FormatError
            If a file is damaged, or has changed since it was opened.

        Notes
        -----
        Where rows are streamed, each process of `world` reads every chunk, and keeps only its part of the rows.
        """
        batches = _Batches(self.epoch_rows, batch_size, rank, world)
        drawn = np.arange(len(self)) if self.clusters is None else self.clusters.drawn(seed, epoch)
        if self.values is not None:
            order = np.random.default_rng((seed, epoch)).permutation(drawn)
            for k in range(start, batches.steps):
                batch = self._batch(order[batches.part(k)], self.values[order[batches.part(k)]])
                yield (
                    batch
                    if self.alike is None
                    else attrs.evolve(batch, views=self._other_rows(order, batches, k, (seed, epoch, k)))
                )
            return
        if self.clouds is not None:
            order = np.random.default_rng((seed, epoch)).permutation(drawn)
            yield from _ahead(
                partial(self._viewed, order[batches.part(k)], (seed, epoch, k), (rank, world))
                for k in range(start, batches.steps)
            )
            return
        assert self.shards is not None
        shuffled = _Shuffled.of(self.shards.chunks(self.numbers[drawn]), seed, epoch)
        full = max(1, self.shuffle_rows // batch_size)
        edges = _window_edges(batches.steps, full)
        windows = (
            batches.parts(
                drawn[shuffled.window(number, *batches.span(first, last))], first, max(first, start), last
            )
            for number, (first, last) in enumerate(pairwise(edges))
            if last > start
        )
        yield from self._stream(windows)

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """Yield all rows in the order of their numbers, at most `batch_size` at a time.

        Raises
        ------
        HoloError, FormatError
            As for `epoch`.
        """
        batches = _Batches(len(self), batch_size, 0, 1)
        if self.values is not None:
            for k in range(batches.steps):
                part = batches.part(k)
                yield self._batch(np.arange(part.start, part.stop), self.values[part].copy())
            return
        if self.clouds is not None:
            for k in range(batches.steps):
                part = batches.part(k)
                values = self.clouds.encoded(self.numbers[part], _DTYPES[self.dtype])
                yield self._batch(np.arange(part.start, part.stop), values)
            return
        window = max(1, _ORDERED_BYTES // (self.dtype.itemsize * self.basis.dim * batch_size))
        edges = [*range(0, batches.steps, window), batches.steps]
        windows = (
            batches.parts(np.arange(*batches.span(first, last)), first, first, last)
            for first, last in pairwise(edges)
        )
        yield from self._stream(windows)

    def _stream(self, windows: Iterator[list[NDArray[np.int64]]]) -> Iterator[Batch]:
        """Yield the batches of windows; a window lists, for each of its batches, the positions of the rows."""
        assert self.shards is not None
        workers = ThreadPoolExecutor(self.workers, thread_name_prefix="holo-rows")
        dtype = _DTYPES[self.dtype]
        readings = (
            (parts, self.shards.read(self.numbers[np.concatenate(parts)], dtype, workers))
            for parts in windows
        )
        try:
            ahead = next(readings, None)
            while ahead is not None:
                parts, reading = ahead
                values = reading.result()
                ahead = next(readings, None)  # it is read while the batches of this window are in use
                end = 0
                for part in parts:
                    begin, end = end, end + len(part)
                    yield self._batch(part, values[begin:end].copy())
                del reading, values  # before the window after the next takes memory
        finally:
            workers.shutdown(cancel_futures=True)

    def _batch(self, places: NDArray[np.int64], values: NDArray[Any]) -> Batch:
        labels = None if self.labels is None else torch.from_numpy(self.labels[places].astype(np.int64))
        heads = None if self.heads is None else torch.from_numpy(self.heads[places].astype(np.int64))
        return Batch(torch.from_numpy(values), labels, self.numbers[places], heads)

    def _other_rows(
        self, order: NDArray[np.int64], batches: "_Batches", number: int, step: tuple[int, int, int]
    ) -> dict[str, Tensor]:
        """Return another view of each row of a batch, drawn together for the rows of all processes."""
        assert self.alike is not None
        assert self.values is not None
        whole, part = slice(*batches.span(number, number + 1)), batches.part(number)
        others = self.alike.other(order[whole], np.random.default_rng((*step, 1)))
        rows = torch.from_numpy(self.values[others[part.start - whole.start : part.stop - whole.start]])
        return {"other_view": rows, "other": rows}

    def _viewed(
        self, places: NDArray[np.int64], step: tuple[int, int, int], process: tuple[int, int]
    ) -> Batch:
        """Encode the rows of a batch followed by its pairs, with one or two views of each."""
        assert self.clouds is not None
        (seed, epoch, _), (rank, world) = step, process
        first = second = places
        if self.pairs:
            assert self.partners is not None
            drawn = self.partners.draw(self.pairs, np.random.default_rng((*step, 1)))
            part = slice(*(_cut(self.pairs, world, number) for number in (rank, rank + 1)))
            first = np.concatenate([places, drawn[part, 0]])
            second = np.concatenate([places, drawn[part, 1]])
        kind, like = _DTYPES[self.dtype], self.numbers[first]

        def view(rows: NDArray[np.int64], number: int) -> Tensor:
            assert self.clouds is not None
            return torch.from_numpy(
                self.clouds.view(self.numbers[rows], kind, seed=seed, epoch=epoch, number=number, like=like)
            )

        views = {"view": view(first, 0)}
        if self.clouds.views.two:
            views["other_view"] = view(second, 1)
        if self.pairs:
            views["other"] = torch.from_numpy(self.clouds.encoded(self.numbers[second], kind))
        return attrs.evolve(self._batch(first, self.clouds.encoded(like, kind)), views=views)


def _ahead(makings: Iterator[Callable[[], Batch]]) -> Iterator[Batch]:
    """Make each batch while the one before it is in use."""
    with ThreadPoolExecutor(1, thread_name_prefix="holo-views") as worker:
        waiting: deque[Future[Batch]] = deque(worker.submit(each) for each in islice(makings, _VIEWED_AHEAD))
        while waiting:
            batch = waiting.popleft().result()
            waiting.extend(worker.submit(each) for each in islice(makings, 1))
            yield batch


@attrs.frozen
class _Batches:
    """The division of an epoch's rows into batches, and of the batches into the parts of processes."""

    rows: int
    batch_size: int
    rank: int
    world: int

    @property
    def steps(self) -> int:
        return math.ceil(self.rows / self.batch_size)

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Return the range of positions of the batches from `first` to before `last`."""
        # Batches have equal sizes: a last batch of one or two rows would leave batch norm nothing to average.
        return _cut(self.rows, self.steps, first), _cut(self.rows, self.steps, last)

    def parts(self, order: NDArray[np.int64], first: int, start: int, last: int) -> list[NDArray[np.int64]]:
        """Divide the order of batches `first` to before `last` into this process's parts, starting at batch `start`."""
        offset, _ = self.span(first, first)
        slices = (self.part(number) for number in range(start, last))
        return [order[each.start - offset : each.stop - offset] for each in slices]

    def part(self, number: int) -> slice:
        """Return the positions of this process's part of a batch."""
        begin, end = self.span(number, number + 1)
        cuts = (_cut(end - begin, self.world, rank) for rank in (self.rank, self.rank + 1))
        return slice(*(begin + cut for cut in cuts))


def _cut(rows: int, parts: int, number: int) -> int:
    """Return the first row of part `number`, of parts cut as by `torch.tensor_split`."""
    size, longer = divmod(rows, parts)
    return number * size + min(number, longer)


def _window_edges(steps: int, full: int) -> list[int]:
    """Group an epoch's batches into windows of at most `full` batches: short windows first, then equal ones."""
    sizes = [full // part for part in _FIRST_WINDOWS if full // part]
    rest = steps - sum(sizes)
    count = math.ceil(rest / full)
    sizes += [_cut(rest, count, k + 1) - _cut(rest, count, k) for k in range(count)]
    return np.cumsum([0, *sizes]).tolist()  # type: ignore[no-any-return]


@attrs.frozen(eq=False)
class _Shuffled:
    """The order of an epoch: chunks are permuted, then rows within windows."""

    seed: int
    epoch: int
    starts: NDArray[np.int64]  # of the chunks in the epoch's ascending rows, in the epoch's order
    sizes: NDArray[np.int64]
    ends: NDArray[np.int64]  # of each chunk in the epoch's order

    @classmethod
    def of(cls, chunks: NDArray[np.int64], seed: int, epoch: int) -> "_Shuffled":
        """Permute the chunks of an epoch's rows, which are in ascending order."""
        edges = np.concatenate([[0], np.flatnonzero(np.diff(chunks)) + 1, [len(chunks)]])
        order = np.random.default_rng((seed, epoch)).permutation(len(edges) - 1)
        sizes = np.diff(edges)[order]
        return cls(seed, epoch, edges[order], sizes, np.cumsum(sizes))

    def window(self, number: int, begin: int, end: int) -> NDArray[np.int64]:
        """Return the rows at the positions from `begin` to before `end`."""
        first = int(np.searchsorted(self.ends, begin, side="right"))
        last = int(np.searchsorted(self.ends, end, side="left")) + 1
        sizes = self.sizes[first:last]
        before = np.cumsum(sizes) - sizes
        places = np.arange(sizes.sum()) + np.repeat(self.starts[first:last] - before, sizes)
        skipped = begin - int(
            self.ends[first] - self.sizes[first]
        )  # the first chunk began in the previous window
        return np.random.default_rng((self.seed, self.epoch, number + 1)).permutation(
            places[skipped : skipped + end - begin]
        )


def open_rows(
    source: Source,
    *,
    rows: NDArray[np.int64] | None = None,
    condition: Condition | None = None,
    clusters: ClusterColumns | None = None,
    heads: Sequence[Condition] = (),
    alike: str | None = None,
    shuffle_rows: int,
    dtype: torch.dtype = torch.float32,
    workers: int = 1,
) -> Rows:
    """Open holograms, or point clouds, to draw batches from.

    Parameters
    ----------
    source
        Holograms in memory; or an HDF5 file of them, or several with the same basis and index columns, where files
        without rows are skipped; or point clouds, which are encoded batch by batch.
    rows
        The numbers of the rows to use, counted over all files, in ascending order; None for all.
    condition
        The index column from which the batches' labels are made, and its values.
    clusters
        The columns that hold the clusters, where an epoch is to take only a part of each cluster.
    heads
        The index columns from which the batches' `heads` are made, and their values; other values become -1.
    alike
        The index column in which views of one another have the same value; such rows must fit into memory.
    shuffle_rows
        The number of rows that are held in memory and shuffled together when files are read; see the module.
    dtype
        The dtype of the batches: float32 or float64.
    workers
        Threads that read files. HDF5 itself works for one thread at a time.

    Raises
    ------
    HoloError
        If there are no rows, files do not match each other, a value is not a category of the condition, or a row
        in memory holds NaN or infinity.
    FormatError
        If a file is missing or damaged.

    Examples
    --------
    >>> holograms = Holograms(np.eye(4), Basis(lmax=1, radial=None, channels=("image",)))
    >>> rows = open_rows(holograms, rows=np.arange(3), shuffle_rows=100)
    >>> [len(batch.coefficients) for batch in rows.epoch(seed=0, epoch=0, batch_size=2)]
    [2, 1]
    """
    if dtype not in _DTYPES:
        raise HoloError(f"batches are asked for in {dtype}; it must be torch.float32 or torch.float64")
    opened = _opened(source)
    numbers = np.arange(len(opened)) if rows is None else rows
    if not len(numbers):
        raise HoloError("no rows are chosen from the holograms; at least one is needed")
    if numbers[0] < 0 or numbers[-1] >= len(opened) or (np.diff(numbers) <= 0).any():
        raise HoloError(
            f"rows must be ascending numbers from 0 to {len(opened) - 1}, each once; "
            f"they go from {numbers[0]} to {numbers[-1]}"
        )
    labels = None if condition is None else _labels(opened, numbers, condition)
    headings = None
    if heads:
        headings = np.stack([_categories(opened, head)[numbers] for head in heads], axis=1)
    drawing = None
    if clusters is not None:
        members, groups = (_codes(opened, name)[1][numbers] for name in (clusters.cluster, clusters.group))
        drawing = Clusters.of(members, groups)
    shards, values, clouds, partners = None, None, None, None
    if isinstance(opened, EncodedClouds):
        clouds = opened
        if opened.views.pairs and ALIKE in opened.clouds.index:
            partners = Pairs.of(opened.clouds.index[ALIKE][numbers])
            if not len(partners.order):
                raise HoloError(
                    f"no two of the chosen rows have the same {ALIKE}; there are no pairs to draw"
                )
    elif isinstance(opened, _Memory):
        values = opened.read(rows, _DTYPES[dtype])
    elif len(numbers) <= shuffle_rows:
        with ThreadPoolExecutor(workers) as pool:
            values = opened.read(numbers, _DTYPES[dtype], pool).result()
    else:
        shards = opened
    if alike is not None and values is None:
        raise HoloError(
            f"rows of one {alike} are views of one another, and {len(numbers)} rows are more than shuffle_rows, "
            f"{shuffle_rows}; they must be in memory together"
        )
    return Rows(
        opened.basis,
        numbers,
        labels,
        values,
        shards,
        drawing,
        shuffle_rows,
        dtype,
        workers,
        heads=headings,
        clouds=clouds,
        partners=partners,
        index=_Held(opened.holograms.index) if isinstance(opened, _Memory) else opened,
        alike=None if alike is None else AlikeRows.of(_codes(opened, alike)[1][numbers]),
    )


def _codes(opened: _Opened, column: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the sorted values of a column, and the number of each row's value."""
    parts = [np.unique(values, return_inverse=True) for values in opened.column(column)]
    values = np.unique(np.concatenate([part for part, _ in parts]))
    return values, np.concatenate([np.searchsorted(values, part)[members] for part, members in parts])


def _categories(opened: _Opened, head: Condition) -> NDArray[np.int32]:
    """Return the number of each row's category, or -1 where its value is not a category."""
    values, codes = _codes(opened, head.column)
    numbers = {category: number for number, category in enumerate(head.categories)}
    return np.array([numbers.get(value, -1) for value in values.tolist()], np.int32)[codes]


def _labels(opened: _Opened, rows: NDArray[np.int64], condition: Condition) -> NDArray[np.int32]:
    values, codes = _codes(opened, condition.column)
    labels = _categories(opened, condition)[rows]
    if (labels < 0).any():
        row = int(rows[np.argmin(labels)])
        raise HoloError(
            f"{opened.row_name(row)} has {condition.column} {values[codes[row]].item()!r}; "
            f"it must be one of {', '.join(map(repr, condition.categories))}"
        )
    return labels


def split_by_group(source: Source, column: str, fraction: float, seed: int) -> Split:
    """Split rows by group, so that no group (such as a structure) is in both parts.

    Parameters
    ----------
    source
        The holograms, or files of them; of files, only the index column is read.
    column
        The index column; rows with the same value are one group.
    fraction
        Share of the groups that goes to validation; at least one group goes to each part.
    seed
        The seed of the random choice of groups.

    Raises
    ------
    HoloError
        If the index lacks the column, or there are fewer than two groups.

    Examples
    --------
    >>> basis = Basis(lmax=1, radial=None, channels=("image",))
    >>> holograms = Holograms(np.eye(4), basis, {"structure": ["a", "a", "b", "b"]})
    >>> sorted(split_by_group(holograms, "structure", 0.5, seed=0).validation.tolist()) in ([0, 1], [2, 3])
    True
    """
    groups, members = _codes(_opened(source), column)
    if len(groups) < 2:
        raise HoloError(f"the holograms hold {len(groups)} {column} value(s); splitting needs at least 2")
    count = min(max(round(fraction * len(groups)), 1), len(groups) - 1)
    chosen = np.random.default_rng(seed).permutation(len(groups))[:count]
    validation = np.isin(members, chosen)
    return Split(np.flatnonzero(~validation), np.flatnonzero(validation))


def data_scale(source: Rows | Source) -> float:
    """Return the constant by which training data is divided: the mean of sqrt(Σ_l Σ_c,m x² / (2l+1)).

    Parameters
    ----------
    source
        The training rows.

    Raises
    ------
    HoloError
        If every hologram is zero, or as for `open_rows` and `Rows.epoch`.

    Examples
    --------
    >>> data_scale(Holograms(np.diag([2.0, 0, 0, 0]), Basis(lmax=1, radial=None, channels=("image",))))
    0.5
    """
    if not isinstance(source, Rows):
        source = open_rows(source, shuffle_rows=1, dtype=torch.float64)
    weights = np.empty(source.basis.dim)
    for (_, degree), where in zip(source.basis.irreps, source.basis.irreps.slices, strict=True):
        weights[where] = 1 / (2 * degree + 1)
    sums = [
        float(np.sqrt(np.square(batch.coefficients.numpy(), dtype=np.float64) @ weights).sum())
        for batch in source.in_order(1024)
    ]
    scale = math.fsum(sums) / len(source)
    if scale == 0:
        raise HoloError("every hologram of the training data is zero; there is nothing to learn")
    return scale


def dataset_digest(source: Source) -> str:
    """Return the SHA-256 of all coefficients as stored, row by row; it does not depend on the division into files.

    Raises
    ------
    HoloError, FormatError
        As for `open_rows`.
    """
    digest = hashlib.sha256()
    for piece in _opened(source).pieces():
        digest.update(np.ascontiguousarray(piece, piece.dtype.newbyteorder("<")).data)
    return digest.hexdigest()
