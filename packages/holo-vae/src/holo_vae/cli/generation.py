"""Options of the commands that generate holograms, and what these commands do."""

# torch takes seconds to import: it is imported by the commands, so that --help is quick.
# ruff: noqa: PLC0415

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import attrs
import numpy as np
from cyclopts import Parameter
from cyclopts.validators import Number
from numpy.typing import NDArray

import holo_types
from holo_types import HoloError, Holograms, concatenate
from holo_types.console import say
from holo_types.options import Count

if TYPE_CHECKING:
    from holo_vae.networks.model import Model

__all__ = [
    "DEVIATIONS",
    "InterpolationOptions",
    "SampleOptions",
    "TraversalOptions",
    "check_out",
    "interpolate_rows",
    "sample_model",
    "traverse_row",
    "write_generated",
]

_SPREAD_ROWS = 5000  # rows of the file from which the standard deviations of z are computed
_DIMENSIONS = 8  # number of dimensions of z that are traversed unless some are named
_UNUSED = 0.1  # dimensions of z that vary less than this share of the largest are not among them
DEVIATIONS = 2.0  # standard deviations to either side in a traversal

Category = Annotated[str | None, Parameter(name="class")]
Steps = Annotated[int, Parameter(validator=Number(gte=2))]


@attrs.frozen
class SampleOptions:
    """The samples to draw.

    Parameters
    ----------
    category
        Class of the samples, for a conditional model; by default samples of every class are drawn.
    count
        Number of samples; for each class if the model is conditional.
    fitted_to
        HDF5 file of holograms, such as the training data: z is drawn from a density fitted to them, class by class,
        instead of from the prior (needs the extra evaluation).
    seed
        Seed of the random numbers.
    """

    category: Category = None
    count: Count = 30
    fitted_to: Path | None = None
    seed: int = 0


@attrs.frozen
class InterpolationOptions:
    """The steps and the path of an interpolation.

    Parameters
    ----------
    steps
        Number of holograms, including both ends.
    category
        Class of all steps, for a conditional model; by default the class of both rows.
    path
        Path of z: the straight line or the arc.
    frames
        Whether to rotate the frame evenly from that of the first row to that of the second (slerp), or to decode all
        steps in the canonical frame.
    """

    steps: Steps = 9
    category: Category = None
    path: Literal["linear", "spherical"] = "linear"
    frames: Literal["slerp", "canonical"] = "slerp"


@attrs.frozen
class TraversalOptions:
    """The dimensions and values of a traversal.

    Parameters
    ----------
    dimensions
        Dimensions of z to change, counted from 0 as in the columns z_0, z_1, ... of tables; by default the eight that
        vary most over the first 5,000 rows of the file.
    steps
        Number of values for each dimension, from -2 to +2 standard deviations (over the same rows) about its own value.
    category
        Class with which z is decoded, for a conditional model; by default the class of the row.
    """

    dimensions: Annotated[tuple[int, ...], Parameter(consume_multiple=True, negative="")] = ()
    steps: Steps = 9
    category: Category = None


def sample_model(model: str, options: SampleOptions) -> Holograms:
    """Load a model and draw samples; the samples of a class are consecutive.

    Raises
    ------
    HoloError
        If the model cannot be loaded, has no prior where one is needed, or does not know the class, or as for
        `sample_fitted`.
    """
    loaded = _loaded(model)
    from holo_vae.data.opening import read_holograms
    from holo_vae.generation.densities import sample_fitted
    from holo_vae.generation.sampling import sample_prior

    condition, count = loaded.config.condition, options.count
    categories: NDArray[Any] | int | str | None = None
    if condition is None or options.category is not None:
        categories = _category(loaded, options.category)
    else:
        categories = np.repeat(np.array(condition.categories), count)
        count = len(categories)
    if options.fitted_to is None:
        return sample_prior(loaded, count, categories, options.seed)
    return sample_fitted(loaded, read_holograms(options.fitted_to), count, categories, seed=options.seed)


def interpolate_rows(model: str, first: str, last: str, options: InterpolationOptions) -> Holograms:
    """Load a model and decode the path between two rows of files; the column ``position`` goes from 0 to 1.

    Raises
    ------
    HoloError
        If the model or a row cannot be read, a frame is not defined, or the class is unknown or ambiguous.
    """
    loaded = _loaded(model)
    from holo_vae.generation.sampling import interpolate

    rows = [_read_row(text) for text in (first, last)]
    category = _category(loaded, options.category, rows)
    start, end = (loaded.encode(row) for row in rows)
    steps = interpolate(
        loaded, start, end, options.steps, path=options.path, frames=options.frames, condition=category
    )
    return _indexed(loaded, steps, {"position": np.linspace(0, 1, options.steps)}, category)


