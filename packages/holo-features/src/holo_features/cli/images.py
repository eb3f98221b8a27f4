"""``holo-features images``."""

# ruff: noqa: PLC0415

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .options import IN_LINES, Bandwidth, Flag, HologramsFile, Order, SummaryOptions, settings_of

if TYPE_CHECKING:
    from holo_features.encoding.files import FileRows, Written

__all__ = ["images_command"]


def images_command(
    folder: Path,
    /,
    *,
    out: HologramsFile,
    part: Literal["train", "test"] = "train",
    lmax: Order = 10,
    bandwidth: Bandwidth = 30,
    rotation: Literal["each", "chunks", "fixed"] = "each",
    seed: int = 0,
    float64: Flag = False,
    resume: Flag = False,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Project the images of MNIST onto the sphere, rotate them, and encode them as spherical holograms.

    Each image is projected stereographically onto the lower hemisphere of a Driscoll-Healy grid. Exit
    status: 0, all images are encoded; 1, nothing useful came out; 2, wrong usage.

    Parameters
    ----------
    folder
        Folder of MNIST's idx files, also with .gz.
    out
        HDF5 file for the holograms, one row per image; it is replaced unless --resume is given.
    part
        The training images or the test images.
    lmax
        Highest degree l, less than the bandwidth.
    bandwidth
        Bandwidth b of the grid, which has 2b × 2b samples.
    rotation
        How the images are rotated. each: every image at random; chunks: ten consecutive images alike, as in the
        published data set; fixed: all alike (NR).
    seed
        Seed of the random rotations.
    float64
        Write the coefficients in double precision.
    resume
        Continue an unfinished output with the same inputs.
    """
    import numpy as np

    from holo_features.encoding.files import FileRows, write_rows
    from holo_features.spheres.idx import read_mnist
    from holo_features.spheres.images import encode_images

    mnist = read_mnist(folder)
    chosen = mnist.train if part == "train" else mnist.test
    dtype = np.float64 if float64 else np.float32

    def encode(written: "Written") -> "Iterator[FileRows]":
        for rows in encode_images(
            chosen.images,
            chosen.labels,
            lmax=lmax,
            bandwidth=bandwidth,
            rotation=rotation,
            seed=seed,
            start=written.rows,
            dtype=dtype,
        ):
            yield FileRows(folder, rows, steps=len(rows))

    settings = settings_of(
        "images", part=part, lmax=lmax, bandwidth=bandwidth, rotation=rotation, seed=seed, float64=float64
    )
    report = write_rows(
        encode,
        {folder: part},
        out,
        doing="encoding images",
        what="hologram",
        of_residues=False,
        settings=settings,
        resume=resume,
        steps=len(chosen.images),
    )
    return report.show(out)
