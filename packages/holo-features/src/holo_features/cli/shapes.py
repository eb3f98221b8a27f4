"""``holo-features shapes``."""

# ruff: noqa: PLC0415

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from .options import (
    IN_LINES,
    Bandwidth,
    Flag,
    HologramsFile,
    Order,
    RunOptions,
    SummaryOptions,
    Together,
    settings_of,
)

if TYPE_CHECKING:
    from holo_features.encoding.files import FileRows, Written

__all__ = ["shapes_command"]

_NO_RUN = RunOptions()


def shapes_command(
    folder: Path,
    /,
    *,
    out: HologramsFile,
    lmax: Order = 14,
    bandwidth: Bandwidth = 90,
    labels: Path | None = None,
    float64: Flag = False,
    run: Annotated[RunOptions, Together] = _NO_RUN,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Encode meshes as spherical holograms of six channels, by rays from outside toward the centroid.

    The channels are the distance at which a ray meets the mesh, and sine and cosine of its angle with the
    normal there, for the mesh and for its convex hull. A CSV file beside the output lists unusual meshes and the
    reasons for those that were skipped. Exit status: 0, every mesh gave a hologram; 3, some gave none; 1, nothing
    useful came out; 2, wrong usage.

    Parameters
    ----------
    folder
        Folder of meshes (.off, .obj, .stl, .ply), also in subfolders.
    out
        HDF5 file for the holograms, one row per mesh; it is replaced unless --resume is given.
    lmax
        Highest degree l, less than the bandwidth.
    bandwidth
        Bandwidth b of the Driscoll-Healy grid of rays, 2b × 2b.
    labels
        CSV file of names and classes in the format of SHREC17; by default the class of a mesh is the name of its
        folder, if all are in folders.
    float64
        Write the coefficients in double precision.
    """
    from holo_features.encoding.files import FileRows, write_rows
    from holo_features.encoding.parallel import map_files
    from holo_features.spheres.mesh_sets import mesh_files, read_shape_labels

    meshes = mesh_files(folder)
    # Either all rows have a column of classes or none.
    in_folders = labels is None and all(mesh.label is not None for mesh in meshes)
    classes = {} if labels is None else read_shape_labels(labels)

    def encode(written: "Written") -> "Iterator[FileRows]":
        wanted = [mesh for mesh in meshes if mesh.name not in written.structures]
        for mesh in wanted:
            if labels is not None and mesh.path.stem not in classes:
                error = f"{mesh.path}: {labels} names no class for {mesh.path.stem!r}"
                yield FileRows(mesh.path, None, error=error)
        files = (
            (
                mesh.path.absolute(),
                (mesh.path, mesh.name, mesh.label if in_folders else classes.get(mesh.path.stem)),
            )
            for mesh in wanted
            if labels is None or mesh.path.stem in classes
        )
        yield from map_files(
            partial(_encode, lmax=lmax, bandwidth=bandwidth, float64=float64),
            files,
            run.workers,
            run.scheduler,
        )

    report = write_rows(
        encode,
        {mesh.path: mesh.name for mesh in meshes},
        out,
        doing="encoding shapes",
        what="hologram",
        of_residues=False,
        settings=settings_of(
            "shapes", lmax=lmax, bandwidth=bandwidth, float64=float64, labels=labels is not None
        ),
        resume=run.resume,
    )
    return report.show(out)


def _encode(
    place: Path, about: tuple[Path, str, str | None], *, lmax: int, bandwidth: int, float64: bool
) -> "FileRows":
    import numpy as np

    from holo_features.encoding.files import FileRows
    from holo_features.spheres.shapes import encode_mesh
    from holo_types import HoloError
    from holo_types.console import Skipped

    path, name, label = about
    try:
        encoded = encode_mesh(
            place,
            lmax=lmax,
            bandwidth=bandwidth,
            name=name,
            label=label,
            dtype=np.float64 if float64 else np.float32,
        )
    except HoloError as error:
        return FileRows(path, None, error=str(error))
    remarks = tuple(Skipped(str(path), "", remark) for remark in encoded.remarks)
    return FileRows(path, encoded.holograms, remarks)
