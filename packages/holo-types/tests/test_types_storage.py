"""Holo's HDF5 files: to the bit and back, in slices, and what is refused."""

import contextlib
import inspect
import itertools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from hypothesis.extra import numpy as nps
from numpy.typing import NDArray

import holo_types
from holo_types import (
    Basis,
    Data,
    Embeddings,
    FormatError,
    HoloError,
    Holograms,
    Index,
    ModelReference,
    NamedArrays,
    PointClouds,
    PointColumns,
    Reader,
    SphereImages,
    Writer,
    Zernike,
)
from holo_types.files import datasets, schema

BASIS = Basis(lmax=1, radial=Zernike(nmax=2, cutoff=10.0), channels=("C", "N"))
MODEL = ModelReference("demo", "1", "0" * 64, BASIS.digest)

# beartype, which the tests switch on, checks an item picked at random.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")

# Strategies: any object that the constructors accept.

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
names = texts.filter(lambda name: name not in ("", ".") and "/" not in name)
channels = st.lists(texts.filter(bool), min_size=1, max_size=3, unique=True).map(tuple)


def floats(shape: tuple[int, ...], dtype: Any) -> st.SearchStrategy[NDArray[Any]]:
    """Draw every finite bit pattern: -0.0, subnormals and the largest numbers too."""
    width = np.dtype(dtype).itemsize * 8
    return nps.arrays(dtype, shape, elements=st.floats(width=width, allow_nan=False, allow_infinity=False))


def bits(shape: Any, dtype: Any) -> st.SearchStrategy[NDArray[Any]]:
    """Draw every bit pattern, with infinities and NaN of any payload."""
    whole = {4: np.uint32, 8: np.uint64}[np.dtype(dtype).itemsize]
    return nps.arrays(whole, shape).map(lambda numbers: numbers.view(dtype))


def columns(rows: int, *more: st.SearchStrategy[NDArray[Any]]) -> st.SearchStrategy[dict[str, NDArray[Any]]]:
    text = st.lists(texts, min_size=rows, max_size=rows).map(lambda v: np.array(v, dtype=np.str_))
    numbers = nps.arrays(np.int64, rows) | bits(rows, np.float32) | bits(rows, np.float64)
    return st.dictionaries(names, st.one_of(text, numbers, *more), max_size=3)


@st.composite
def indices(draw: st.DrawFn, rows: int) -> Index:
    return Index(draw(columns(rows)))


@st.composite
def objects(draw: st.DrawFn) -> Data:
    rows, dtype = draw(st.integers(0, 5)), draw(st.sampled_from([np.float32, np.float64]))
    index = draw(indices(rows))
    centers = draw(st.none() | floats((rows, 3), dtype))
    kind = draw(st.sampled_from([PointClouds, SphereImages, Holograms, Embeddings]))
    if kind is PointClouds:
        sizes = draw(st.lists(st.integers(0, 3), min_size=rows, max_size=rows))
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        named = draw(channels)
        coordinates = draw(floats((int(offsets[-1]), 3), dtype))
        points = int(offsets[-1])
        return PointClouds(
            coordinates,
            draw(floats((points, len(named)), dtype)),
            offsets,
            named,
            index,
            centers=centers,
            point_columns=draw(columns(points, nps.arrays(np.bool_, points))),
        )
    if kind is SphereImages:
        named, b = draw(channels), draw(st.integers(1, 2))
        grid, shape = draw(
            st.sampled_from([("driscoll-healy", (2 * b, 2 * b)), ("gauss-legendre", (b, 2 * b - 1))])
        )
        return SphereImages(draw(floats((rows, len(named), *shape), dtype)), grid, named, index)
    if kind is Holograms:
        lmax = draw(st.integers(0, 2))
        cutoff = draw(st.floats(0, exclude_min=True, allow_infinity=False))
        basis = Basis(
            lmax=lmax,
            radial=draw(st.none() | st.builds(Zernike, st.integers(lmax, 4), st.just(cutoff))),
            channels=draw(channels),
        )
        return Holograms(draw(floats((rows, basis.dim), dtype)), basis, index, centers=centers)
    d = draw(st.integers(1, 3))
    model = ModelReference(draw(texts), draw(texts), draw(texts), draw(texts))
    return Embeddings(
        draw(floats((rows, d), dtype)),
        draw(floats((rows, 3, 3), np.float64)),
        model,
        index,
        log_variances=draw(st.none() | floats((rows, d), np.float32)),
        degenerate=draw(st.none() | nps.arrays(np.bool_, rows)),
        reconstruction_cosine_loss=draw(st.none() | floats((rows,), dtype)),
        centers=centers,
    )


