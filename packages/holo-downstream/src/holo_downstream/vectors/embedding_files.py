"""Embeddings from files: HDF5, a Parquet table, or a folder of Parquet parts."""

from collections.abc import Sequence
from pathlib import Path

import holo_types
from holo_types import Embeddings, FormatError, HoloError, concatenate
from holo_types.extras import extra

__all__ = ["read_embeddings"]


def read_embeddings(paths: Sequence[Path]) -> Embeddings:
    """Read embeddings from several files, and concatenate them in order.

    Parameters
    ----------
    paths
        HDF5 files, Parquet tables (``.parquet``), and folders of Parquet parts.

    Returns
    -------
    Embeddings
        All rows of the files, which must come from the same model.

    Raises
    ------
    FormatError
        If a file cannot be read, does not hold embeddings, or a folder lacks a part.
    HoloError
        If the files differ in model or columns, no file is given, or the package that reads Parquet is missing.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from holo_types import ModelReference, save
    >>> path = Path(tempfile.mkdtemp(), "embeddings.h5")
    >>> save(Embeddings(np.ones((1, 2)), np.eye(3)[None], ModelReference("demo", "1", "", "")), path)
    >>> len(read_embeddings([path, path]))
    2
    """
    parts = [part for path in paths for part in _files(path)]
    if not parts:
        raise HoloError("there is no file of embeddings; at least one must be given")
    read = [_read(part) for part in parts]
    for path, embeddings in zip(parts, read, strict=True):
        if embeddings.model != read[0].model:
            raise HoloError(
                f"{path}: was made by {embeddings.model.name} {embeddings.model.version} "
                f"({embeddings.model.digest[:12]}); it must be made by the model of {parts[0]}, "
                f"{read[0].model.name} {read[0].model.version} ({read[0].model.digest[:12]})"
            )
    return read[0] if len(read) == 1 else concatenate(read)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    parts = sorted(path.glob("part-*.parquet"))
    if not parts:
        raise FormatError(
            f"{path}: has no file part-*.parquet; it must be a folder of parts that embed wrote"
        )
    wanted = [path / f"part-{number:06}.parquet" for number in range(len(parts))]
    if missing := sorted(set(wanted) - set(parts)):
        raise FormatError(
            f"{path}: lacks {missing[0].name} but has {parts[-1].name}; its parts must be numbered from 0 without a gap"
        )
    return wanted


def _read(path: Path) -> Embeddings:
    if path.suffix != ".parquet":
        return holo_types.load(path, kind=Embeddings)
    with extra("holo-downstream[table]"):
        import pyarrow  # noqa: F401, PLC0415
    return holo_types.read_table(path)
