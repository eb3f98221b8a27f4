"""``holo-features structures``."""

# ruff: noqa: PLC0415

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs

from .options import (
    IN_LINES,
    BasisOptions,
    CheckedResidues,
    ConfidenceOptions,
    Flag,
    HologramsFile,
    OfBasis,
    OptionalNames,
    RunOptions,
    SelectionOptions,
    SummaryOptions,
    Together,
    selection_of,
    settings_of,
)

if TYPE_CHECKING:
    from holo_features.encoding.files import FileRows, Written

__all__ = ["structures_command"]

_NO_BASIS, _NO_SELECTION, _NO_RUN = BasisOptions(), SelectionOptions(), RunOptions()
_NO_CONFIDENCE = ConfidenceOptions()


def structures_command(
    inputs: tuple[Path, ...],
    /,
    *,
    out: HologramsFile,
    basis: Annotated[BasisOptions, OfBasis] = _NO_BASIS,
    selection: Annotated[SelectionOptions, Together] = _NO_SELECTION,
    residues: CheckedResidues = None,
    center_atoms: OptionalNames = None,
    without_central_residue: Flag = False,
    secondary_structure: Flag = False,
    confidence: Annotated[ConfidenceOptions, Together] = _NO_CONFIDENCE,
    run: Annotated[RunOptions, Together] = _NO_RUN,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Encode the neighborhood of every residue of protein structures as a Zernike hologram.

    Skipped files and residues are listed in a CSV file beside the output, with the reason. Exit status: 0,
    every file gave results; 3, some files gave none; 1, nothing useful came out; 2, wrong usage.

    Parameters
    ----------
    inputs
        Structure files (.pdb, .ent, .cif, .mmcif, .bcif, also with .gz), or folders or archives (.tar, .zip) of
        them.
    out
        HDF5 file for the holograms, one row per residue; it is replaced unless --resume is given.
    residues
        Residues around whose Cα to encode.
    center_atoms
        Names of the atoms around which to encode, such as CB, instead of the Cα.
    without_central_residue
        Leave out the atoms of the residue at the center.
    secondary_structure
        Add the column secondary_structure to the index: helix, sheet or coil (P-SEA).
    """
    from holo_features.encoding.files import rows_of, structure_files, write_rows
    from holo_features.encoding.structures import Encoding, encode_structures, structure_names
    from holo_features.structures.confidence import Confidence
    from holo_features.structures.residue import ResidueId

    paths, empty = structure_files(inputs)
    chosen = None if residues is None else ResidueId.parse_all(residues)
    encoding = Encoding(
        selection=selection_of(selection),
        residues=chosen,
        center_atoms=center_atoms,
        central_residue=not without_central_residue,
        confidence=Confidence.asked(**attrs.asdict(confidence)),
        double_precision=basis.float64,
    )

    def encode(written: "Written") -> "Iterator[FileRows]":
        for encoded in encode_structures(
            paths,
            basis.basis,
            secondary_structure,
            written.structures,
            encoding=encoding,
            workers=run.workers,
            scheduler=run.scheduler,
        ):
            yield rows_of(encoded, encoded.holograms)

    settings = settings_of(
        "structures",
        basis,
        selection,
        confidence,
        residues=chosen,
        center_atoms=center_atoms,
        without_central_residue=without_central_residue,
        secondary_structure=secondary_structure,
    )
    report = write_rows(
        encode,
        structure_names(paths),
        out,
        doing="encoding structures",
        what="hologram",
        settings=settings,
        resume=run.resume,
        empty=empty,
    )
    return report.show(out)
