"""Reading of idx files: their content, and their errors."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from holo_features.spheres.idx import read_idx, read_mnist
from holo_types import FormatError

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def content(array, code=None):
    header = struct.pack(">BBBB", 0, 0, CODES[array.dtype.str[1:]] if code is None else code, array.ndim)
    return (
        header
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


IMAGES = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)


def refuse(path, match):
    with pytest.raises(FormatError, match=match) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("shape", [(6,), (2, 3), (1, 2, 3), (0, 28, 28)])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_reads_every_type(tmp_path, kind, shape, suffix):
    array = np.arange(np.prod(shape)).reshape(shape).astype(kind) - (3 if kind != "u1" else 0)
    path = tmp_path / f"array{suffix}"
    path.write_bytes(gzip.compress(content(array)) if suffix else content(array))
    value = read_idx(path)
    assert value.dtype == np.dtype(kind)
    np.testing.assert_array_equal(value, array)


@pytest.mark.parametrize(
    ("damaged", "match"),
    [
        (b"", "is empty"),
        (content(IMAGES)[:3], "no idx file"),
        (b"PK\x03\x04" + bytes(40), "begins with 50 4b 03 04"),
        (content(IMAGES, code=0x0A), "no idx file"),
        (content(IMAGES)[:9], "its header of 3 dimensions is not whole"),
        (struct.pack(">BBBB", 0, 0, 8, 0), "its header of 0 dimensions"),
        (content(IMAGES)[:-1], r"\[5, 4, 3\] of 60 bytes is not in it|has 60 bytes; the file has 59"),
        (content(IMAGES) + b"\0", "has 60 bytes; the file has more"),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1) + bytes(99), "is not in it"),
        (struct.pack(">BBBB200I", 0, 0, 8, 200, *[2**32 - 1] * 200), "is not in it"),
        (struct.pack(">BBBB200I", 0, 0, 8, 200, *[1] * 200) + b"\0", "200 dimensions cannot be read"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_refuses_what_is_no_idx_file(tmp_path, damaged, match, zipped):
    path = tmp_path / "damaged"
    path.write_bytes(gzip.compress(damaged) if zipped else damaged)
    refuse(path, match)


def test_refuses_damaged_gzip_data(tmp_path):
    path = tmp_path / "damaged.gz"
    path.write_bytes(gzip.compress(content(IMAGES))[:-12])
    refuse(path, "damaged or truncated")
    path.write_bytes(b"\x1f\x8b" + bytes(30))
    refuse(path, "damaged or truncated gzip data")


def test_refuses_a_path_without_a_file(tmp_path):
    refuse(tmp_path / "no", "does not exist")
    refuse(tmp_path, "is a folder")


@pytest.mark.parametrize("zipped", [False, True])
def test_a_header_takes_no_memory(tmp_path, zipped):
    # 4 GB are promised, in a file that could hold them if it were zipped, and does not.
    promised = struct.pack(">BBBB2I", 0, 0, 8, 2, 2**16, 2**16) + np.random.default_rng(0).bytes(5 << 20)
    path = tmp_path / "large"
    path.write_bytes(gzip.compress(promised, 1) if zipped else promised)
    tracemalloc.start()
    refuse(path, "4294967296 bytes")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * len(promised)


@given(st.integers(0, len(content(IMAGES)) - 1), st.integers(0, 255), st.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_byte_is_refused_or_changes_the_array(tmp_path, place, byte, zipped):
    changed = bytearray(content(IMAGES))
    changed[place] = byte
    path = tmp_path / "changed"
    path.write_bytes(gzip.compress(bytes(changed)) if zipped else changed)
    try:
        value = read_idx(path)
    except FormatError as error:
        assert str(path) in str(error)  # noqa: PT017
        return
    assert content(value) == bytes(changed)


# --- the four files ----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    for part, count in (("train", 5), ("t10k", 3)):
        images = gzip.compress(content(IMAGES[:count]))
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(images)
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(content(np.arange(count, dtype=np.uint8)))
    return tmp_path


def test_reads_the_four_files(folder):
    mnist = read_mnist(folder)
    assert (len(mnist.train), len(mnist.test)) == (5, 3)
    np.testing.assert_array_equal(mnist.train.images, IMAGES)
    assert mnist.test.labels.tolist() == [0, 1, 2]


def test_names_a_file_that_is_missing(folder):
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(
        FormatError, match=r"there is no t10k-labels-idx1-ubyte, nor t10k-labels-idx1-ubyte\.gz"
    ):
        read_mnist(folder)


def test_refuses_numbers_that_differ(folder):
    (folder / "train-labels-idx1-ubyte").write_bytes(content(np.arange(4, dtype=np.uint8)))
    with pytest.raises(FormatError, match=r"train-labels.* it has 4 labels; it must have 5"):
        read_mnist(folder)


def test_refuses_labels_for_images(folder):
    (folder / "train-images-idx3-ubyte.gz").write_bytes(content(np.arange(5, dtype=np.uint8)))
    with pytest.raises(
        FormatError, match=r"train-images.* it has uint8 \[5\]; it must have uint8 of 3 dimensions"
    ):
        read_mnist(folder)
