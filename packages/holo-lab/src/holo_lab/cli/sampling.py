"""``holo sample``, ``interpolate`` and ``traverse``, which extend the commands of holo-vae by a picture."""

# ruff: noqa: PLC0415

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np

from holo_types import Holograms
from holo_types.console import OK, say
from holo_types.files.atomic import replacing
from holo_types.folders import no_link
from holo_types.options import IN_LINES, Output, SummaryOptions, Together
from holo_vae.cli.generation import (
    DEVIATIONS,
    InterpolationOptions,
    SampleOptions,
    TraversalOptions,
    check_out,
    interpolate_rows,
    sample_model,
    traverse_row,
    write_generated,
)

__all__ = ["interpolate_command", "sample_command", "traverse_command"]

_COLUMNS, _ROWS = 10, 20  # of a picture of samples

_SAMPLE, _INTERPOLATION, _TRAVERSAL = SampleOptions(), InterpolationOptions(), TraversalOptions()


def sample_command(
    model: str,
    /,
    *,
    out: Output,
    options: Annotated[SampleOptions, Together] = _SAMPLE,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Sample from the prior of a variational model, or with --fitted-to from a density of z, and draw a picture.

    The samples are decoded in the canonical frame. The picture, beside the file, has a row with the first ten samples
    of each class, or up to 200 samples of a model without classes.

    Parameters
    ----------
    model
        Name of a model that comes with holo-vae, folder of a model, or models:/NAME@ALIAS.
    out
        HDF5 file for the samples; the picture has its name and ends in .png.
    """
    check_out(out)
    samples = sample_model(model, options)
    rows = [("", samples[start : start + _COLUMNS]) for start in range(0, len(samples), _COLUMNS)]
    if len(samples.index):  # the class, which only samples of conditional models have
        (column,) = samples.index.values()
        rows = [
            (str(label), samples[np.flatnonzero(column == label)[:_COLUMNS]])
            for label in dict.fromkeys(column.tolist())
        ]
    write_generated(samples, out)
    _draw(rows[:_ROWS], out)
    return OK


def interpolate_command(
    model: str,
    first: str,
    last: str,
    /,
    *,
    out: Output,
    options: Annotated[InterpolationOptions, Together] = _INTERPOLATION,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Interpolate between two holograms in z and in the frame, decode the steps, and draw them.

    In the picture, each step on a sphere is seen from the direction of most of its signal, unless all are decoded in
    the canonical frame.

    Parameters
    ----------
    model
        Name of a model that comes with holo-vae, folder of a model, or models:/NAME@ALIAS.
    first
        Hologram at the beginning, as FILE:ROW, with the rows counted from 0.
    last
        Hologram at the end, as FILE:ROW.
    out
        HDF5 file for the steps; the picture has its name and ends in .png.
    """
    check_out(out, first, last)
    steps = interpolate_rows(model, first, last, options)
    write_generated(steps, out)
    titles = [f"{position:.2g}" for position in steps.index["position"]]
    _draw([("", steps)], out, titles, follow=options.frames == "slerp")
    return OK


def traverse_command(
    model: str,
    row: str,
    /,
    *,
    out: Output,
    options: Annotated[TraversalOptions, Together] = _TRAVERSAL,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Change the components of a hologram's z one at a time, decode each z in the canonical frame, and draw them.

    The picture has a row for each component of z.

    Parameters
    ----------
    model
        Name of a model that comes with holo-vae, folder of a model, or models:/NAME@ALIAS.
    row
        Hologram, as FILE:ROW, with the rows counted from 0.
    out
        HDF5 file for the decoded holograms; the picture has its name and ends in .png.
    """
    check_out(out, row)
    found = traverse_row(model, row, options)
    write_generated(found, out)
    starts = range(0, len(found), options.steps)
    rows = [
        (f"z_{found.index['dimension'][start]}", found[start : start + options.steps]) for start in starts
    ]
    titles = [f"{deviations:+.2g} sd" for deviations in np.linspace(-DEVIATIONS, DEVIATIONS, options.steps)]
    _draw(rows, out, titles)
    return OK


def _draw(
    rows: Sequence[tuple[str, Holograms]], out: Path, titles: Sequence[str] = (), *, follow: bool = False
) -> None:
    from holo_lab.report.generated import draw_generated

    picture = no_link(out.with_suffix(".png"))
    with replacing(picture) as new:
        draw_generated(rows, titles, follow=follow).savefig(new, dpi=150, format="png")
    say(f"{picture}", picture=picture)
