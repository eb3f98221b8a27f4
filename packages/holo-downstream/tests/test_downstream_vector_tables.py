import contextlib
import io
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest
import scipy.spatial.transform

import holo_types
from holo_downstream import VectorTable, pool, power_spectrum, read_embeddings, read_vectors, set_beside
from holo_downstream.vectors.tables import Source
from holo_types import (
    Basis,
    Embeddings,
    FormatError,
    HoloError,
    Holograms,
    ModelReference,
    PartsWriter,
    Zernike,
)

BASIS = Basis(lmax=1, radial=Zernike(nmax=3, cutoff=10.0), channels=("C", "N"))
INDEX = {"structure": ["1abc", "2abc", "1abc"], "residue_number": [3, 3, 7]}


def embeddings(digest="a" * 64, basis_digest=BASIS.digest):
    z = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=np.float32)
    return Embeddings(z, np.zeros((3, 3, 3)), ModelReference("demo", "1", digest, basis_digest), INDEX)


def test_embeddings_are_pooled_from_their_file(tmp_path):
    holo_types.save(embeddings(), tmp_path / "z.h5")
    table = read_vectors(tmp_path / "z.h5", how="max")
    assert (table.ids.tolist(), table.vectors.tolist()) == (["1abc", "2abc"], [[5.0, 6.0], [3.0, 4.0]])
    assert table.source == Source("z", embeddings().model, BASIS.digest)
    by_number = pool(embeddings(), by="residue_number")
    assert (by_number.ids.tolist(), by_number.vectors.tolist()) == (["3", "7"], [[4.0, 6.0], [5.0, 6.0]])


def test_holograms_are_pooled_without_any_network(tmp_path):
    random = np.random.default_rng(0)
    holograms = Holograms(random.normal(size=(3, BASIS.dim)), BASIS, INDEX)
    holo_types.save(holograms, tmp_path / "h.h5")
    scalars = read_vectors(tmp_path / "h.h5")
    power = read_vectors(tmp_path / "h.h5", invariants="power")
    assert BASIS.dim == 4 + 4 * 3
    np.testing.assert_allclose(scalars.vectors[0], holograms.coefficients[[0, 2], :4].sum(axis=0))
    vectors = holograms.coefficients[:, 4:].reshape(3, 4, 3)
    norms = np.sqrt(vectors[..., 0] ** 2 + vectors[..., 1] ** 2 + vectors[..., 2] ** 2)
    np.testing.assert_allclose(power.vectors[0, 4:], norms[0] + norms[2])
    assert (scalars.source.kind, power.source.kind) == ("scalars", "power")


def test_power_spectrum_is_invariant():
    """l = 1 components are x, y, z: they turn as vectors do."""
    random = np.random.default_rng(1)
    holograms = Holograms(random.normal(size=(2, BASIS.dim)), BASIS)
    rotation = scipy.spatial.transform.Rotation.random(rng=2).as_matrix()
    turned = holograms.coefficients.copy()
    turned[:, 4:] = (turned[:, 4:].reshape(2, 4, 3) @ rotation.T).reshape(2, 12)
    np.testing.assert_allclose(
        power_spectrum(Holograms(turned, BASIS)), power_spectrum(holograms), rtol=1e-12
    )


def test_tables_of_numbers(tmp_path):
    frame = pd.DataFrame(
        {"id": ["b", "a"], "C-C": [1, 2], "size": [0.5, 7.25], "label": [5, 6], "split": ["x", "y"]}
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet", index=False)
    np.savez(tmp_path / "t.npz", id=np.array(["b", "a"]), vectors=np.array([[1, 0.5], [2, 7.25]]))
    for name in ("t.csv", "t.parquet", "t.npz"):
        table = read_vectors(tmp_path / name)
        assert (table.ids.tolist(), table.vectors.tolist()) == (["b", "a"], [[1.0, 0.5], [2.0, 7.25]])
    assert read_vectors(tmp_path / "t.csv").source == read_vectors(tmp_path / "t.parquet").source
    assert read_vectors(tmp_path / "t.csv").source.columns == ("C-C", "size")


def test_frames_of_embeddings_are_no_features(tmp_path):
    table = holo_types.to_table(embeddings()[1:2]).rename(columns={"structure": "id"})
    table.to_csv(tmp_path / "z.csv", index=False)
    assert read_vectors(tmp_path / "z.csv").source.columns == ("z_0", "z_1")


def test_repeated_ids_of_a_table_are_left_out_and_named(tmp_path):
    (tmp_path / "t.csv").write_text("id,x\n1abc,1\n2abc,2\n1abc,3\n")
    table = read_vectors(tmp_path / "t.csv")
    assert (table.ids.tolist(), table.repeated) == (["2abc"], ("1abc",))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"name,x\na,1\n", "has no column 'id'; it has name, x"),
        ("t.csv", b"id,label\na,1\n", "no column of numbers beside 'id'"),
        ("t.csv", b"id,x\na,one\n", "x of a is 'one'; it must be a finite number"),
        ("t.csv", b"id,x\na,inf\n", "x of a is 'inf'; it must be a finite number"),
        ("t.csv", b"id,x\na,\n", "x of a is ''; it must be a finite number"),
        ("t.csv", b"\xff\xfe", "cannot be read as CSV"),
        ("t.parquet", b"no parquet", "cannot be read as Parquet"),
        ("t.npz", b"no npz", "cannot be read as .npz"),
        ("t.h5", b"no hdf5", "t.h5"),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FormatError, match=message):
        read_vectors(tmp_path / name)


