"""``holo-vae embed``."""

# torch takes seconds to import: it is imported by the commands, so that --help is quick.
# ruff: noqa: PLC0415

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import attrs
from cyclopts import Parameter

import holo_types
from holo_types import HoloError, Holograms
from holo_types.console import say
from holo_types.extras import extra
from holo_types.files.locks import PathLock
from holo_types.folders import no_link
from holo_types.options import (
    IN_LINES,
    ConfidenceOptions,
    Device,
    Flag,
    OptionalResidues,
    Output,
    RunOptions,
    SelectionOptions,
    SummaryOptions,
    Together,
)

if TYPE_CHECKING:
    from holo_features import Encoding
    from holo_features.encoding.files import Written
    from holo_types.console import Skipped
    from holo_vae.embedding import EmbeddedStructure

__all__ = ["embed_command"]

_NO_RUN = RunOptions()
_NO_CONFIDENCE, _NO_SELECTION = ConfidenceOptions(), SelectionOptions()


def embed_command(
    inputs: Annotated[tuple[Path, ...], Parameter(negative="")],
    /,
    *,
    out: Output,
    model: str = "microenvironment-z128",
    pocket: Flag = False,
    ligand: Flag = False,
    secondary_structure: Flag = False,
    half: Flag = False,
    device: Device = "cpu",
    selection: Annotated[SelectionOptions, Together] = _NO_SELECTION,
    residues: OptionalResidues = None,
    confidence: Annotated[ConfidenceOptions, Together] = _NO_CONFIDENCE,
    run: Annotated[RunOptions, Together] = _NO_RUN,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Embed every residue of structures, the pockets or ligands of complexes, or every row of a file of holograms.

    Structures and complexes need the extra `structures`. Skipped files and residues are listed with the reason in a CSV
    file beside the output. Exit status: 0, every file yielded results; 3, some files yielded none; 1, nothing useful
    came out; 2, wrong usage.

    Parameters
    ----------
    inputs
        Structure files (.pdb, .ent, .cif, .mmcif, .bcif, optionally with .gz), or folders or archives (.tar, .zip)
        of them, or one .h5 file of holograms. With --pocket or --ligand, one CSV file with the columns id, protein
        and ligand; a folder that contains one; or an ATOM3D LBA data set (LMDB).
    out
        File for the embeddings, .h5; or a table, .parquet or .csv. An existing file is replaced unless --resume is
        given. A name without an ending stands for a folder of Parquet files that are read as one table.
    model
        Name of a model that comes with holo-vae, folder of a model, or models:/NAME@ALIAS.
    pocket
        Embed the residues that have an atom within 6 Å of the ligand; the ligand's atoms count among their neighbors.
    ligand
        Embed each heavy atom of the ligand, with the atoms of the protein and of the ligand as neighbors.
    secondary_structure
        Add the column secondary_structure to the index: helix, sheet or coil (from P-SEA).
    half
        Store z in 16 bits, in a folder of Parquet files; it is read back as float32.
    residues
        Residues to embed.
    """
    if out.suffix not in (".h5", ".parquet", ".csv", ""):
        raise HoloError(
            f"--out is {out}; it must end in .h5, .parquet or .csv, or be a folder, without an ending"
        )
    if half and out.suffix:
        raise HoloError(f"--half is for a folder of Parquet files; --out is {out}")
    if any(os.path.realpath(path) == os.path.realpath(out) for path in inputs):
        raise HoloError(f"--out is {out}, which is an input; name another file")
    centers: Literal["pocket", "ligand"] | None = "pocket" if pocket else "ligand" if ligand else None
    if pocket and ligand:
        raise HoloError("--pocket and --ligand are both given; it must be one of the two")
    if centers is not None:
        _check_complexes(inputs, centers, secondary_structure=secondary_structure)
    if centers is not None or inputs[0].suffix == ".h5":
        for given, names in (
            (confidence != _NO_CONFIDENCE, "--minimum-plddt"),
            (selection != _NO_SELECTION, "--chains, --assembly, --hetero and similar options"),
            (residues is not None, "--residues"),
        ):
            if given:
                raise HoloError(f"{names}: only for structures, not for complexes or a file of holograms")
    if centers is not None:
        return _embed_complexes(
            inputs[0],
            model,
            out,
            centers=centers,
            half=half,
            secondary_structure=secondary_structure,
            device=device,
            run=run,
        )
    if not (len(inputs) == 1 and inputs[0].suffix == ".h5"):
        return _embed_structures(
            inputs,
            model,
            out,
            half=half,
            secondary_structure=secondary_structure,
            device=device,
            options=_StructureOptions(selection, residues, confidence),
            run=run,
        )
    if secondary_structure or run != _NO_RUN:
        raise HoloError(
            "--secondary-structure, --resume, --workers and --scheduler are for structures, not for a file of holograms"
        )
    return _embed_file(inputs[0], model, out, half=half, device=device)


def _check_complexes(
    inputs: Sequence[Path], centers: Literal["pocket", "ligand"], *, secondary_structure: bool
) -> None:
    """Refuse inputs that are not a data set of complexes, and options that ligands do not have."""
    if len(inputs) != 1 or inputs[0].suffix == ".h5":
        given = ", ".join(map(str, inputs))
        raise HoloError(
            f"--{centers} takes one data set of complexes (CSV file, folder, LMDB); it was given {given}"
        )
    if centers == "ligand" and secondary_structure:
        raise HoloError("--secondary-structure is for residues; the atoms of --ligand have none")


@attrs.frozen
class _StructureOptions:
    """The residues to embed, and the parts of the structure files that are used."""

    selection: SelectionOptions
    residues: tuple[str, ...] | None
    confidence: ConfidenceOptions

    def encoding(self) -> "Encoding":
        """Return these options in the form of holo-features."""
        from holo_features import Confidence, Encoding, ResidueId, Selection

        return Encoding(
            selection=Selection(**attrs.asdict(self.selection)),
            residues=None if self.residues is None else ResidueId.parse_all(self.residues),
            confidence=Confidence.asked(**attrs.asdict(self.confidence)),
        )

    def settings(self) -> dict[str, str]:
        """Return the options that an output records, so that it is resumed only with the same ones."""
        selection = {f"selection_{name}": value for name, value in attrs.asdict(self.selection).items()}
        plain = {**selection, **attrs.asdict(self.confidence), "residues": self.residues}
        return {name: str(value) for name, value in plain.items()}


def _embed_structures(
    inputs: Sequence[Path],
    model: str,
    out: Path,
    *,
    half: bool,
    secondary_structure: bool,
    device: str,
    options: _StructureOptions,
    run: RunOptions,
) -> int:
    with extra("holo-vae[structures]"):
        from holo_features import structure_names
        from holo_features.encoding.files import structure_files
    from holo_vae.embedding import embed_structures
    from holo_vae.networks.loading import load
    from holo_vae.networks.model import Model

    encoding = options.encoding()
    loaded = load(model, Model)
    paths, empty = structure_files(inputs)
    return _write_embeddings(
        lambda written: embed_structures(
            paths,
            loaded if run.alone else model,
            secondary_structure,
            written.structures,
            encoding=encoding,
            device=device,
            workers=run.workers,
            scheduler=run.scheduler,
        ),
        structure_names(paths),
        out,
        doing="embedding structures",
        settings={
            "model": f"{loaded.name} {loaded.digest}",
            "secondary_structure": str(secondary_structure),
            **options.settings(),
        },
        resume=run.resume,
        half=half,
        empty=empty,
    )


def _embed_complexes(
    data: Path,
    model: str,
    out: Path,
    *,
    centers: Literal["pocket", "ligand"],
    half: bool,
    secondary_structure: bool,
    device: str,
    run: RunOptions,
) -> int:
    with extra("holo-vae[structures]"):
        from holo_features import find_complexes
        from holo_features.encoding.files import unusable
    from holo_vae.embedding import embed_complexes
    from holo_vae.networks.loading import load
    from holo_vae.networks.model import Model

    loaded, found = load(model, Model), find_complexes(data)

    def embedded(written: "Written") -> "Iterator[EmbeddedStructure]":
        sources = [source for source in found.sources if source.name not in written.structures]
        used = loaded if run.alone else model
        return embed_complexes(
            sources,
            used,
            secondary_structure,
            centers=centers,
            device=device,
            workers=run.workers,
            scheduler=run.scheduler,
        )

    return _write_embeddings(
        embedded,
        {Path(source.name): source.name for source in found.sources},
        out,
        doing="embedding pockets" if centers == "pocket" else "embedding ligands",
        settings={
            "model": f"{loaded.name} {loaded.digest}",
            "secondary_structure": str(secondary_structure),
            centers: "True",
        },
        resume=run.resume,
        half=half,
        empty=unusable(found.skipped),
    )


def _embed_file(path: Path, model: str, out: Path, *, half: bool, device: str) -> int:
    from holo_vae.embedding import embed_holograms
    from holo_vae.networks.loading import load
    from holo_vae.networks.model import Model

    data = holo_types.load(path, kind=Holograms)
    if not len(data):
        raise HoloError(f"{path}: holds no holograms")
    embeddings = embed_holograms(load(model, Model), data, device=device)
    if out.suffix == ".h5":
        holo_types.save(embeddings, out)
    elif not out.suffix:
        with holo_types.PartsWriter(out, half=half) as writer:
            writer.append(embeddings)
    else:
        holo_types.write_table(embeddings, out)
    say(f"{len(embeddings)} embeddings in {out}", rows=len(embeddings), out=out)
    return 0


def _write_embeddings(
    embedded: "Callable[[Written], Iterator[EmbeddedStructure]]",
    files: Mapping[Path, str],
    out: Path,
    *,
    doing: str,
    settings: Mapping[str, str],
    resume: bool,
    half: bool,
    empty: "Sequence[Skipped]",
) -> int:
    """Write embeddings as they are computed, and then convert them to a table if one is requested."""
    from holo_features.encoding.files import rows_of, write_rows

    # Rows go to an HDF5 file as they are computed, so that an interruption costs little; the table is made from it.
    # A folder of Parquet files uses its parts for that.
    rows = out if out.suffix in (".h5", "") else no_link(out.with_name(f"{out.name}.partial.h5"))
    with nullcontext() if rows == out else PathLock(out):
        report = write_rows(
            lambda written: (rows_of(result.encoded, result.embeddings) for result in embedded(written)),
            files,
            rows,
            doing=doing,
            what="embedding",
            settings=settings,
            resume=resume,
            table=out.with_suffix(".skipped.csv"),
            empty=empty,
            parts=not out.suffix,
            half=half,
        )
        if report.count and rows != out:
            holo_types.write_table(holo_types.load(rows, kind=holo_types.Embeddings), out)
            rows.unlink()
    return report.show(out)
