"""``holo-features complexes``, ``contacts`` and ``ligands``."""

# ruff: noqa: PLC0415

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from cyclopts import Group, Parameter
from cyclopts.validators import mutually_exclusive

from .options import (
    IN_LINES,
    BasisOptions,
    Cutoff,
    Flag,
    HologramsFile,
    Length,
    OfBasis,
    Output,
    RunOptions,
    Scheduler,
    SelectionOptions,
    SummaryOptions,
    Together,
    Workers,
    selection_of,
    settings_of,
)

if TYPE_CHECKING:
    from holo_features.complexes.complex import Complex, LigandAtoms
    from holo_features.complexes.sets import ComplexSource
    from holo_features.encoding.files import FileRows, Written

__all__ = ["complexes_command", "contacts_command", "ligands_command"]

Row = TypeVar("Row")

_AtMostOne = Parameter(group=Group(validator=mutually_exclusive))
_NO_BASIS, _NO_SELECTION, _NO_RUN = BasisOptions(), SelectionOptions(), RunOptions()


def complexes_command(
    data: Path,
    /,
    *,
    out: HologramsFile,
    basis: Annotated[BasisOptions, OfBasis] = _NO_BASIS,
    selection: Annotated[SelectionOptions, Together] = _NO_SELECTION,
    centers: Literal["pocket", "ligand"] = "pocket",
    pocket_distance: Length = 6.0,
    listed_pocket: Flag = False,
    without_ligand: Annotated[Flag, _AtMostOne] = False,
    bound_minus_unbound: Annotated[Flag, _AtMostOne] = False,
    without_central_residue: Flag = False,
    secondary_structure: Flag = False,
    run: Annotated[RunOptions, Together] = _NO_RUN,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Encode the neighborhoods of pocket residues, or of ligand atoms, of protein-ligand complexes.

    Skipped complexes and residues are listed in a CSV file beside the output, with the reason. Exit status:
    0, every complex gave results; 3, some gave none; 1, nothing useful came out; 2, wrong usage.

    Parameters
    ----------
    data
        CSV file with the columns id, protein, ligand; a folder with one; or an ATOM3D LBA data set (LMDB).
    out
        HDF5 file for the holograms, one row per center; it is replaced unless --resume is given.
    centers
        Points around which to encode: the Cα of each residue of the pocket, or each heavy atom of the ligand.
    pocket_distance
        Distance in Å from any atom of the ligand within which a residue belongs to the pocket.
    listed_pocket
        Use the residues that the data set lists as the pocket instead.
    without_ligand
        Leave out the atoms of the ligand; surface areas are those of the protein alone.
    bound_minus_unbound
        Encode the contribution of the ligand: the holograms with its atoms minus those without.
    without_central_residue
        Leave out the atoms of the residue at the center.
    secondary_structure
        Add the column secondary_structure to the index: helix, sheet or coil (P-SEA).
    """
    from holo_features.complexes.sets import find_complexes
    from holo_features.encoding.files import rows_of, unusable, write_rows
    from holo_features.encoding.structures import PocketEncoding, encode_complexes

    ligand_atoms: LigandAtoms = (
        "unbound" if without_ligand else "difference" if bound_minus_unbound else "bound"
    )
    found = find_complexes(data if run.scheduler is None else data.absolute())
    encoding = PocketEncoding(
        selection=selection_of(selection),
        centers=centers,
        ligand_atoms=ligand_atoms,
        pocket_distance=None if listed_pocket else pocket_distance,
        central_residue=not without_central_residue,
        secondary_structure=secondary_structure,
        double_precision=basis.float64,
    )

    def encode(written: "Written") -> "Iterator[FileRows]":
        sources = (source for source in found.sources if source.name not in written.structures)
        for encoded in encode_complexes(
            sources, basis.basis, encoding, workers=run.workers, scheduler=run.scheduler
        ):
            yield rows_of(encoded, encoded.holograms)

    settings = settings_of(
        "complexes",
        basis,
        selection,
        pocket_distance=pocket_distance,
        listed_pocket=listed_pocket,
        centers=centers,
        ligand_atoms=ligand_atoms,
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
        empty=unusable(found.skipped),
    )
    return report.show(out)


def contacts_command(
    data: Path,
    /,
    *,
    out: Output,
    cutoff: Cutoff = 12.0,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Count the contacts between protein and ligand atoms by pair of elements.

    Exit status: 0, every complex gave a row; 3, some gave none; 1, nothing useful came out; 2, wrong usage.

    Parameters
    ----------
    data
        CSV file with the columns id, protein, ligand; a folder with one; or an ATOM3D LBA data set (LMDB).
    out
        CSV file with one row per complex: id, split, label, and a column for each pair of elements.
    cutoff
        Largest distance of a contact, in Å.
    workers, scheduler
        The processes, or the cluster, that do the work.
    """
    from holo_features.complexes.contacts import contact_counts, write_contact_table

    row_of = partial(contact_counts, cutoff=cutoff)
    return _write_table(
        data, out, row_of, write_contact_table, "counting contacts", workers=workers, scheduler=scheduler
    )


def ligands_command(
    data: Path,
    /,
    *,
    out: Output,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """List the ligand of each complex and its size.

    Exit status: 0, every complex gave a row; 3, some gave none; 1, nothing useful came out; 2, wrong usage.

    Parameters
    ----------
    data
        CSV file with the columns id, protein, ligand; a folder with one; or an ATOM3D LBA data set (LMDB).
    out
        CSV file with one row per complex: id, split, label; ligand_key, which identical ligands share whatever their
        hydrogens, charges and stereochemistry; heavy_atoms; heavy_atom_weight, in g/mol, without hydrogens.
    workers, scheduler
        The processes, or the cluster, that do the work.
    """
    from holo_features.complexes.ligand_tables import ligand_size, write_ligand_table

    return _write_table(
        data, out, ligand_size, write_ligand_table, "reading ligands", workers=workers, scheduler=scheduler
    )


def _write_table(
    data: Path,
    out: Output,
    row_of: "Callable[[Complex], Row]",
    write: "Callable[[Iterable[Row], Path], int]",
    doing: str,
    *,
    workers: int,
    scheduler: str | None,
) -> int:
    """Write a table with a row for each complex, and another one of the complexes without a row."""
    from holo_features.complexes.sets import find_complexes
    from holo_features.encoding.files import WORKERS_LOST, Report, counted, unusable
    from holo_features.encoding.parallel import map_in_order, workers_lost
    from holo_types.console import Outcome, Skipped, progress, write_skipped

    found = find_complexes(data if scheduler is None else data.absolute())
    errors = unusable(found.skipped)
    lost_before = workers_lost()

    def rows() -> "Iterator[Row]":
        with progress(len(found.sources), doing) as advance:
            results = map_in_order(partial(_row, row_of=row_of), found.sources, workers, scheduler)
            for source, (row, error) in zip(found.sources, results, strict=True):
                if row is None:
                    errors.append(Skipped(source.name, "", error))
                else:
                    yield row
                advance()

    count = write(rows(), out)
    table = out.with_suffix(".skipped.csv")
    write_skipped(table, errors)
    others = counted({WORKERS_LOST: workers_lost() - lost_before})
    return Report("row", count, Outcome(count, len(errors), None, others), tuple(errors), table).show(out)


def _row(source: "ComplexSource", *, row_of: "Callable[[Complex], Row]") -> "tuple[Row | None, str]":
    from holo_features.complexes.sets import read_complex
    from holo_types import HoloError

    try:
        return row_of(read_complex(source)), ""
    except HoloError as error:
        return None, str(error)
