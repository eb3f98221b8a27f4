"""``holo-features structures``."""

# ruff: noqa: PLC0415

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .options import Channels, Count, Flag, Length, Order, settings_of

if TYPE_CHECKING:
    from holo_features.files import FileRows, Written
    from holo_types import Basis

__all__ = ["check_basis", "structures_command"]


def _basis(
    lmax: int = 6, nmax: int = 20, cutoff: float = 10.0, channels: Sequence[str] = ("C", "N", "O", "S")
) -> "Basis":
    from holo_types import Basis, Zernike

    return Basis(lmax=lmax, radial=Zernike(nmax=nmax, cutoff=cutoff), channels=tuple(channels))


def check_basis(**given: object) -> None:
    """Refuse options that make no basis as wrong usage; cyclopts passes only those that were given."""
    _basis(**{name: given[name] for name in ("lmax", "nmax", "cutoff", "channels") if name in given})  # type: ignore[arg-type]


def structures_command(
    inputs: tuple[Path, ...],
    /,
    *,
    out: Path,
    lmax: Order = 6,
    nmax: Order = 20,
    cutoff: Length = 10.0,
    channels: Channels = ("C", "N", "O", "S"),
    secondary_structure: Flag = False,
    workers: Count = 1,
    scheduler: str | None = None,
    resume: Flag = False,
) -> int:
    """Encode the neighbourhood of every residue of protein structures as a Zernike hologram.

    Skipped files and residues are listed in a CSV file beside the output, with the reason. Exit status: 0,
    every file gave results; 3, some files gave none; 1, nothing useful came out; 2, wrong usage.

    Parameters
    ----------
    inputs
        Structure files (.pdb, .ent, .cif, .mmcif, .bcif, also with .gz), or folders of them.
    out
        HDF5 file for the holograms, one row a residue; it is replaced unless --resume is given.
    lmax
        Highest degree l.
    nmax
        Highest radial order n, at least lmax.
    cutoff
        Radius of a neighbourhood, in Å.
    channels
        Chemical elements, one channel each.
    secondary_structure
        Add the column secondary_structure to the index: helix, sheet or coil (P-SEA).
    workers
        Number of processes that encode; the output is the same for any number.
    scheduler
        Address of a Dask scheduler, such as tcp://host:8786, whose workers encode instead (extra dask); they
        must see the files under the same paths.
    resume
        Go on with an unfinished output, given the same inputs; structures that it has are not encoded again.
    """
    from holo_features.encoding import encode_structures, structure_names
    from holo_features.files import rows_of, structure_files, write_rows

    paths, empty = structure_files(inputs)
    basis = _basis(lmax, nmax, cutoff, channels)
    options = {
        "lmax": lmax,
        "nmax": nmax,
        "cutoff": cutoff,
        "channels": channels,
        "secondary_structure": secondary_structure,
    }

    def encode(written: "Written") -> "Iterator[FileRows]":
        for encoded in encode_structures(
            paths, basis, secondary_structure, written.structures, workers=workers, scheduler=scheduler
        ):
            yield rows_of(encoded, encoded.holograms)

    report = write_rows(
        encode,
        structure_names(paths),
        out,
        doing="encoding structures",
        what="hologram",
        settings=settings_of("structures", options),
        resume=resume,
        empty=empty,
    )
    return report.show(out)