def assert_same_bits(one: Data, other: Data) -> None:
    assert type(one) is type(other)
    for field in attrs.fields(type(one)):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()), field.name
        elif isinstance(a, Index | PointColumns):
            assert list(a) == list(b)
            for name in a:
                assert (a[name].dtype, a[name].tobytes()) == (b[name].dtype, b[name].tobytes())
        else:
            assert a == b


anything = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@anything
@given(data=objects())
def test_every_object_comes_back_to_the_bit(data: Data, tmp_path: Path) -> None:
    holo_types.save(data, tmp_path / "a.h5")
    assert_same_bits(holo_types.load(tmp_path / "a.h5", kind=type(data)), data)
    assert holo_types.load(tmp_path / "a.h5") == data


@anything
@given(data=objects(), chance=st.data())
def test_any_choice_of_rows_is_that_of_the_object(data: Data, chance: st.DataObject, tmp_path: Path) -> None:
    holo_types.save(data, tmp_path / "a.h5")
    n = len(data)
    numbers = st.lists(st.integers(-n, n - 1), max_size=6) if n else st.just([])
    choices = st.slices(n) | nps.arrays(np.bool_, n) | numbers.map(lambda v: np.array(v, dtype=np.int64))
    rows = chance.draw(choices)
    with holo_types.open(tmp_path / "a.h5") as reader:
        assert len(reader) == n
        assert_same_bits(reader[rows], data[rows])
        parts = list(reader.chunks(2))
        assert [len(part) for part in parts] == [len(data[i : i + 2]) for i in range(0, n, 2)]
        assert not parts or holo_types.concatenate(parts) == data


