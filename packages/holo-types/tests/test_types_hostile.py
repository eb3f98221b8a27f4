"""HDF5 files that were made to do something else than be read: each is refused, and nothing of it is read."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import holo_types
from holo_types import Basis, FormatError, HoloError, Holograms, Index, NamedArrays

BASIS = Basis(lmax=1, radial=None, channels=("image",))
ROWS = 6
SECRET = "another file's text " * 20


def saved(path: Path) -> Path:
    index = {"image": range(ROWS), "name": ["one"] * ROWS}
    holo_types.save(Holograms(np.ones((ROWS, 4)), BASIS, index), path)
    return path


def external(file: h5py.File, secret: Path) -> None:
    del file["index/image"]
    where = [(str(secret), 0, h5py.h5f.UNLIMITED)]
    file.create_dataset("index/image", shape=(ROWS,), dtype="i8", external=where)


def virtual(file: h5py.File, secret: Path) -> None:
    layout = h5py.VirtualLayout(shape=(ROWS, 4), dtype="f8")
    layout[:] = h5py.VirtualSource(str(secret), "fields/coefficients", shape=(ROWS, 4))
    del file["fields/coefficients"]
    file.create_virtual_dataset("fields/coefficients", layout)


def linked_dataset(file: h5py.File, secret: Path) -> None:
    del file["index/image"]
    file["index/image"] = h5py.ExternalLink(str(secret), "index/image")


def linked_group(file: h5py.File, secret: Path) -> None:
    del file["index"]
    file["index"] = h5py.ExternalLink(str(secret), "index")


def linked_checksums(file: h5py.File, secret: Path) -> None:
    del file["checksums"]
    file["checksums"] = h5py.ExternalLink(str(secret), "checksums")


def soft(file: h5py.File, _: Path) -> None:
    file.move("index/image", "elsewhere")
    file["index/image"] = h5py.SoftLink("/elsewhere")


def in_one_piece(file: h5py.File, _: Path) -> None:
    del file["index/image"]
    file["index/image"] = np.arange(ROWS)


def made(name: str, dtype: object, **how: object) -> Callable[[h5py.File, Path], None]:
    """Replace a dataset by another one."""

    def change(file: h5py.File, _: Path) -> None:
        old = file[name]
        shape, maxshape, chunks = old.shape, old.maxshape, old.chunks
        del file[name]
        wanted = {
            "shape": shape,
            "maxshape": maxshape,
            "chunks": chunks,
            "shuffle": True,
            "compression": "gzip",
        }
        file.create_dataset(name, dtype=dtype, **{**wanted, **how})

    return change


def resized(rows: int) -> Callable[[h5py.File, Path], None]:
    def change(file: h5py.File, _: Path) -> None:
        for name in ("fields/coefficients", "index/image", "index/name"):
            file[name].resize(rows, axis=0)

    return change


def twice_deflated(file: h5py.File, _: Path) -> None:
    how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    how.set_chunk((ROWS,))
    how.set_shuffle()
    how.set_deflate(9)
    how.set_filter(h5py.h5z.FILTER_DEFLATE, 0, (9,))
    del file["index/image"]
    space = h5py.h5s.create_simple((ROWS,), (h5py.h5s.UNLIMITED,))
    h5py.h5d.create(file["index"].id, b"image", h5py.h5t.NATIVE_INT64, space, how)


def attribute(name: str, value: object) -> Callable[[h5py.File, Path], None]:
    return lambda file, _: file.attrs.__setitem__(name, value)


def many_attributes(file: h5py.File, _: Path) -> None:
    for number in range(40):
        file.attrs[f"note {number}"] = "x"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (external, "index/image is virtual, external or in one piece; it must be chunks of this file"),
        (virtual, "fields/coefficients is virtual, external or in one piece"),
        (linked_dataset, "index/image is a link to elsewhere; it must lie in the file itself"),
        (linked_group, "index is a link to elsewhere"),
        (linked_checksums, "checksums is a link to elsewhere"),
        (soft, "index/image is a link to elsewhere"),
        (in_one_piece, "index/image is virtual, external or in one piece"),
        (made("index/image", "i8", compression="lzf"), r"index/image has the HDF5 filters \(2, 32000\)"),
        (made("index/image", "i8", shuffle=None), r"index/image has the HDF5 filters \(1,\)"),
        (made("index/image", "i8", fletcher32=True), r"index/image has the HDF5 filters \(2, 1, 3\)"),
        (made("index/image", "i8", scaleoffset=0, shuffle=None), "index/image has the HDF5 filters"),
        (twice_deflated, r"index/image has the HDF5 filters \(2, 1, 1\)"),
        (
            made("index/image", [("a", "i4"), ("b", "i4")]),
            "index/image has an HDF5 type that Holo does not write",
        ),
        (made("index/image", h5py.ref_dtype), "index/image has an HDF5 type that Holo does not write"),
        (
            made("index/image", h5py.vlen_dtype(np.int64)),
            "index/image has an HDF5 type that Holo does not write",
        ),
        (made("index/name", "S8"), "index/name has an HDF5 type that Holo does not write"),
        (resized(2**48), "its datasets claim .* bytes; a file of .* bytes can hold .* at most"),
        (made("index/image", "i8", chunks=(2**28,)), "its datasets claim"),
        (attribute("note", np.arange(3)), "its attribute note must be one number, truth value or text"),
        (attribute("note", h5py.Empty("f8")), "its attribute note must be one number"),
        (many_attributes, "its root has .* attributes; it may have 32"),
    ],
)
def test_what_the_schema_does_not_write_is_not_read(
    change: Callable[[h5py.File, Path], None], message: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    path = saved(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        change(file, secret)
    with pytest.raises(FormatError, match=message) as caught:
        holo_types.load(path)
    assert "\n" not in str(caught.value)


def test_values_of_another_holo_file_are_not_read_through_a_link(tmp_path: Path) -> None:
    other = saved(tmp_path / "other.h5")
    path = saved(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        linked_dataset(file, other)
    with (
        pytest.raises(FormatError, match="index/image is a link to elsewhere"),
        holo_types.open(path) as reader,
    ):
        reader.column("image")


def test_what_compresses_best_is_not_taken_for_a_claim(tmp_path: Path) -> None:
    """A file of zeros, which deflate makes as short as it can, still opens."""
    zeros = NamedArrays("Zeros", {"values": np.zeros((3, 1 << 20))}, {})
    holo_types.save(zeros, tmp_path / "zeros.h5")
    assert (tmp_path / "zeros.h5").stat().st_size < 60_000
    assert holo_types.load(tmp_path / "zeros.h5") == zeros


def test_one_long_text_among_many_short_ones_takes_no_memory() -> None:
    """Text that would take 400 GB in numpy, which gives every item the size of the longest, is refused."""
    texts = ["A"] * 1_000_000
    texts[7] = "B" * 100_000
    with pytest.raises(
        HoloError, match="holds 1000000 texts, of which one has 100000 characters; so many must be"
    ):
        NamedArrays("Names", {"name": np.array(texts, object)}, {})
    with pytest.raises(HoloError, match="of which one has 100000 characters"):
        Index({"name": np.array(texts, object)})