def test_no_pickle_is_loaded(tmp_path):
    buffer = io.BytesIO()
    np.savez(buffer, id=np.array(["a"], dtype=object), vectors=np.ones((1, 1)))
    (tmp_path / "t.npz").write_bytes(buffer.getvalue())
    with pytest.raises(FormatError, match="without pickle"):
        read_vectors(tmp_path / "t.npz")


def test_arrays_that_do_not_fit_are_named(tmp_path):
    np.savez(tmp_path / "t.npz", id=np.array(["a"]))
    with pytest.raises(FormatError, match="it holds id"):
        read_vectors(tmp_path / "t.npz")
    np.savez(tmp_path / "u.npz", id=np.array(["a"]), vectors=np.ones((2, 1)))
    with pytest.raises(HoloError, match=r"u.npz: id: has shape \[1\]; it must be \[2\]"):
        read_vectors(tmp_path / "u.npz")
    with pytest.raises(HoloError, match="no column 'complex'; it has structure, residue_number"):
        pool(embeddings(), by="complex")
    with pytest.raises(HoloError, match="holds 'a' twice"):
        VectorTable(np.array(["a", "a"]), np.ones((2, 1)), Source("table", None, ""))


def test_other_sources_are_refused():
    ours = pool(embeddings()).source
    ours.check(pool(embeddings()).source)
    with pytest.raises(HoloError, match=r"made by demo 1 \(bbbbbbbbbbbb\).*those of demo 1 \(aaaaaaaaaaaa\)"):
        ours.check(pool(embeddings(digest="b" * 64)).source)
    with pytest.raises(HoloError, match=r"made from the basis cccccccccccc; the predictor learned from"):
        ours.check(pool(embeddings(basis_digest="c" * 64)).source)
    with pytest.raises(HoloError, match="are columns of a table; the predictor learned from embeddings"):
        ours.check(Source("table", None, "", ("z_0", "z_1")))
    table = Source("table", None, "", ("x", "y"))
    for columns, message in (
        (("x",), "lacks 'y'"),
        (("x", "y", "q"), "has also 'q'"),
        (("y", "x"), "another order"),
    ):
        with pytest.raises(HoloError, match=message):
            table.check(Source("table", None, "", columns))


def test_tables_are_set_beside_each_other_by_their_ids():
    random = np.random.default_rng(0)
    first, second = random.normal(size=(4, 2)), random.normal(size=(4, 3))
    one = VectorTable(np.array(list("abcd")), first, Source("z", None, ""))
    two = VectorTable(np.array(list("ecba")), second, Source("table", None, "", ("x", "y", "q")), ("d",))
    both = set_beside(one, [two])
    assert both.ids.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(both.vectors, np.hstack([first[:3], second[[3, 2, 1]]]))
    assert (both.source.kind, both.source.beside, both.repeated) == ("z", (two.source,), ("d",))
    with pytest.raises(HoloError, match="1 tables are appended to the vectors; the predictor learned with 0"):
        one.source.check(both.source)