@anything
@given(data=objects(), cuts=st.lists(st.integers(0, 5), max_size=4))
def test_pieces_written_one_by_one_are_the_whole(data: Data, cuts: list[int], tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.unlink(missing_ok=True)
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, stop in itertools.pairwise(bounds):
        with Writer(path, resume=True) as writer:
            assert len(writer) == start
            writer.append(data[start:stop])
    assert_same_bits(holo_types.load(path), data)


def holograms(rows: int = 4, dtype: Any = np.float32, **index: Any) -> Holograms:
    values = np.arange(rows * BASIS.dim, dtype=dtype).reshape(rows, BASIS.dim)
    return Holograms(values, BASIS, index or {"chain": ["A"] * rows})


def test_rows_beyond_many_chunks(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(0, 40, 9000)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    clouds = PointClouds(
        rng.standard_normal((offsets[-1], 3)),
        rng.standard_normal((offsets[-1], 2)),
        offsets,
        ("C", "N"),
        {"row": np.arange(9000), "text": [f"é{i}" for i in range(9000)]},
    )
    holo_types.save(clouds, tmp_path / "a.h5")
    numbers = rng.integers(0, 9000, 50)
    with holo_types.open(tmp_path / "a.h5") as reader:
        assert_same_bits(reader[numbers], clouds[numbers])
        assert_same_bits(reader[4090:8200], clouds[4090:8200])
        assert_same_bits(reader[::-977], clouds[::-977])
        assert reader.channels == ("C", "N")


def test_what_a_reader_says(tmp_path: Path) -> None:
    holo_types.save(holograms(), tmp_path / "a.h5")
    with holo_types.open(tmp_path / "a.h5") as reader:
        assert isinstance(reader, Reader)
        assert (reader.kind, reader.complete, reader.basis, reader.channels) == (
            "Holograms",
            True,
            BASIS,
            ("C", "N"),
        )
        assert reader.index == holograms().index
        for name in ("model", "grid"):
            with pytest.raises(HoloError, match=f"a.h5: holds Holograms, which have no {name}"):
                getattr(reader, name)
        with pytest.raises(HoloError, match="rows are 3; they must be a slice"):
            inspect.unwrap(Reader.__getitem__)(reader, 3)  # without the type checker of the tests
        with pytest.raises(IndexError):
            reader[np.array([4])]


def test_a_header_may_be_long(tmp_path: Path) -> None:
    """HDF5 keeps at most 64 KiB of attributes beside each other."""
    named = tuple(f"channel {i}" for i in range(10_000))
    images = SphereImages(np.zeros((1, len(named), 1, 1)), "gauss-legendre", named)
    holo_types.save(images, tmp_path / "a.h5")
    assert holo_types.load(tmp_path / "a.h5") == images


def test_the_file_is_chunked_and_compressed(tmp_path: Path) -> None:
    holo_types.save(holograms(10_000), tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        for dataset in (file["fields/coefficients"], file["index/chain"]):
            assert dataset.compression == "gzip"
            assert dataset.chunks[0] < len(dataset) == 10_000
    assert (tmp_path / "a.h5").stat().st_size < holograms(10_000).coefficients.nbytes  # without the texts


# Writers


def test_an_interrupted_run_is_continued_or_named(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with contextlib.suppress(ZeroDivisionError), Writer(path) as writer:
        writer.append(holograms())
        _ = 1 / 0
    with holo_types.open(path) as reader:
        assert (len(reader), reader.complete) == (4, False)
    with pytest.raises(
        HoloError, match=r"a\.h5: holds 4 rows of an interrupted run; .*resume=True.*--resume"
    ):
        Writer(path)
    with Writer(path, resume=True) as writer:
        assert writer.index == holograms().index
        writer.append(holograms())
        assert len(writer) == 8
    with holo_types.open(path) as reader:
        assert (len(reader), reader.complete) == (8, True)
    with pytest.raises(HoloError, match="the writer is closed"):
        writer.append(holograms())


def test_a_complete_file_stays_until_its_successor_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    holo_types.save(holograms(), path)
    with Writer(path):
        pass
    assert len(holo_types.load(path)) == 4
    with Writer(path) as writer:
        writer.append(holograms(7))
        assert len(holo_types.load(path)) == 4
    assert len(holo_types.load(path)) == 7
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_without_rows_leaves_nothing(tmp_path: Path) -> None:
    with Writer(tmp_path / "a.h5", resume=True) as writer:
        assert len(writer) == len(writer.index) == 0
    assert not list(tmp_path.iterdir())


def test_what_was_appended_may_be_changed_afterwards(tmp_path: Path) -> None:
    rows = holograms()
    with Writer(tmp_path / "a.h5") as writer:
        writer.append(rows)
        rows.coefficients[:] = -1
    assert holo_types.load(tmp_path / "a.h5") == holograms()


OTHER = Basis(lmax=1, radial=Zernike(nmax=2, cutoff=9.0), channels=("C", "N"))
EMBEDDINGS = Embeddings(np.zeros((4, 2)), np.zeros((4, 3, 3)), MODEL, degenerate=np.zeros(4, bool))


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (holograms(), EMBEDDINGS, "it is Embeddings; it must be Holograms"),
        (
            holograms(),
            Holograms(holograms().coefficients, OTHER, holograms().index),
            "its basis is .*cutoff 9 Å",
        ),
        (holograms(), holograms(dtype=np.float64), "its coefficients is float64 .*; it must be float32"),
        (holograms(), holograms(chain=[1] * 4), "its index has the columns {'chain': 'int64'}"),
        (holograms(), holograms(residue=[1] * 4), "its index has the columns {'residue': 'int64'}"),
        (EMBEDDINGS, attrs.evolve(EMBEDDINGS, degenerate=None), "its degenerate is absent; it must be bool"),
        (EMBEDDINGS, attrs.evolve(EMBEDDINGS, model=attrs.evolve(MODEL, version="2")), "its model is .*'2'"),
        (EMBEDDINGS, attrs.evolve(EMBEDDINGS, invariants=np.zeros((4, 3))), r"float64 \[n, 3\]; it must be"),
    ],
)
@pytest.mark.parametrize("resume", [False, True])
def test_rows_of_another_kind_are_not_appended(
    first: Data, second: Data, message: str, resume: bool, tmp_path: Path
) -> None:
    path = tmp_path / "a.h5"
    writer = Writer(path)
    writer.append(first)
    if resume:
        writer.close()
        writer = Writer(path, resume=True)
    with pytest.raises(HoloError, match=rf"a\.h5: what is appended does not fit what is there: .*{message}"):
        writer.append(second)
    writer.close()
    assert holo_types.load(path) == first


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not to be lost")
    with pytest.raises(HoloError, match=r"notes\.txt: is not an HDF5 file and will not be replaced"):
        Writer(tmp_path / "notes.txt")
    with pytest.raises(HoloError, match=r"there is no folder"):
        Writer(tmp_path / "absent" / "a.h5")
    with pytest.raises(HoloError, match=r"a\.h5: cannot be written"):
        holo_types.save(holograms(), tmp_path / "absent" / "a.h5")
    for write in (Writer, lambda path: holo_types.save(holograms(), path)):
        with pytest.raises(HoloError, match="cannot be written: it is a folder"):
            write(tmp_path)
    with pytest.raises(HoloError, match=r"a\.h5: cannot hold a ndarray; it must be one of PointClouds"):
        inspect.unwrap(holo_types.save)(
            np.zeros(3), tmp_path / "a.h5"
        )  # without the type checker of the tests
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    holo_types.save(holograms(), tmp_path / "there" / "a.h5")
    link = tmp_path / "link.h5"
    try:
        link.symlink_to(tmp_path / "there" / "a.h5")
    except OSError:
        pytest.skip("this system makes no links")
    holo_types.save(holograms(9), link)
    assert link.is_symlink()
    assert len(holo_types.load(tmp_path / "there" / "a.h5")) == 9


# Files that are refused


def rewrite(change: Callable[[h5py.File], None]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            change(file)

    return damage


def without(name: str) -> Callable[[Path], None]:
    return rewrite(lambda file: file.__delitem__(name))


def attribute(name: str, value: object) -> Callable[[Path], None]:
    """Set an attribute and seal the header again, as if a writer had written it."""

    def change(file: h5py.File) -> None:
        file.attrs[name] = value
        schema.mark(file, complete=True)

    return rewrite(change)


def no_attribute(name: str) -> Callable[[Path], None]:
    return rewrite(lambda file: file.attrs.__delitem__(name))


def header(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def rewrite_header(file: h5py.File) -> None:
        plain = json.loads(file.attrs["header"])
        change(plain)
        file.attrs["header"] = json.dumps(plain)
        schema.mark(file, complete=True)

    return rewrite(rewrite_header)


def cut(share: float) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)]) and None


def scrambled(path: Path) -> None:
    with h5py.File(path) as file:
        where = file["fields/coefficients"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[where.byte_offset + 20 : where.byte_offset + where.size] = b"\x55" * (where.size - 20)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (Path.unlink, "there is no such file; it must be a Holo HDF5 file"),
        (lambda path: (path.unlink(), path.mkdir()), "is a folder; it must be"),
        (lambda path: path.write_bytes(b""), "is empty; it must be"),
        (lambda path: path.write_text("ATOM      1  N   MET"), "is not HDF5; it must be"),
        (cut(0.5), "is cut short or damaged"),
        (cut(0.99), "is cut short or damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:100]), "is cut short or damaged"),
        (scrambled, "is cut short or damaged"),
        (no_attribute("format"), "is HDF5, but not written by Holo"),
        (attribute("schema_version", 3), "has schema version 3; holo-types .* reads versions 1 and 2"),
        (attribute("schema_version", 0), "has schema version 0; holo-types .* reads versions 1 and 2"),
        (no_attribute("schema_version"), "has schema version None; holo-types .* reads versions 1 and 2"),
        (
            rewrite(lambda f: f.attrs.__setitem__("kind", "Movies")),
            "its header does not match its header_digest",
        ),
        (
            rewrite(lambda f: f.attrs.__setitem__("complete", False)),
            "its header does not match its header_digest",
        ),
        (
            rewrite(lambda f: f.attrs.__setitem__("settings", "{}")),
            "its header does not match its header_digest",
        ),
        (no_attribute("header_digest"), "is cut short or damaged .*header_digest"),
        (without("checksums"), "lacks checksums of its 2 datasets"),
        (attribute("header", "{"), "is cut short or damaged"),
        (attribute("basis_digest", "0" * 64), "its basis does not match its basis_digest"),
        (header(lambda plain: plain["basis"].update(lmax=2)), "its basis does not match its basis_digest"),
        (header(lambda plain: plain["basis"].update(lmax=-1)), "Basis.lmax is -1"),
        (header(lambda plain: plain["basis"].update(color=1)), "does not describe a basis"),
        (header(lambda plain: plain.clear()), "is cut short or damaged .*basis"),
        (without("fields/coefficients"), "holds Holograms, but lacks fields/coefficients"),
        (without("index/chain"), "holds Holograms, but lacks index/chain"),
        (without("index"), "holds Holograms, but lacks index/chain"),
        (without("fields"), "holds Holograms, but lacks fields/coefficients"),
        (
            rewrite(lambda f: f["index/chain"].resize(3, 0)),
            "must have one number of rows; .*'index/chain': 3",
        ),
        (
            rewrite(lambda f: f["fields/coefficients"].__setitem__((2, 0), np.nan)),
            "rows 0 to 199 of fields/coefficients do not match their checksum; the file is damaged or was changed",
        ),
        (
            rewrite(lambda f: f["index/chain"].__setitem__(199, "B")),
            "rows 0 to 199 of index/chain do not match their checksum",
        ),
        (
            rewrite(lambda f: f["checksums"].__setitem__((0, 0), 1)),
            "rows 0 to 199 of fields/coefficients do not match their checksum",
        ),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_named(
    damage: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.h5"
    holo_types.save(holograms(200), path)
    damage(path)
    with pytest.raises(FormatError, match=rf"a\.h5: .*{message}") as caught:
        holo_types.load(path)
    assert "\n" not in str(caught.value)


def test_clouds_whose_points_and_offsets_disagree(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    clouds = PointClouds(np.zeros((3, 3)), np.zeros((3, 1)), np.array([0, 1, 3]), ("C",))
    holo_types.save(clouds, path)
    rewrite(lambda file: file["fields/weights"].resize(2, 0))(path)
    with pytest.raises(FormatError, match=r"a\.h5: its coordinates, weights and .* must have 3 rows"):
        holo_types.load(path)
    holo_types.save(clouds, path)
    rewrite(lambda file: file["fields/offsets"].__setitem__(1, 9))(path)
    with pytest.raises(
        FormatError, match=r"a\.h5: rows 0 to 2 of fields/offsets do not match their checksum"
    ):
        holo_types.load(path)


def test_a_file_that_changes_under_a_reader_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    holo_types.save(holograms(), path)
    with holo_types.open(path) as reader:
        with Writer(path, resume=True) as writer:
            writer.append(holograms())
        with pytest.raises(FormatError, match=r"a\.h5: was written to after it was opened; open it again"):
            reader[:2]


@pytest.mark.skipif(os.name != "posix", reason="Windows does not replace a file that is open")
def test_a_replaced_file_stays_as_it_was_for_who_has_it_open(tmp_path: Path) -> None:
    holo_types.save(holograms(), tmp_path / "a.h5")
    with holo_types.open(tmp_path / "a.h5") as reader:
        holo_types.save(holograms(1), tmp_path / "a.h5")
        assert reader[:] == holograms()


# Schema versions


CONTRACT = Path(__file__).with_name("contract")


def recipe() -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile((CONTRACT / "make.py").read_text("utf-8"), "make.py", "exec"), names)
    return names


@pytest.mark.skipif(sys.byteorder != "little", reason="compares with stored bits")
@pytest.mark.parametrize("kind", ["PointClouds", "SphereImages", "Holograms", "Embeddings"])
def test_files_of_schema_version_1_stay_readable(kind: str, tmp_path: Path) -> None:
    path = CONTRACT / "schema1" / f"{kind}.h5"
    example = recipe()["EXAMPLES_OF_VERSION_1"][kind]
    assert_same_bits(holo_types.load(path), example)
    with holo_types.open(path) as reader:
        assert (reader.schema_version, reader.index) == (1, example.index)
        assert_same_bits(reader[1:], example[1:])
        assert_same_bits(reader[np.array([2, 0])], example[np.array([2, 0])])
    copy = tmp_path / "a.h5"
    copy.write_bytes(path.read_bytes())
    with pytest.raises(
        FormatError, match=r"a\.h5: has schema version 1, which is read but not continued; load it"
    ):
        Writer(copy, resume=True)
    holo_types.save(holo_types.load(copy), copy)
    with Writer(copy, resume=True) as writer:
        writer.append(example)
    assert_same_bits(holo_types.load(copy), holo_types.concatenate([example, example]))


def test_what_an_interrupted_run_left_in_version_1_stays_readable() -> None:
    with holo_types.open(CONTRACT / "schema1" / "interrupted.h5") as reader:
        assert (reader.complete, reader.settings, reader.columns) == (
            False,
            {"waters": "False"},
            ("image", "label"),
        )
        rows = reader[:]
    assert isinstance(rows, Holograms)
    np.testing.assert_array_equal(
        rows.coefficients, np.repeat(np.arange(3, dtype=np.float32), 2)[:, None] * np.ones(4)
    )
    assert rows.index == Index({"image": range(6), "label": ["a", "β"] * 3})


def test_the_former_name_of_the_loss_is_read() -> None:
    path = CONTRACT / "schema1" / "Embeddings.h5"
    loss = recipe()["EXAMPLES_OF_VERSION_1"]["Embeddings"].reconstruction_cosine_loss
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["fields/reconstruction_cosine"], loss)
    with holo_types.open(path) as reader:
        np.testing.assert_array_equal(reader.field("reconstruction_cosine_loss", slice(0, 3)), loss)
        np.testing.assert_array_equal(reader[:].reconstruction_cosine, loss)


@pytest.mark.skipif(sys.byteorder != "little", reason="compares with stored bits")
@pytest.mark.parametrize("kind", ["PointClouds", "SphereImages", "Holograms", "Embeddings", "VectorIndex"])
def test_files_of_schema_version_2_stay_readable(kind: str) -> None:
    example = recipe()["EXAMPLES"][kind]
    loaded = holo_types.load(CONTRACT / "schema2" / f"{kind}.h5")
    if isinstance(example, NamedArrays):
        assert loaded == example
    else:
        assert_same_bits(loaded, example)


def test_a_checksum_is_what_the_schema_says() -> None:
    """Compute checksums in another way: HDF5's own values, numpy's bytes and the division that defines CRC-32."""
    with h5py.File(CONTRACT / "schema2" / "Holograms.h5") as file:
        paths = json.loads(file.attrs["datasets"])
        for column, path in enumerate(paths):
            values = file[path][:]
            content = b"".join(v + b"\0" for v in values) if values.dtype.kind == "O" else values.tobytes()
            assert file["checksums"][0, column] == crc32(f"{path} 0".encode() + content), path


def crc32(content: bytes) -> int:
    register = 0xFFFFFFFF
    for byte in content:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xEDB88320 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def test_a_new_schema_version_comes_with_contract_files_of_its_own() -> None:
    folders = {path.name for path in CONTRACT.iterdir() if path.is_dir()}
    assert {f"schema{version}" for version in range(1, holo_types.SCHEMA_VERSION + 1)} <= folders


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_what_is_no_regular_file_is_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(HoloError, match="not a regular file"):
        holo_types.save(Holograms(np.ones((1, BASIS.dim)), BASIS), pipe)
    assert pipe.is_fifo()


def test_a_file_is_continued_with_the_settings_it_was_begun_with(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with holo_types.Writer(path, settings={"waters": "False", "seed": "0"}) as writer:
        writer.append(holograms(3))
    with holo_types.open(path) as reader:
        assert reader.settings == {"waters": "False", "seed": "0"}
    with pytest.raises(HoloError, match=r"a\.h5: .* other options: waters was False, and is now True; "):
        holo_types.Writer(path, resume=True, settings={"waters": "True", "seed": "0"})
    with pytest.raises(HoloError, match="seed was 0, and is now None"):
        holo_types.Writer(path, resume=True, settings={"waters": "False"})
    for same in ({"waters": "False", "seed": "0"}, None):
        with holo_types.Writer(path, resume=True, settings=same) as writer:
            writer.append(holograms(3))
    with holo_types.open(path) as reader:
        assert (len(reader), reader.settings["waters"]) == (9, "False")


def test_one_field_is_read_alone(tmp_path: Path) -> None:
    saved = holograms(5)
    holo_types.save(saved, tmp_path / "a.h5")
    clouds = PointClouds(np.zeros((1, 3)), np.ones((1, 1)), np.array([0, 1]), ("C",))
    holo_types.save(clouds, tmp_path / "clouds.h5")
    with holo_types.open(tmp_path / "a.h5") as reader:
        for rows in (slice(1, 3), np.array([4, 0, 4]), np.arange(5) > 2):
            np.testing.assert_array_equal(reader.field("coefficients", rows), saved.coefficients[rows])
        with h5py.File(tmp_path / "a.h5") as file:
            assert reader.chunk_rows == file["fields/coefficients"].chunks[0]
        with pytest.raises(
            HoloError, match=r"a.h5: holds Holograms, .* \['coefficients'\] .* not of 'values'"
        ):
            reader.field("values", slice(0, 1))
    with holo_types.open(tmp_path / "clouds.h5") as reader, pytest.raises(HoloError, match="PointClouds"):
        reader.field("coordinates", slice(0, 1))


def test_one_column_is_read_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    holo_types.save(holograms(3), path)
    with holo_types.open(path) as reader:
        assert reader.settings == {}
        assert reader.columns == tuple(holograms(3).index)
        for name in reader.columns:
            np.testing.assert_array_equal(reader.column(name), holograms(3).index[name])
        with pytest.raises(HoloError, match=r"a\.h5: its index has no column 'absent'"):
            reader.column("absent")


# Checksums


def noted(path: Path) -> Callable[[Callable[[Path], object]], str]:
    """Return a function that damages a copy of a file, reads it, and returns how the damage was noticed."""
    whole = path.read_bytes()

    def damage(change: Callable[[Path], object]) -> str:
        path.write_bytes(whole)
        change(path)
        with pytest.raises(FormatError, match=r"a\.h5: ") as caught:
            holo_types.load(path)
        return str(caught.value)

    return damage


def test_a_flipped_bit_of_a_value_is_noticed_wherever_it_is(tmp_path: Path) -> None:
    """Texts and integers are stored without any check by HDF5; a bit is flipped in the file itself."""
    path = tmp_path / "a.h5"
    rows = holograms(3, chain=["marked", "x", "y"], number=[1, 2, 3])
    holo_types.save(attrs.evolve(rows, centers=np.full((3, 3), 7.25)), path)
    damage = noted(path)
    text = path.read_bytes().index(b"marked")

    def flip(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[text] ^= 1
        path.write_bytes(content)

    assert "rows 0 to 2 of index/chain do not match their checksum" in damage(flip)
    for name, value in (("index/number", 4), ("fields/centers", 7.2500000001)):
        change = rewrite(lambda file, name=name, value=value: file[name].__setitem__(2, value))  # type: ignore[misc]
        assert f"of {name} do not match their checksum" in damage(change)


@pytest.mark.parametrize("kind", ["PointClouds", "SphereImages", "Holograms", "Embeddings", "VectorIndex"])
def test_no_flipped_bit_changes_a_value_unnoticed(kind: str, tmp_path: Path) -> None:
    """A bit flipped in chunks, texts or the header is refused by name, or changes nothing that is read."""
    stored = CONTRACT / "schema2" / f"{kind}.h5"
    whole, example, rng = stored.read_bytes(), recipe()["EXAMPLES"][kind], np.random.default_rng(0)
    places: list[int] = []
    with h5py.File(stored) as file:
        for name in json.loads(file.attrs["datasets"]):
            if len(file[name]):
                chunk = file[name].id.get_chunk_info(0)
                places += rng.integers(chunk.byte_offset, chunk.byte_offset + chunk.size, 6).tolist()
        for text in (file.attrs["header"], file.attrs["datasets"], file.attrs["header_digest"]):
            start = whole.index(text.encode())
            places += rng.integers(start, start + len(text), 6).tolist()
    if kind in ("PointClouds", "Holograms"):
        places += [whole.index(b"1abc"), whole.rindex("β".encode())]
    path, refused = tmp_path / "a.h5", 0
    for place in places:
        content = bytearray(whole)
        content[place] ^= 1 << rng.integers(8)
        path.write_bytes(content)
        try:
            loaded = holo_types.load(path)
        except FormatError:
            refused += 1
        else:
            assert loaded == example, place
    assert refused > 0.6 * len(places)  # by the rest gzip only says otherwise how it came by the same zeros


def test_a_chunk_in_the_place_of_another_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    size = datasets._CHUNK_ROWS
    holo_types.save(holograms(2 * size, number=np.arange(2 * size) % size), path)
    with h5py.File(path, "r+") as file:
        first, second = (file["index/number"].id.get_chunk_info(i) for i in (0, 1))
    content = bytearray(path.read_bytes())
    assert first.size == second.size
    parts = [content[each.byte_offset : each.byte_offset + each.size] for each in (first, second)]
    assert parts[0] == parts[1]  # the same rows twice, of which each knows its place
    holo_types.save(holograms(2 * size, number=np.arange(2 * size)), path)
    with h5py.File(path, "r+") as file:
        numbers = file["index/number"]
        numbers[:] = np.roll(numbers[:], size)
    with holo_types.open(path) as reader, pytest.raises(FormatError, match="rows 0 to 4095 of index/number"):
        reader[:1]


def test_only_what_is_read_is_compared_and_the_rest_stays_readable(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    rows = holograms(10_000, number=np.arange(10_000))
    with Writer(path) as writer:
        for start in range(0, 10_000, 3000):
            writer.append(rows[start : start + 3000])
            writer.commit()
    rewrite(lambda file: file["index/number"].__setitem__(5000, 1))(path)
    with holo_types.open(path) as reader:
        assert_same_bits(reader[:4096], rows[:4096])
        assert_same_bits(reader[np.array([9999, 0])], rows[np.array([9999, 0])])
        np.testing.assert_array_equal(reader.field("coefficients", slice(0, 10_000)), rows.coefficients)
        for read in (
            lambda: reader[4000:4200],
            lambda: reader[np.array([6000])],
            lambda: reader.column("number"),
        ):
            with pytest.raises(FormatError, match="rows 4096 to 8191 of index/number do not match"):
                read()


def test_damage_is_not_sealed_by_the_rows_that_follow_it(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with Writer(path) as writer:
        writer.append(holograms(5))
    rewrite(lambda file: file["index/chain"].__setitem__(1, "B"))(path)
    rewrite(lambda file: file["fields/coefficients"].__setitem__((1, 0), 99))(path)
    with Writer(path, resume=True) as writer:
        writer.append(holograms(5))
    with holo_types.open(path) as reader:
        for read in (lambda: reader.column("chain"), lambda: reader.field("coefficients", slice(7, 8))):
            with pytest.raises(FormatError, match=r"rows 0 to 9 of .* do not match their checksum"):
                read()


# Named arrays


def test_named_arrays_come_back_to_the_bit(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    rng = np.random.default_rng(0)
    arrays = {
        "vectors": rng.standard_normal((100_000, 30)).astype(np.float32),
        "codes": rng.integers(0, 255, (5, 7, 2), np.uint8),
        "big": np.array([2**64 - 1], np.uint64),
        "flags": np.array([True, False]),
        "missing": np.array([np.nan, -0.0]),
        "names": ["β", "", "1abc"],
    }
    index = NamedArrays("VectorIndex", arrays, {"metric": "cosine", "probes": 3})
    holo_types.save(index, path)  # in more than one commit
    loaded = holo_types.load(path, kind=NamedArrays)
    assert loaded == index
    for name, values in index.arrays.items():
        assert (loaded.arrays[name].dtype, loaded.arrays[name].tobytes()) == (values.dtype, values.tobytes())
    with holo_types.open(path) as reader:
        assert (reader.kind, reader.header, reader.complete) == ("VectorIndex", index.header, True)
        np.testing.assert_array_equal(
            reader.field("vectors", slice(70_000, 70_009)), arrays["vectors"][70_000:70_009]
        )
        np.testing.assert_array_equal(reader.field("names", np.array([2, 0])), np.array(["1abc", "β"]))
        for refused in (lambda: len(reader), lambda: reader[:]):
            with pytest.raises(
                HoloError, match=r"a\.h5: holds VectorIndex, each of whose arrays has rows of its own"
            ):
                refused()
    with Writer(tmp_path / "b.h5") as writer, pytest.raises(HoloError, match="cannot append a NamedArrays"):
        inspect.unwrap(Writer.append)(writer, index)


# Kinds


@pytest.mark.parametrize("resume", [False, True])
def test_centers_and_columns_of_points_are_of_all_appends_or_none(resume: bool, tmp_path: Path) -> None:
    cloud = PointClouds(np.zeros((3, 3)), np.ones((3, 1)), np.array([0, 1, 3]), ("C",), {"a": [0.5, np.nan]})
    whole = attrs.evolve(cloud, centers=np.eye(3)[:2], point_columns={"own": np.array([True, False, True])})
    path = tmp_path / "a.h5"
    writer = Writer(path)
    writer.append(whole)
    if resume:
        writer.close()
        writer = Writer(path, resume=True)
    for other, message in (
        (attrs.evolve(whole, centers=None), r"its centers is absent; it must be float64 \[n, 3\]"),
        (
            attrs.evolve(whole, point_columns=None),
            "its points have the columns {}; it must have {'own': 'bool'}",
        ),
        (
            attrs.evolve(whole, index={"a": np.zeros(2, np.float32)}),
            "has the columns {'a': 'float32'}; it must have",
        ),
    ):
        with pytest.raises(HoloError, match=message):
            writer.append(other)
    writer.append(whole)
    writer.close()
    assert_same_bits(holo_types.load(path), holo_types.concatenate([whole, whole]))


def test_a_file_of_another_kind_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    holo_types.save(holograms(), path)
    assert holo_types.load(path, kind=Holograms) == holograms()
    with pytest.raises(FormatError, match=r"a\.h5: holds Holograms; it must hold Embeddings$"):
        holo_types.load(path, kind=Embeddings)
    with pytest.raises(FormatError, match=r"a\.h5: holds Holograms; it must hold NamedArrays$"):
        holo_types.load(path, kind=NamedArrays)
    holo_types.save(NamedArrays("VectorIndex", {"vectors": np.eye(2)}), path)
    with pytest.raises(FormatError, match=r"a\.h5: holds VectorIndex; it must hold Holograms$"):
        holo_types.load(path, kind=Holograms)


@pytest.mark.parametrize(
    "rows", [slice(None, None, 1 << 63), slice(None, None, -(1 << 63)), slice(3, None, 1 << 70)]
)
def test_a_step_may_be_beyond_64_bits(tmp_path, rows):
    holograms = Holograms(np.arange(20.0).reshape(5, 4), Basis(lmax=1, radial=None, channels=("image",)))
    holo_types.save(holograms, tmp_path / "a.h5")
    with holo_types.open(tmp_path / "a.h5") as reader:
        np.testing.assert_array_equal(reader[rows].coefficients, holograms.coefficients[rows])
