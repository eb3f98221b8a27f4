"""``holo-features density``."""

# ruff: noqa: PLC0415

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from holo_types.console import visible

from .options import Length

__all__ = ["density_command"]


def density_command(
    holograms: Path,
    /,
    *,
    out: Path,
    channel: str,
    row: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    spacing: Length = 0.5,
    center: Annotated[tuple[float, float, float], Parameter(negative="")] = (0.0, 0.0, 0.0),
) -> int:
    """Write the density that a Zernike hologram describes as a map that molecular viewers open.

    Needs the extra maps. Exit status: 0, the map is written; 1, it is not; 2, wrong usage.

    Parameters
    ----------
    holograms
        HDF5 file of holograms.
    out
        The map, .mrc, .ccp4 or .map.
    channel
        Which channel, such as C.
    row
        Which hologram, counted from 0.
    spacing
        Distance of the grid's points, in Å.
    center
        Where the hologram's origin is in the structure, in Å, such as its residue's Cα.
    """
    import holo_types
    from holo_features.transforms.density import density_map, write_density_map
    from holo_types import HoloError

    with holo_types.open(holograms) as reader:
        if reader.kind != "Holograms":
            raise HoloError(f"{holograms}: holds {reader.kind}; it must hold Holograms")
        if row >= len(reader):
            raise HoloError(f"--row is {row}; {holograms} has {len(reader)} holograms, counted from 0")
        chosen = reader[row : row + 1]
    assert isinstance(chosen, holo_types.Holograms)
    density = density_map(chosen, spacing=spacing, center=center)
    write_density_map(density, channel, out)
    sizes = " × ".join(map(str, density.values.shape[1:]))
    sys.stdout.write(
        visible(f"channel {channel} of row {row}, {sizes} points every {spacing:g} Å, in {out}\n")
    )
    return 0
