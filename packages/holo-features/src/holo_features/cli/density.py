"""``holo-features density``."""

# ruff: noqa: PLC0415

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from holo_types import HoloError
from holo_types.console import say

from .options import IN_LINES, Length, Output, SummaryOptions

if TYPE_CHECKING:
    from holo_features import ResidueId
    from holo_types import Index

__all__ = ["density_command"]


def _residues(text: str) -> "tuple[ResidueId, ...]":
    from holo_features import ResidueId

    return ResidueId.parse_all([text])


def _check_residue(_: object, text: str | None) -> None:
    """Refuse text that is not the name of one residue, as wrong usage."""
    if text is not None and len(_residues(text)) != 1:
        raise HoloError(f"{text!r}; it must be one residue, such as A:57")


def density_command(
    holograms: Path,
    /,
    *,
    out: Output,
    channel: str,
    row: Annotated[int | None, Parameter(validator=Number(gte=0))] = None,
    residue: Annotated[str | None, Parameter(validator=_check_residue)] = None,
    spacing: Length = 0.5,
    center: Annotated[tuple[float, float, float] | None, Parameter(negative="")] = None,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Write the density that a Zernike hologram describes as a map for molecular viewers.

    Needs the extra maps. Exit status: 0, the map is written; 1, it is not; 2, wrong usage.

    Parameters
    ----------
    holograms
        HDF5 file of holograms.
    out
        The map, .mrc, .ccp4 or .map.
    channel
        The channel, such as C.
    row
        Number of the hologram, counted from 0; by default the first.
    residue
        Residue around which the hologram was made, as CHAIN:NUMBER, such as A:57, instead of its row.
    spacing
        Distance between grid points, in Å.
    center
        Position of the hologram's origin, in Å; by default its position in the structure if the file has it, and
        else 0 0 0.
    """
    import holo_types
    from holo_features.transforms.density import density_map, write_density_map

    with holo_types.open(holograms) as reader:
        if reader.kind != "Holograms":
            raise HoloError(f"{holograms}: holds {reader.kind}; it must hold Holograms")
        if row is not None and residue is not None:
            raise HoloError("--row and --residue are both given; give only one of them")
        if residue is not None:
            row = _row_of(residue, reader.index, holograms)
        row = row or 0
        if row >= len(reader):
            raise HoloError(f"--row is {row}; {holograms} has {len(reader)} holograms, counted from 0")
        chosen = reader[row : row + 1]
    assert isinstance(chosen, holo_types.Holograms)
    if center is None:
        center = (0.0, 0.0, 0.0) if chosen.centers is None else tuple(chosen.centers[0].tolist())
    density = density_map(chosen, spacing=spacing, center=center)
    write_density_map(density, channel, out)
    sizes = " × ".join(map(str, density.values.shape[1:]))
    say(
        f"channel {channel} of row {row}, {sizes} points every {spacing:g} Å, in {out}",
        row=row,
        channel=channel,
        points=density.values.shape[1:],
        out=out,
    )
    return 0


def _row_of(residue: str, index: "Index", holograms: Path) -> int:
    """Return the row of the one hologram about a residue."""
    (wanted,) = _residues(residue)
    import numpy as np

    is_it = np.ones(index.rows or 0, bool)
    for name, value in wanted._asdict().items():
        is_it &= index.column(name) == value
    rows = np.flatnonzero(is_it)
    if not len(rows):
        raise HoloError(f"--residue is {residue}; {holograms} has no hologram about it")
    if len(rows) > 1:
        raise HoloError(
            f"--residue is {residue}; {holograms} has {len(rows)} holograms about residues of that name, in rows "
            f"{', '.join(map(str, rows[:5]))}{' and others' if len(rows) > 5 else ''}: give --row"
        )
    return int(rows[0])
