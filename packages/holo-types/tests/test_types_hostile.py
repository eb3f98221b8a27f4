"""HDF5 files that were made to do something else than be read: each is refused, and nothing of it is read."""

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import holo_types
from holo_types import Basis, FormatError, HoloError, Holograms, Index, NamedArrays
from holo_types.files import trial

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
        (resized(2**48), "fields/coefficients has 1 chunks of 4096 rows; they must hold its"),
        (
            made("index/image", "i8", chunks=(2**28,)),
            r"index/image has chunks of \[268435456\] values; they must be",
        ),
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


def test_chunks_are_whole_rows_of_a_bounded_size(tmp_path: Path) -> None:
    """A chunk wider than its dataset is unpacked whole, whatever little of it is read."""
    path = saved(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        made("fields/coefficients", "f8", maxshape=(None, None), chunks=(ROWS, 1 << 20))(file, path)
    with pytest.raises(
        FormatError, match=r"fields/coefficients has chunks of \[6, 1048576\] values; they must be"
    ):
        holo_types.load(path)
    with h5py.File(path, "r+") as file:
        made("fields/coefficients", "f8", chunks=(ROWS, 2))(file, path)
    with pytest.raises(FormatError, match=r"chunks of \[6, 2\] values; they must be whole rows \[4\]"):
        holo_types.load(path)


def test_rows_that_are_in_no_chunk_are_not_counted_as_there(tmp_path: Path) -> None:
    """Bytes of the file that belong to no chunk, and holes of a sparse file, hold no rows."""
    path = saved(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        resized(10_000)(file, path)
    with path.open("ab") as file:
        file.write(bytes(1 << 20))
        file.truncate(1 << 40)
    with pytest.raises(
        FormatError, match=r"fields/coefficients has 1 chunks of 4096 rows; they must hold its 10000"
    ):
        holo_types.load(path)


def test_chunks_that_are_one_chunk_many_times_are_refused(tmp_path: Path) -> None:
    path, size = tmp_path / "a.h5", 4096
    values = np.zeros(64 * size)
    values[size : 2 * size] = np.random.default_rng(0).random(size)
    holo_types.save(NamedArrays("Numbers", {"a": values}, {}), path)
    with h5py.File(path) as file:
        chunk = file["fields/a"].id
        assert file["fields/a"].chunks == (size,)
        places = [chunk.get_chunk_info(number) for number in range(chunk.get_num_chunks())]

    def entry(number: int, which: int) -> bytes:  # of the tree of chunks: size, mask, start, address
        place = places[which]
        return struct.pack("<IIQQQ", place.size, place.filter_mask, number * size, 0, place.byte_offset)

    content = path.read_bytes()
    for number in range(2, 64):
        assert content.count(entry(number, number)) == 1
        content = content.replace(entry(number, number), entry(number, 1))
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"its datasets claim \d+ bytes of the file, which has \d+"):
        holo_types.load(path)


def test_zeros_without_end_are_read_in_pieces_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, rows = tmp_path / "a.h5", 1 << 14
    zeros = Holograms(np.zeros((rows, 4)), BASIS, {"image": np.zeros(rows, int)})
    holo_types.save(zeros, path)
    monkeypatch.setenv("HOLO_MAX_BYTES", "300000")
    with holo_types.open(path) as reader:
        assert holo_types.concatenate(list(reader.chunks(4096))) == zeros
        with pytest.raises(
            FormatError, match=r"a\.h5: its \d+ bytes of chunks unpack to 655360 bytes; at most 300000"
        ):
            reader.read()
        with pytest.raises(FormatError, match="unpack to 524288 bytes"):
            reader.field("coefficients", slice(None))
    holo_types.save(NamedArrays("Zeros", {"a": np.zeros(1 << 16)}, {}), path)
    with pytest.raises(FormatError, match="unpack to 524288 bytes"):
        holo_types.load(path)
    numbers = NamedArrays("Numbers", {"a": np.random.default_rng(0).random(1 << 16)}, {})
    holo_types.save(numbers, path)
    assert holo_types.load(path) == numbers  # a large file is read whole


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        (np.zeros(0, np.int64), r"its offsets are int64 \[0\]; they must be int64, one more"),
        (np.array([0, 2, np.inf]), r"its offsets are float64 \[3\]"),
        (np.array([0, np.nan, 5]), r"its offsets are float64 \[3\]"),
        (np.array([0, 2**64 - 5, 5], np.uint64), r"its offsets are uint64 \[3\]"),
        (np.array([[0], [2], [5]]), r"its offsets are int64 \[3, 1\]"),
        (np.array(["0", "2", "5"], object), r"its offsets are text \[3\]"),
        (np.array([0, 2**33, 5]), "its offsets must ascend from 0 to its 5 points"),
        (np.array([0, 6, 5]), "its offsets must ascend from 0 to its 5 points"),
        (np.array([-3, 2, 5]), "its offsets must ascend from 0 to its 5 points"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_offsets_of_clouds_that_lead_elsewhere_are_refused(
    offsets: np.ndarray, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.h5"
    clouds = holo_types.PointClouds(np.ones((5, 3)), np.ones((5, 1)), np.array([0, 2, 5]), ("C",))
    holo_types.save(clouds, path)
    with h5py.File(path, "r+") as file:
        datasets = json.loads(file.attrs["datasets"])
        del file["fields/offsets"]
        made_of = {"maxshape": (None, *offsets.shape[1:]), "chunks": (4, *offsets.shape[1:])}
        file.create_dataset("fields/offsets", data=offsets, shuffle=True, compression="gzip", **made_of)
        text = (
            "".join(f"{each}\0" for each in offsets.tolist()).encode() if offsets.dtype == object else offsets
        )
        file["checksums"][0, datasets.index("fields/offsets")] = zlib.crc32(
            text, zlib.crc32(b"fields/offsets 0")
        )
    for rows in (slice(None), slice(0, 1), np.array([0]), np.array([0, 1])):
        with pytest.raises(FormatError, match=message), holo_types.open(path) as reader:
            reader[rows]


def test_truth_values_are_0_or_1(tmp_path: Path) -> None:
    """Of other bytes, numpy computes other numbers of true ones than it finds."""
    path = tmp_path / "a.h5"
    holo_types.save(NamedArrays("Truths", {"a": np.array([True, False])}, {}), path)
    values = np.array([7, 0], np.uint8)
    with h5py.File(path, "r+") as file:
        stored = np.zeros(file["fields/a"].chunks, np.uint8)
        stored[:2] = values
        file["fields/a"].id.write_direct_chunk((0,), zlib.compress(stored))
        file["checksums"][0, 0] = zlib.crc32(values, zlib.crc32(b"fields/a 0"))
    with pytest.raises(FormatError, match=r"a\.h5: fields/a holds truth values that are neither 0 nor 1"):
        holo_types.load(path)


def test_of_a_file_only_the_groups_of_the_schema_are_visited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        for number in range(100):
            file.create_group(f"more/{number}")
    with h5py.File(path) as file:
        visited = [dataset.name for dataset in trial._datasets(file)]
        listed: list[str | None] = []
        monkeypatch.setattr(trial, "member_names", lambda _, name=None: listed.append(name) or ["more"])
        assert list(trial._datasets(file)) == []
    assert listed == [None]
    assert visited == ["/checksums", "/fields/coefficients", "/index/image", "/index/name"]
    assert len(holo_types.load(path)) == ROWS
