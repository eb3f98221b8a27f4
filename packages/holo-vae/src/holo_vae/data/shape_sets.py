"""Meshes with classes, encoded as files of holograms with deformed copies for training (extra ``structures``)."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np

import holo_types
from holo_types import Basis, HoloError
from holo_types.console import Skipped
from holo_types.extras import extra
from holo_vae.recipes.data import ShapeData

from .structure_sets import split_state

if TYPE_CHECKING:
    from holo_features import Copies, MeshFile
    from holo_features.encoding.files import FileRows, Written

__all__ = ["encode_shape_split", "read_shape_splits"]


def read_shape_splits(data: ShapeData, source: Path) -> "dict[str, list[MeshFile]]":
    """List the meshes to train on, to validate with and to test on, according to a folder or its tables.

    Parameters
    ----------
    data
        Which share of the training meshes is set aside where there are none for validation, and the seed of the choice.
    source
        Folder of the meshes, see `holo_features.mesh_set`.

    Returns
    -------
    dict
        The lists ``train`` and ``valid``, and ``test`` where there are test meshes.

    Raises
    ------
    FormatError
        If there are no meshes, or their layout is unknown.
    HoloError
        If holo-features is not installed, all meshes have the same class, or there are too few to train on.
    """
    with extra("holo-vae[structures]"):
        from holo_features import mesh_set  # noqa: PLC0415

    meshes = mesh_set(source)
    classes = {mesh.label for mesh in meshes}
    if len(classes) < 2:
        raise HoloError(
            f"{source}: all its meshes ({len(meshes)}) are of the class {classes.pop()!r}; there must be two classes"
        )
    splits: dict[str, list[MeshFile]] = {"train": [], "valid": [], "test": []}
    for mesh in meshes:
        splits[mesh.split or "train"].append(mesh)
    if not splits["valid"]:
        order = np.random.default_rng(data.seed).permutation(len(splits["train"]))
        count = max(round(data.validation_fraction * len(order)), 1)
        kept, rest = sorted(order[:count].tolist()), sorted(order[count:].tolist())
        splits["valid"] = [splits["train"][place] for place in kept]
        splits["train"] = [splits["train"][place] for place in rest]
    if len(splits["train"]) < 2:
        raise HoloError(
            f"{source}: {len(splits['train'])} meshes are for training; there must be at least two"
        )
    return {split: found for split, found in splits.items() if found}


def encode_shape_split(
    data: ShapeData, basis: Basis, meshes: "Sequence[MeshFile]", path: Path, workers: int
) -> str | None:
    """Encode meshes and their copies, unless this has been done already.

    Work that an earlier call began with the same settings is continued. A table beside the file, ``NAME.skipped.csv``,
    lists the meshes that yielded nothing, and what is unusual about others.

    Parameters
    ----------
    data
        The number of copies, and how rows are rotated.
    basis
        The basis of the encoding.
    meshes
        The mesh files.
    path
        The file for the holograms.
    workers
        Number of processes that encode.

    Returns
    -------
    str or None
        A sentence on how many files yielded nothing; None if all yielded rows.

    Raises
    ------
    HoloError
        If holo-features is not installed, the basis is not one of shapes, or no file yielded rows.
    """
    with extra("holo-vae[structures]"):
        from holo_features import SHAPE_CHANNELS, Copies  # noqa: PLC0415

    if basis.radial is not None or basis.channels != SHAPE_CHANNELS:
        raise HoloError(
            f"the recipe's basis is {basis}; shapes have no radial functions, and the channels "
            f"{', '.join(SHAPE_CHANNELS)}"
        )
    settings = _settings(data, basis, meshes)
    state = split_state(path, settings)
    if state is None:
        path.unlink(missing_ok=True)  # made with other settings
    if state is not True:
        copies = Copies(
            count=data.copies,
            turn=data.rotation == "each",
            stretch=data.stretch,
            noise=data.noise,
            seed=data.seed,
        )
        encode = partial(_encode, copies=copies, lmax=basis.lmax, bandwidth=data.bandwidth)
        _write(encode, meshes, path, settings, workers)
    skipped = path.with_suffix(".skipped.csv")
    if not path.exists():
        raise HoloError(f"{path}: none of {len(meshes)} meshes gave a row; {skipped} says why")
    with holo_types.open(path) as reader:
        lacking = len(meshes) - len(set(reader.column("structure").tolist()))
    return (
        f"{lacking} of {len(meshes)} meshes for {path.name} gave nothing; see {skipped}" if lacking else None
    )


def _settings(data: ShapeData, basis: Basis, meshes: "Sequence[MeshFile]") -> dict[str, str]:
    listed = "\n".join(f"{mesh.name}\t{mesh.label}" for mesh in meshes)
    plain = {key: str(value) for key, value in attrs.asdict(data).items() if key != "validation_fraction"}
    return plain | {"meshes": hashlib.sha256(listed.encode()).hexdigest(), "basis": basis.digest}


def _write(
    encode: "partial[FileRows]",
    meshes: "Sequence[MeshFile]",
    path: Path,
    settings: dict[str, str],
    workers: int,
) -> None:
    with extra("holo-vae[structures]"):
        from holo_features.encoding.files import write_rows  # noqa: PLC0415
        from holo_features.encoding.parallel import map_files  # noqa: PLC0415

    def rows(written: "Written") -> "Iterator[FileRows]":
        wanted = [mesh for mesh in meshes if mesh.name not in written.structures]
        yield from map_files(encode, ((mesh.path.absolute(), mesh) for mesh in wanted), workers)

    write_rows(
        rows,
        {mesh.path: mesh.name for mesh in meshes},
        path,
        doing=f"encoding {path.stem} shapes",
        what="hologram",
        settings=settings,
        resume=True,
        of_residues=False,
    )


def _encode(place: Path, mesh: "MeshFile", *, copies: "Copies", lmax: int, bandwidth: int) -> "FileRows":
    with extra("holo-vae[structures]"):
        from holo_features import encode_copies  # noqa: PLC0415
        from holo_features.encoding.files import FileRows  # noqa: PLC0415

    try:
        encoded = encode_copies(
            place, copies, name=mesh.name, label=mesh.label or "", lmax=lmax, bandwidth=bandwidth
        )
    except HoloError as error:
        return FileRows(mesh.path, None, error=str(error))
    remarks = tuple(Skipped(str(mesh.path), "", remark) for remark in encoded.remarks)
    return FileRows(mesh.path, encoded.holograms, remarks)
