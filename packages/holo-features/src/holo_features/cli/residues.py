"""``holo-features residues``."""

# ruff: noqa: PLC0415

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs

from .options import (
    IN_LINES,
    BasisOptions,
    HologramsFile,
    OfBasis,
    Order,
    RunOptions,
    SelectionOptions,
    SummaryOptions,
    Together,
    selection_of,
    settings_of,
)

if TYPE_CHECKING:
    from holo_features.encoding.files import FileRows, Written

__all__ = ["residues_command"]


@attrs.frozen
class ResidueBasisOptions(BasisOptions):
    """How residues are encoded.

    Parameters
    ----------
    lmax
        Highest degree l.
    """

    lmax: Order = 4


_NO_BASIS, _NO_SELECTION, _NO_RUN = ResidueBasisOptions(), SelectionOptions(), RunOptions()


def residues_command(
    inputs: tuple[Path, ...],
    /,
    *,
    out: HologramsFile,
    basis: Annotated[ResidueBasisOptions, OfBasis] = _NO_BASIS,
    selection: Annotated[SelectionOptions, Together] = _NO_SELECTION,
    run: Annotated[RunOptions, Together] = _NO_RUN,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Encode every complete amino acid residue by itself, around its Cα, as a Zernike hologram.

    The index has the residue's type as its label. Skipped files and residues are listed in a CSV file beside
    the output, with the reason. Exit status: 0, every file gave results; 3, some files gave none; 1, nothing
    useful came out; 2, wrong usage.

    Parameters
    ----------
    inputs
        Structure files (.pdb, .ent, .cif, .mmcif, .bcif, also with .gz), or folders or archives (.tar, .zip) of
        them.
    out
        HDF5 file for the holograms, one row per residue; it is replaced unless --resume is given.
    """
    from holo_features.encoding.files import rows_of, structure_files, write_rows
    from holo_features.encoding.structures import Encoding, encode_structures, structure_names

    paths, empty = structure_files(inputs)
    encoding = Encoding(
        selection=selection_of(selection), single_residues=True, double_precision=basis.float64
    )

    def encode(written: "Written") -> "Iterator[FileRows]":
        for encoded in encode_structures(
            paths,
            basis.basis,
            done=written.structures,
            encoding=encoding,
            workers=run.workers,
            scheduler=run.scheduler,
        ):
            yield rows_of(encoded, encoded.holograms)

    report = write_rows(
        encode,
        structure_names(paths),
        out,
        doing="encoding residues",
        what="hologram",
        settings=settings_of("residues", basis, selection),
        resume=run.resume,
        empty=empty,
    )
    return report.show(out)
