"""``holo-vae sample``, ``interpolate`` and ``traverse``."""

from typing import Annotated

from holo_types.options import IN_LINES, Output, SummaryOptions, Together
from holo_vae.cli.generation import (
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

_SAMPLE, _INTERPOLATION, _TRAVERSAL = SampleOptions(), InterpolationOptions(), TraversalOptions()


def sample_command(
    model: str,
    /,
    *,
    out: Output,
    options: Annotated[SampleOptions, Together] = _SAMPLE,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Draw samples from the prior of a variational model, or from a density fitted to data.

    With --fitted-to, the model need not be variational. Samples are decoded in the canonical frame.

    Parameters
    ----------
    model
        Name of a model that comes with holo-vae, folder of a model, or models:/NAME@ALIAS.
    out
        HDF5 file for the samples.
    """
    check_out(out)
    write_generated(sample_model(model, options), out)
    return 0


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
    """Interpolate between two holograms in z and in the frame, and decode the steps.

    Parameters
    ----------
    model
        Name of a model that comes with holo-vae, folder of a model, or models:/NAME@ALIAS.
    first
        Hologram at the beginning, as FILE:ROW, with the rows counted from 0.
    last
        Hologram at the end, as FILE:ROW.
    out
        HDF5 file for the steps.
    """
    check_out(out, first, last)
    write_generated(interpolate_rows(model, first, last, options), out)
    return 0


def traverse_command(
    model: str,
    row: str,
    /,
    *,
    out: Output,
    options: Annotated[TraversalOptions, Together] = _TRAVERSAL,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Change the dimensions of a hologram's z one at a time, and decode each z in the canonical frame.

    Parameters
    ----------
    model
        Name of a model that comes with holo-vae, folder of a model, or models:/NAME@ALIAS.
    row
        Hologram as FILE:ROW, with the rows counted from 0.
    out
        HDF5 file for the decoded holograms.
    """
    check_out(out, row)
    write_generated(traverse_row(model, row, options), out)
    return 0
