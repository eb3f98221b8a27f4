"""The command line of holo-features."""

# biotite, h5py and scipy are imported by the command, so that --help is quick.
# ruff: noqa: PLC0415

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from holo_types.console import Outcome, Skipped, progress, run

from ._version import __version__

if TYPE_CHECKING:
    from holo_types import Basis

__all__ = ["app", "main"]

app = App(name="holo-features", help="From structures to holograms.", version=__version__)


def _basis(
    lmax: int = 6, nmax: int = 20, cutoff: float = 10.0, channels: Sequence[str] = ("C", "N", "O", "S")
) -> "Basis":
    from holo_types import Basis, Zernike

    return Basis(lmax=lmax, radial=Zernike(nmax=nmax, cutoff=cutoff), channels=tuple(channels))


def _check_basis(**given: object) -> None:
    """Refuse options that make no basis as wrong usage; cyclopts passes only those that were given."""
    _basis(**{name: given[name] for name in ("lmax", "nmax", "cutoff", "channels") if name in given})  # type: ignore[arg-type]


@app.command(name="structures", validator=_check_basis)
def structures_command(
    inputs: tuple[Path, ...],
    /,
    *,
    out: Path,
    lmax: Annotated[int, Parameter(validator=Number(gte=0))] = 6,
    nmax: Annotated[int, Parameter(validator=Number(gte=0))] = 20,
    cutoff: Annotated[float, Parameter(validator=Number(gt=0))] = 10.0,
    channels: Annotated[
        tuple[str, ...], Parameter(consume_multiple=True, negative="", show_default=" ".join)
    ] = ("C", "N", "O", "S"),
    secondary_structure: Annotated[bool, Parameter(negative="")] = False,
    resume: Annotated[bool, Parameter(negative="")] = False,
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
    resume
        Go on with an unfinished output, given the same inputs; structures that it has are not encoded again.
    """
    from holo_types import HoloError, Writer

    from .encoding import encode_structures, structure_names
    from .files import show_errors, skipped_rows, skipped_table, structure_files

    paths, empty = structure_files(inputs)
    basis = _basis(lmax, nmax, cutoff, channels)
    if not out.name:
        raise HoloError(f"--out is {str(out)!r}; it must name a file")
    table = out.with_suffix(".skipped.csv")
    outcome, errors = Outcome(), list(empty)
    names = structure_names(paths)
    with Writer(out, resume=resume) as writer:
        done = _done(out, basis, secondary_structure) if len(writer) else set()
        finished = [path for path, name in names.items() if name in done]
        with skipped_table(table, kept=finished) as skip:
            for folder in empty:
                skip(folder)
            with progress(len(names), "encoding structures") as advance:
                advance(len(finished))
                outcome.succeeded += len(finished)
                for encoded in encode_structures(paths, basis, secondary_structure, done):
                    for row in skipped_rows(encoded):
                        skip(row)
                    if encoded.holograms is None:
                        errors.append(Skipped(str(encoded.path), "", str(encoded.error)))
                    else:
                        writer.append(encoded.holograms)
                        outcome.succeeded += 1
                    outcome.skipped_residues += len(encoded.skipped)
                    advance()
        count = len(writer)
    outcome.failed = len(errors)
    show_errors(errors, table)
    result = f"{count} holograms in {out}" if count else "No hologram was made"
    sys.stdout.write(f"{result}; {outcome.summary()}; what was skipped: {table}\n")
    return outcome.exit_status


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit status: 0, 1 nothing useful, 2 wrong usage, 3 some files failed."""
    return run(app, argv)


def _done(out: Path, basis: "Basis", secondary_structure: bool) -> set[str]:
    """Give the names of the structures that a file has, or refuse it if these options would not continue it."""
    from holo_types import HoloError
    from holo_types import open as open_data

    with open_data(out) as reader:
        same = reader.kind == "Holograms" and reader.basis == basis and "structure" in reader.index
        if not same or ("secondary_structure" in reader.index) != secondary_structure:
            raise HoloError(
                f"{out} was made with other options; continue it with the same, or choose another file"
            )
        return set(reader.index["structure"].tolist())
