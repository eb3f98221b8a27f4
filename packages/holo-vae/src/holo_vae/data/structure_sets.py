"""Structure files with a table of splits, encoded as files of holograms (extra ``structures``)."""

import csv
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np

import holo_types
from holo_types import Basis, FormatError, HoloError, Holograms
from holo_types.extras import extra
from holo_types.files.csv_files import csv_text
from holo_vae.recipes.data import StructureData

if TYPE_CHECKING:
    from holo_features.encoding.files import FileRows, Written

__all__ = [
    "SPLITS",
    "TABLE",
    "TableRow",
    "available_workers",
    "encode_split",
    "read_table",
    "split_settings",
    "split_state",
]

TABLE = "index.tsv"
SPLITS = {"train": "training", "valid": "validation", "test": "test"}  # the table's names: our names
_FILES_A_WORKER = 32  # fewer do not repay the seconds that a process takes to start


@attrs.frozen(eq=False)
class TableRow:
    """A line of the table.

    Parameters
    ----------
    path
        The path of the structure file, which need not exist.
    columns
        Values for the index, by name.
    folder
        The folder of the table; paths in its columns are relative to it.
    """

    path: Path
    columns: dict[str, str]
    folder: Path = Path()


def read_table(data: StructureData, source: Path) -> dict[str, list[TableRow]]:
    """Read which structures belong to each split, in the order of the table.

    Parameters
    ----------
    data
        The columns of the table that are needed.
    source
        Folder of the table and of the structure files.

    Raises
    ------
    FormatError
        If there is no table, or it cannot be read.
    HoloError
        If a column or a split is missing, a split is unknown, or a file is named or found twice.
    """
    path = source / TABLE
    further = dict.fromkeys(
        (*data.columns, *(name for name in (data.alike, data.ligand) if name is not None))
    )
    needed = ("file", "split", *further)
    try:
        reader = csv.DictReader(csv_text(path), delimiter="\t", restval="")
        lines, names = list(reader), reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{path}: cannot be read as a table ({error})") from None
    if missing := [name for name in needed if name not in names]:
        raise HoloError(f"{path}: has no column {', '.join(missing)}; it must have {', '.join(needed)}")
    places = _places(source)
    splits: dict[str, list[TableRow]] = {split: [] for split in SPLITS}
    named: set[Path] = set()
    for number, line in enumerate(lines, start=2):
        if line["split"] not in SPLITS:
            raise HoloError(
                f"{path}: line {number} has split {line['split']!r}; it must be one of {', '.join(SPLITS)}"
            )
        found = _place(line["file"], source, places)
        if found in named:
            raise HoloError(f"{path}: line {number} names {line['file']} again; it must be there once")
        named.add(found)
        splits[line["split"]].append(TableRow(found, {name: line[name] for name in further}, source))
    if empty := [split for split, rows in splits.items() if not rows]:
        raise HoloError(f"{path}: has no file with split {', '.join(empty)}; each split needs at least one")
    return splits


def _places(source: Path) -> dict[str, list[Path]]:
    places: dict[str, list[Path]] = {}
    for path in sorted(source.rglob("*")):
        if path.is_file():
            places.setdefault(path.name, []).append(path)
    return places


def _place(file: str, source: Path, places: dict[str, list[Path]]) -> Path:
    """Return the path of a file: as the table says, or anywhere below its folder."""
    found = places.get(file, [])
    if len(found) > 1 and source / file not in found:
        raise HoloError(f"{source}: has {file} as {' and as '.join(map(str, found))}; it must be there once")
    return found[0] if len(found) == 1 else source / file  # if it does not exist, its reader reports that


def encode_split(
    data: StructureData, basis: Basis, rows: Sequence[TableRow], path: Path, workers: int
) -> str | None:
    """Encode the neighborhoods of all residues of a split's structures, unless this has been done already.

    The index also has the secondary structure. Work that an earlier call began with the same settings is continued. A
    table beside the file, ``NAME.skipped.csv``, lists what was left out.

    Parameters
    ----------
    data, basis
        What the neighborhoods contain, and how they are encoded.
    rows
        Rows of the table.
    path
        The file for the holograms.
    workers
        Number of processes that encode.

    Returns
    -------
    str or None
        A sentence on which files yielded nothing; None if all yielded rows.

    Raises
    ------
    HoloError
        If holo-features is not installed, no file yielded rows, or the holograms cannot be written.
    """
    columns = {row.path: row.columns for row in rows}
    settings = split_settings(data, basis, rows)
    done = split_state(path, settings)
    if done is None:
        path.unlink(missing_ok=True)  # made with other settings
    if done is not True:
        _encode(data, columns, basis, path, settings=settings, workers=workers)
    if not path.exists():
        raise HoloError(f"{path}: none of {len(rows)} structure files gave a row; {_skipped(path)} says why")
    with holo_types.open(path) as reader:
        lacking = len(rows) - len(set(reader.column("structure").tolist()))
    if not lacking:
        return None
    return f"{lacking} of {len(rows)} structure files for {path.name} gave nothing; see {_skipped(path)}"


def _skipped(path: Path) -> Path:
    return path.with_suffix(".skipped.csv")


def split_settings(data: StructureData, basis: Basis, rows: Sequence[TableRow]) -> dict[str, str]:
    """Return the settings that determine the holograms: files begun with other settings are not continued."""
    table = "\n".join("\t".join([row.path.name, *row.columns.values()]) for row in rows)
    return {
        "kind": data.kind,
        "hetero": str(data.hetero),
        "pose": data.pose,
        "columns": " ".join(data.columns),
        **{name: value for name in ("alike", "ligand") if (value := getattr(data, name)) is not None},
        "table": hashlib.sha256(table.encode()).hexdigest(),
        "basis": basis.digest,
    }


def split_state(path: Path, settings: dict[str, str]) -> bool | None:
    """Return whether a file is complete; None if there is no file with these settings."""
    try:
        with holo_types.open(path) as reader:
            return reader.complete if reader.settings == settings else None
    except FormatError:
        return None


def _encode(
    data: StructureData,
    columns: dict[Path, dict[str, str]],
    basis: Basis,
    path: Path,
    *,
    settings: dict[str, str],
    workers: int,
) -> None:
    with extra("holo-vae[structures]"):
        from holo_features import Encoding, Selection, encode_structures, structure_names  # noqa: PLC0415
        from holo_features.encoding.files import rows_of, write_rows  # noqa: PLC0415

    def encode(written: "Written") -> "Iterator[FileRows]":
        for encoded in encode_structures(
            columns,
            basis,
            secondary_structure=True,
            done=written.structures,
            encoding=Encoding(selection=Selection(hetero=data.hetero), pose=data.pose),
            workers=workers,
        ):
            holograms = encoded.holograms
            if holograms is not None:
                holograms = _with_columns(holograms, columns[encoded.path])
            yield rows_of(encoded, holograms)

    write_rows(
        encode,
        structure_names(columns),
        path,
        doing=f"encoding {path.stem} structures",
        what="hologram",
        settings=settings,
        resume=True,
    )


def _with_columns(holograms: Holograms, columns: dict[str, str]) -> Holograms:
    if clash := [name for name in columns if name in holograms.index]:
        raise HoloError(f"data.columns has {', '.join(clash)}, which the index of holograms already has")
    added = {name: np.full(len(holograms), value) for name, value in columns.items()}
    return attrs.evolve(holograms, index={**holograms.index, **added})


def available_workers(files: int) -> int:
    """Return the number of processes to encode files with: as many as this process may use and can keep busy."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, 1 + files // _FILES_A_WORKER)