def npz(path, members, claimed=None):
    """Write a .npz of headers and contents, whatever they claim."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (shape, dtype, content) in members.items():
            head = io.BytesIO()
            about = {"descr": dtype, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(head, about)
            archive.writestr(f"{name}.npy", head.getvalue() + content)
        if claimed is not None:
            archive.getinfo("vectors.npy").file_size = claimed
    return path


def test_arrays_are_as_large_as_their_bytes_whatever_a_npz_claims(tmp_path, monkeypatch):
    ids = ((2,), "<U1", np.array(["a", "b"]).tobytes())
    good = npz(tmp_path / "a.npz", {"id": ids, "vectors": ((2, 1), "<f8", np.ones(2).tobytes())})
    assert read_vectors(good).ids.tolist() == ["a", "b"]
    for shape in ((10**12, 1), (2, 10**15), (-1, 1)):
        with pytest.raises(FormatError, match=r"cannot be read as \.npz"):
            read_vectors(npz(tmp_path / "b.npz", {"id": ids, "vectors": (shape, "<f8", bytes(16))}))
    with pytest.raises(FormatError, match=r"cannot be read as \.npz"):
        read_vectors(npz(tmp_path / "b.npz", {"id": ids, "vectors": ((2, 1), "|O", bytes(16))}))
    large = {"id": ids, "vectors": ((2, 10**5), "<f8", bytes(16 * 10**5))}
    monkeypatch.setenv("HOLO_MAX_BYTES", "100000")
    with pytest.raises(FormatError, match=r"unpacks to 1600.* bytes; it may hold 100000"):
        read_vectors(npz(tmp_path / "b.npz", large))
    with pytest.raises(FormatError, match=r"cannot be read as \.npz"):  # no more is unpacked than is claimed
        read_vectors(npz(tmp_path / "b.npz", large, claimed=200))


def test_a_part_that_was_removed_is_missed(tmp_path):
    """Also where a run was interrupted and continued: the rest of its rows becomes the next part."""
    with contextlib.suppress(KeyboardInterrupt), PartsWriter(tmp_path / "parts", rows=3) as writer:
        writer.append(embeddings())
        writer.append(embeddings()[:1])
        raise KeyboardInterrupt
    assert len(read_embeddings([tmp_path / "parts"])) == 4
    with PartsWriter(tmp_path / "parts", rows=3, resume=True) as writer:
        for rows in (1, 2, 3, 3):
            writer.append(embeddings()[:rows])
    names = sorted(path.name for path in (tmp_path / "parts").iterdir())
    assert len(names) == 5
    assert len(read_embeddings([tmp_path / "parts"])) == 13
    for name in names[:-1]:  # nothing says how many there must be
        (tmp_path / "parts" / name).rename(tmp_path / name)
        with pytest.raises(FormatError, match=rf"parts: lacks {name} but has {names[-1]}"):
            read_embeddings([tmp_path / "parts"])
        (tmp_path / name).rename(tmp_path / "parts" / name)
    shutil.copy(tmp_path / "parts" / names[1], tmp_path / "parts" / "part-000001 (copy).parquet")
    with pytest.raises(FormatError, match=r"lacks part-000005\.parquet"):
        read_embeddings([tmp_path / "parts"])


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        (["1abc", None], "in row 1 is None"),
        ([1.0, 2.0], "in row 0 is 1.0"),
        ([1, np.nan], "in row 0 is 1.0"),
        ([True, False], "in row 0 is True"),
        (pd.to_datetime(["2020-01-01", "2020-01-02"]), "in row 0 is datetime"),
    ],
)
def test_ids_of_a_parquet_table_are_text_or_integers(tmp_path, ids, found):
    pd.DataFrame({"id": ids, "x": [1.0, 2.0]}).to_parquet(tmp_path / "t.parquet", index=False)
    with pytest.raises(FormatError, match=rf"t\.parquet: the id {found}.*; it must be text or an integer"):
        read_vectors(tmp_path / "t.parquet")


def test_ids_of_a_parquet_table_are_no_bytes(tmp_path):
    pd.DataFrame({"id": [b"1abc", b"2abc"], "x": [1.0, 2.0]}).to_parquet(tmp_path / "t.parquet", index=False)
    with pytest.raises(FormatError, match=r"t\.parquet: its column 'id' is of binary; it must hold a number"):
        read_vectors(tmp_path / "t.parquet")


@pytest.mark.parametrize("ids", [["7", "8"], [7, 8], pd.array([7, 8], "Int64"), pd.Categorical(["7", "8"])])
def test_ids_are_text_whether_a_table_holds_text_or_integers(tmp_path, ids):
    pd.DataFrame({"id": ids, "x": [1.0, 2.0]}).to_parquet(tmp_path / "t.parquet", index=False)
    assert read_vectors(tmp_path / "t.parquet").ids.tolist() == ["7", "8"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_packed_by_methods_that_unpack_without_limit_are_refused(tmp_path, method):
    good = npz(tmp_path / "a.npz", {"id": ((1,), "<U1", b"a\0\0\0"), "vectors": ((1, 1), "<f8", bytes(8))})
    with zipfile.ZipFile(good) as there, zipfile.ZipFile(tmp_path / "b.npz", "w", method) as packed:
        for name in there.namelist():
            packed.writestr(name, there.read(name))
    with pytest.raises(
        FormatError, match=rf"'id\.npy' is packed by method {method}; it must be stored or deflated"
    ):
        read_vectors(tmp_path / "b.npz")


def test_a_header_of_very_many_columns_takes_no_time(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(",".join(map(str, range(200_000))) + ",7\n")
    with pytest.raises(FormatError, match="has the column '7' twice"):
        read_vectors(path)


def test_an_id_as_long_as_a_file_does_not_widen_all_others(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,z_0\n" + "a" * 100_000 + ",1\n" + "".join(f"{row},1\n" for row in range(20_000)))
    with pytest.raises(HoloError, match="of which one has 100000 characters; so many must be shorter"):
        read_vectors(path)


def test_columns_of_a_table_that_are_not_read_may_be_of_any_type(tmp_path):
    frame = pd.DataFrame({"id": ["a", "b"], "z_0": [1.0, 2.0], "atoms": [[1, 2], [3]], "image": [b"x", b"y"]})
    frame.to_parquet(tmp_path / "t.parquet", index=False)
    assert read_vectors(tmp_path / "t.parquet").vectors.tolist() == [[1.0], [2.0]]
    frame.drop(columns="z_0").to_parquet(tmp_path / "t.parquet", index=False)
    with pytest.raises(HoloError, match=r"t\.parquet: its column 'atoms' is of list<"):
        read_vectors(tmp_path / "t.parquet")
