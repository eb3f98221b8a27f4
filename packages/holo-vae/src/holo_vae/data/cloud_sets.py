"""Structure files with a table of splits, converted to files of point clouds for views (extra ``structures``)."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray

import holo_types
from holo_types import Basis, HoloError, Index, PointClouds
from holo_types.extras import extra
from holo_types.files.csv_files import write_csv
from holo_vae.recipes.data import StructureData

from .structure_sets import TableRow, split_settings, split_state

__all__ = ["ALIKE", "cut_split"]

ALIKE = "alike"  # the index column: rows with the same number are views of one residue; -1 stands for none
_POCKET = 6.0  # Å
_LEAST_IDENTITY = 0.25  # among the aligned residues of relatives


def cut_split(
    data: StructureData, basis: Basis, rows: Sequence[TableRow], path: Path, *, margin: float, workers: int
) -> str | None:
    """Cut out the surroundings of all residues of a split's structures, unless this has been done already.

    The index also has ``secondary_structure``, ``burial`` and, where the data names a column for it, ``alike``; the
    points have ``own``, see `holo_features.neighborhoods`.

    Parameters
    ----------
    data, basis
        What the surroundings contain, and how they will be encoded.
    rows
        Rows of the table.
    path
        The file for the clouds. Files that could not be used are listed in ``NAME.skipped.csv`` beside it.
    margin
        How much wider than the cutoff of the basis the surroundings are cut, in Å.
    workers
        Number of processes that cut.

    Returns
    -------
    str or None
        A sentence on how many files yielded nothing; None if all yielded rows.

    Raises
    ------
    HoloError
        If holo-features is not installed, or no file yielded rows.
    """
    settings = split_settings(data, basis, rows) | {"clouds": f"{margin:g}"}
    skipped = path.with_suffix(".skipped.csv")
    if split_state(path, settings) is not True:
        path.unlink(missing_ok=True)  # made with other settings, or left unfinished
        lost: list[tuple[str, str]] = []
        parts = list(_clouds(data, basis, rows, lost, margin=margin, workers=workers))
        if not parts:
            raise HoloError(
                f"{path}: none of {len(rows)} structure files gave a row; the first: {lost[0][1]}"
            )
        with holo_types.Writer(path, settings=settings) as writer:
            for part in _numbered(data, rows, parts):
                writer.append(part)
        write_csv(skipped, ("file", "reason"), lost)
    with holo_types.open(path) as reader:
        lacking = len(rows) - len(set(reader.column("structure").tolist()))
    return (
        f"{lacking} of {len(rows)} structure files for {path.name} gave nothing; see {skipped}"
        if lacking
        else None
    )


def _clouds(
    data: StructureData,
    basis: Basis,
    rows: Sequence[TableRow],
    lost: list[tuple[str, str]],
    *,
    margin: float,
    workers: int,
) -> Iterator[PointClouds]:
    with extra("holo-vae[structures]"):
        from holo_features import structure_names  # noqa: PLC0415
        from holo_features.encoding.parallel import map_files  # noqa: PLC0415

    names = structure_names([row.path for row in rows])
    found = map_files(partial(_of_file, data, basis, margin), ((row.path, row) for row in rows), workers)
    for row, clouds in zip(rows, found, strict=True):
        if isinstance(clouds, str):
            lost.append((str(row.path), clouds))
            continue
        index = {**clouds.index, "structure": np.full(len(clouds), names[row.path])}
        yield attrs.evolve(clouds, index=Index(index))


def _of_file(data: StructureData, basis: Basis, margin: float, _: Path, row: TableRow) -> PointClouds | str:
    """Return the clouds of a file, or the reason why there are none."""
    try:
        return _cut(data, basis, row, margin)
    except HoloError as error:
        return str(error)


def _cut(data: StructureData, basis: Basis, row: TableRow, margin: float) -> PointClouds:
    with extra("holo-vae[structures]"):
        import holo_features  # noqa: PLC0415

    assert basis.radial is not None
    structure = holo_features.read_structure(row.path, holo_features.Selection(hetero=data.hetero))
    centers = holo_features.alpha_carbons(structure)
    columns = {name: np.full(len(centers), value) for name, value in row.columns.items()}
    columns["burial"] = holo_features.burial(structure)
    if clash := [name for name in columns if name in centers.index]:
        raise HoloError(f"data.columns has {', '.join(clash)}, which the index of clouds already has")
    centers = attrs.evolve(centers, index=centers.index.assign(**columns))
    ligand, surroundings = row.columns.get(data.ligand or "", ""), structure
    if ligand:
        molecule = holo_features.read_ligand(row.folder / ligand)
        complex_ = holo_features.Complex(structure.name, structure, molecule)
        centers = centers[holo_features.pocket(complex_, _POCKET)[centers.atoms]]
        if data.hetero:
            surroundings = holo_features.joined_structure(complex_, bonds="charge" in basis.channels)
    found = holo_features.cut_neighborhoods(
        surroundings,
        basis.radial.cutoff + margin,
        basis.channels,
        secondary_structure=True,
        centers=centers,
        own_atoms=True,
    )
    if data.pose == "backbone":
        found = holo_features.Backbones.of(structure).pose(found)
    if not len(found.clouds):
        raise HoloError(f"{row.path}: no residue has surroundings")
    clouds = found.clouds
    return attrs.evolve(
        clouds,
        coordinates=clouds.coordinates.astype(np.float32),
        weights=clouds.weights.astype(np.float32),
        point_columns={"own": clouds.point_columns["own"].astype(np.int8)},
    )


def _numbered(
    data: StructureData, rows: Sequence[TableRow], parts: Sequence[PointClouds]
) -> Iterator[PointClouds]:
    """Add the column ``alike`` where the data says which structures correspond."""
    if data.alike is None:
        yield from parts
        return
    with extra("holo-vae[structures]"):
        from holo_features import common_numbers, one_letter_sequence  # noqa: PLC0415

    groups = [str(part.index[data.alike][0]) for part in parts]
    numbers: list[NDArray[np.int64]] = [np.full(len(part), -1) for part in parts]
    first = 0
    for group in sorted(set(groups) - {""}):
        chains = [
            (place, parts[place].index["chain"] == chain)
            for place in range(len(parts))
            if groups[place] == group
            for chain in np.unique(parts[place].index["chain"])
        ]
        sequences = [
            one_letter_sequence(parts[place].index["residue_name"][of].tolist()) for place, of in chains
        ]
        for (place, of), columns in zip(chains, common_numbers(sequences, _LEAST_IDENTITY), strict=True):
            numbers[place][of] = np.where(columns < 0, -1, columns + first)
        first += sum(map(len, sequences))
    for part, number in zip(parts, numbers, strict=True):
        yield attrs.evolve(part, index=part.index.assign(alike=number))