def traverse_row(model: str, row: str, options: TraversalOptions) -> Holograms:
    """Load a model and decode z of a row of a file, with one dimension changed at a time.

    The index columns ``dimension`` and ``value`` hold the dimension of z that was changed, and its new value.

    Raises
    ------
    HoloError
        If the model or the row cannot be read, the file has a single row, z has no such dimension, or the class is
        unknown.
    """
    loaded = _loaded(model)
    from holo_vae.generation.sampling import traverse

    one = _read_row(row)
    path, _ = _file_and_row(row)
    others = _read(path, slice(0, _SPREAD_ROWS))
    if len(others) < 2:
        raise HoloError(f"{path}: holds one row; the spread of z over rows needs at least 2")
    category = _category(loaded, options.category, [one])
    z = loaded.encode(one).invariants[0]
    spread = loaded.encode(others).invariants.std(axis=0, dtype=np.float64)
    dimensions = options.dimensions or _most_varied(spread)
    lines, values = [], []
    for dimension in dimensions:
        if not 0 <= dimension < len(z):
            raise HoloError(f"--dimensions has {dimension}; it must be from 0 to {len(z) - 1}")
        steps = z[dimension] + np.linspace(-DEVIATIONS, DEVIATIONS, options.steps) * spread[dimension]
        lines.append(traverse(loaded, z, dimension, steps, category))
        values.append(steps)
    columns = {"dimension": np.repeat(dimensions, options.steps), "value": np.concatenate(values)}
    return _indexed(loaded, concatenate(lines), columns, category)


def check_out(out: Path, *inputs: str) -> None:
    """Refuse an output that is not a file of holograms, or that is one of the inputs, before any work is done.

    Raises
    ------
    HoloError
        If the file does not end in ``.h5``, or is the file of an input ``FILE:ROW``.
    """
    if out.suffix != ".h5":
        raise HoloError(f"--out is {out}; it must end in .h5")
    if any(os.path.realpath(_file_and_row(text)[0]) == os.path.realpath(out) for text in inputs):
        raise HoloError(f"--out is {out}, which is an input; name another file")


def write_generated(holograms: Holograms, out: Path) -> None:
    """Write decoded holograms, and report it.

    Raises
    ------
    HoloError
        If the file cannot be written.
    """
    holo_types.save(holograms, out)
    say(f"{len(holograms)} holograms in {out}", rows=len(holograms), out=out)


def _loaded(model: str) -> "Model":
    from holo_vae.networks.loading import load
    from holo_vae.networks.model import Model

    return load(model, Model)


def _file_and_row(text: str) -> tuple[Path, int]:
    path, _, row = text.rpartition(":")
    if not path or not row.isdecimal():
        raise HoloError(f"{text}: must be FILE:ROW, such as digits.h5:0")
    return Path(path), int(row)


def _read_row(text: str) -> Holograms:
    path, row = _file_and_row(text)
    return _read(path, slice(row, row + 1))


def _read(path: Path, rows: slice) -> Holograms:
    with holo_types.open(path) as reader:
        if reader.kind != "Holograms":
            raise HoloError(f"{path}: holds {reader.kind}; Holograms are needed")
        if rows.start >= len(reader):
            raise HoloError(f"{path}: has {len(reader)} rows, counted from 0; there is no row {rows.start}")
        found = reader[rows.start : min(rows.stop, len(reader))]
        if not isinstance(found, Holograms):
            raise HoloError(f"{path}: holds {type(found).__name__}; Holograms are needed")
        return found


def _category(model: "Model", given: str | None, rows: Sequence[Holograms] = ()) -> int | str | None:
    """Return the category that the text names, or that the rows share; None if the model is not conditional."""
    condition = model.config.condition
    if condition is None:
        if given is not None:
            raise HoloError(f"--class is {given}; model {model.name!r} is not conditional and takes none")
        return None
    by_name = {str(category): category for category in condition.categories}
    if given is None:
        shared = {str(row.index.column(condition.column)[0]) for row in rows}
        if len(shared) > 1:
            raise HoloError(
                f"the rows are of the classes {' and '.join(sorted(shared))}; choose one with --class"
            )
        given = shared.pop()
    if given not in by_name:
        raise HoloError(f"--class is {given}; it must be one of {', '.join(by_name)}")
    return by_name[given]


def _indexed(
    model: "Model", holograms: Holograms, columns: dict[str, NDArray[Any]], category: int | str | None
) -> Holograms:
    condition = model.config.condition
    if condition is not None:
        columns = {condition.column: np.full(len(holograms), category), **columns}
    return attrs.evolve(holograms, index=columns)


def _most_varied(spread: NDArray[Any]) -> tuple[int, ...]:
    order = np.argsort(-spread, kind="stable")[:_DIMENSIONS]
    return tuple(order[spread[order] >= _UNUSED * spread.max()].tolist())
