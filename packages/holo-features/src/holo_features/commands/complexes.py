"""``holo-features complexes`` and ``holo-features contacts``."""

# ruff: noqa: PLC0415

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from .options import (
    BasisOptions,
    Count,
    Flag,
    Length,
    OfBasis,
    RunOptions,
    SelectionOptions,
    Together,
    settings_of,
)

if TYPE_CHECKING:
    from holo_features.complex_sets import ComplexSource
    from holo_features.contacts import ContactCounts
    from holo_features.encoding import EncodedStructure
    from holo_features.files import FileRows, Written
    from holo_features.selection import Selection

__all__ = ["complexes_command", "contacts_command"]

_NO_BASIS, _NO_SELECTION, _NO_RUN = BasisOptions(), SelectionOptions(), RunOptions()


def complexes_command(
    data: Path,
    /,
    *,
    out: Path,
    basis: Annotated[BasisOptions, OfBasis] = _NO_BASIS,
    selection: Annotated[SelectionOptions, Together] = _NO_SELECTION,
    pocket_distance: Length = 6.0,
    listed_pocket: Flag = False,
    without_central_residue: Flag = False,
    secondary_structure: Flag = False,
    run: Annotated[RunOptions, Together] = _NO_RUN,
) -> int:
    """Encode the neighbourhoods of pocket residues of protein-ligand complexes, ligand atoms among them.

    Skipped complexes and residues are listed in a CSV file beside the output, with the reason. Exit status:
    0, every complex gave results; 3, some gave none; 1, nothing useful came out; 2, wrong usage.

    Parameters
    ----------
    data
        CSV file with the columns id, protein, ligand; a folder with one; or an ATOM3D LBA data set (LMDB).
    out
        HDF5 file for the holograms, one row a residue; it is replaced unless --resume is given.
    pocket_distance
        A residue is in the pocket if any of its atoms is this near to one of the ligand, in Å.
    listed_pocket
        Take the residues that the data set itself lists as the pocket instead.
    without_central_residue
        Leave the residue of the centre out of its neighbourhood.
    secondary_structure
        Add the column secondary_structure to the index: helix, sheet or coil (P-SEA).
    """
    from holo_features.complex_sets import find_complexes
    from holo_features.files import rows_of, write_rows
    from holo_features.parallel import map_in_order
    from holo_types.console import Skipped

    found = find_complexes(data if run.scheduler is None else data.absolute())
    work = partial(
        _encode,
        basis=basis,
        selection=selection.selection,
        pocket_distance=None if listed_pocket else pocket_distance,
        central_residue=not without_central_residue,
        secondary_structure=secondary_structure,
    )

    def encode(written: "Written") -> "Iterator[FileRows]":
        sources = (source for source in found.sources if source.name not in written.structures)
        for encoded in map_in_order(work, sources, run.workers, run.scheduler):
            yield rows_of(encoded, encoded.holograms)

    settings = settings_of(
        "complexes",
        basis,
        selection,
        pocket_distance=pocket_distance,
        listed_pocket=listed_pocket,
        without_central_residue=without_central_residue,
        secondary_structure=secondary_structure,
    )
    report = write_rows(
        encode,
        {Path(source.name): source.name for source in found.sources},
        out,
        doing="encoding complexes",
        what="hologram",
        settings=settings,
        resume=run.resume,
        empty=[Skipped(bad.name, "", f"complex {bad.name}: {bad.reason}") for bad in found.skipped],
    )
    return report.show(out)


def contacts_command(
    data: Path,
    /,
    *,
    out: Path,
    cutoff: Length = 12.0,
    workers: Count = 1,
    scheduler: str | None = None,
) -> int:
    """Count the pairs of protein and ligand atoms that are near each other, by their elements.

    Exit status: 0, every complex gave a row; 3, some gave none; 1, nothing useful came out; 2, wrong usage.

    Parameters
    ----------
    data
        CSV file with the columns id, protein, ligand; a folder with one; or an ATOM3D LBA data set (LMDB).
    out
        CSV file, one row a complex: id, split, label, and a column for each pair of elements.
    cutoff
        Distance up to which a pair counts, in Å.
    workers
        Number of processes.
    scheduler
        Address of a Dask scheduler, such as tcp://host:8786, whose workers count instead (extra dask); they
        must see the files under the same paths.
    """
    from holo_features.complex_sets import find_complexes
    from holo_features.contacts import write_contact_table
    from holo_features.files import Report
    from holo_features.parallel import map_in_order
    from holo_types.console import Outcome, Skipped, progress, write_skipped

    found = find_complexes(data if scheduler is None else data.absolute())
    errors = [Skipped(bad.name, "", f"complex {bad.name}: {bad.reason}") for bad in found.skipped]

    def counts() -> "Iterator[ContactCounts]":
        with progress(len(found.sources), "counting contacts") as advance:
            results = map_in_order(partial(_count, cutoff=cutoff), found.sources, workers, scheduler)
            for source, result in zip(found.sources, results, strict=True):
                if isinstance(result, str):
                    errors.append(Skipped(source.name, "", result))
                else:
                    yield result
                advance()

    rows = write_contact_table(counts(), out)
    table = out.with_suffix(".skipped.csv")
    write_skipped(table, errors)
    return Report("row", rows, Outcome(rows, len(errors), None), tuple(errors), table).show(out)


def _encode(
    source: "ComplexSource",
    *,
    basis: BasisOptions,
    selection: "Selection",
    pocket_distance: float | None,
    central_residue: bool,
    secondary_structure: bool,
) -> "EncodedStructure":
    import numpy as np

    from holo_features.complex_sets import read_complex
    from holo_features.complexes import complex_neighborhoods
    from holo_features.encoding import EncodedStructure
    from holo_features.zernike import zernike_transform
    from holo_types import HoloError

    path = Path(source.name)
    try:
        complex_ = read_complex(source, selection)
        found = complex_neighborhoods(
            complex_,
            basis.cutoff,
            basis.channels,
            secondary_structure,
            pocket_distance=pocket_distance,
            central_residue=central_residue,
        )
        if len(found.clouds) == 0:
            reasons = "; ".join(dict.fromkeys(residue.reason for residue in found.skipped))
            raise HoloError(
                f"complex {source.name}: no residue of the pocket has a neighbourhood ({reasons})"
            )
        holograms = zernike_transform(found.clouds, basis.basis, np.float64 if basis.float64 else np.float32)
    except HoloError as error:
        return EncodedStructure(path, source.name, None, error=error)
    protein = complex_.protein
    return EncodedStructure(
        path, source.name, holograms, found.skipped, protein.left_out_atoms, protein.repeated_residues
    )


def _count(source: "ComplexSource", *, cutoff: float) -> "ContactCounts | str":
    from holo_features.complex_sets import read_complex
    from holo_features.contacts import contact_counts
    from holo_types import HoloError

    try:
        return contact_counts(read_complex(source), cutoff)
    except HoloError as error:
        return str(error)
