"""Structures in archives are read as in a folder, and no archive makes anything be read or written elsewhere."""

import gzip
import io
import stat
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from holo_features import encode_structures, read_structure
from holo_features.cli.program import main
from holo_features.datasets import example_structures
from holo_features.encoding.files import structure_files
from holo_features.readers import archives
from holo_types import Basis, FormatError, Zernike, load

BASIS = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N", "O", "S"))
PATHS = example_structures()[:6]


def as_tar(path: Path, members: list[tuple[str, bytes]], form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as file:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


def as_zip(path: Path, members: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def as_stored_zip(path: Path, members: list[tuple[str, bytes]]) -> Path:
    return as_zip(path, members, zipfile.ZIP_STORED)


@pytest.mark.parametrize(("make", "suffix"), [(as_tar, ".tar"), (as_zip, ".zip"), (as_stored_zip, ".zip")])
def test_an_archive_gives_what_its_files_give(make, suffix, tmp_path):
    # A name of more than 100 letters needs a header of its own in a tar archive.
    folders = ("./human", "", "n" * 120)
    members = [
        (f"{folders[number % 3]}/{path.name}".lstrip("/"), path.read_bytes())
        for number, path in enumerate(PATHS)
    ]
    archive = make(tmp_path / f"models{suffix}", [("README.txt", b"nothing"), *members])
    paths, skipped = structure_files([tmp_path])
    assert skipped == []
    assert [path.name for path in paths] == [path.name for path in PATHS]
    assert all(archive in path.parents for path in paths)
    for workers in (1, 2):
        found = encode_structures(paths, BASIS, workers=workers)
        for inside, outside in zip(found, encode_structures(PATHS, BASIS), strict=True):
            assert inside.error is None
            assert inside.holograms == outside.holograms


def test_the_command_takes_an_archive(tmp_path):
    archive = as_tar(tmp_path / "models.tar", [(path.name, path.read_bytes()) for path in PATHS])
    options = ["--lmax", "2", "--nmax", "4"]
    assert main(["structures", str(archive), "--out", str(tmp_path / "inside.h5"), *options]) == 0
    assert main(["structures", *map(str, PATHS), "--out", str(tmp_path / "outside.h5"), *options]) == 0
    assert load(tmp_path / "inside.h5") == load(tmp_path / "outside.h5")


def test_of_the_formats_of_one_model_mmcif_is_taken(tmp_path):
    names = ["AF-1-model_v4.pdb.gz", "AF-1-model_v4.cif.gz", "AF-2-model_v4.pdb.gz"]
    archive = as_tar(tmp_path / "UP000005640_9606_HUMAN_v4.tar", [(name, b"") for name in names])
    paths, _ = structure_files([archive])
    assert [path.name for path in paths] == names[1:]


@pytest.mark.parametrize(("make", "suffix"), [(as_tar, ".tar"), (as_zip, ".zip")])
@pytest.mark.parametrize("name", ["/etc/passwd.cif", "../outside.cif", "a/../../outside.cif", "C:/b.cif"])
def test_a_name_that_leads_out_is_skipped(make, suffix, name, tmp_path):
    good = (PATHS[0].name, PATHS[0].read_bytes())
    archive = make(tmp_path / f"models{suffix}", [(name, good[1]), good])
    (tmp_path / "outside.cif").write_text("not to be read")
    paths, skipped = structure_files([archive])
    assert paths == [archive / PATHS[0].name]
    (row,) = skipped
    assert "its name leads out of the archive; it must be a path inside it" in row.reason
    with pytest.raises(FormatError, match="holds no regular file"):
        read_structure(archive / "a" / "outside.cif")


def test_links_devices_and_sparse_files_are_skipped(tmp_path):
    secret = tmp_path / "secret.cif"
    secret.write_text("not to be read")
    with tarfile.open(tmp_path / "links.tar", "w") as file:
        for number, kind in enumerate((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE)):
            info = tarfile.TarInfo(f"{number}.cif")
            info.type, info.linkname = kind, str(secret)
            file.addfile(info)
    with zipfile.ZipFile(tmp_path / "links.zip", "w") as file:
        info = zipfile.ZipInfo("4.cif")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        file.writestr(info, str(secret))
    paths, skipped = structure_files([tmp_path / "links.tar", tmp_path / "links.zip"])
    assert paths == []
    reasons = [row.reason for row in skipped]
    assert sum("only regular files are read" in reason for reason in reasons) == 5
    assert sum("the archive holds no structure file" in reason for reason in reasons) == 2


def test_sizes_are_limited_before_and_after_unpacking(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST_MEMBER", 10_000)
    monkeypatch.setattr("holo_features.readers.formats.LARGEST_MEMBER", 10_000)
    bomb = gzip.compress(bytes(100_000))
    members = [("large.cif", bytes(20_000)), ("bomb.cif.gz", bomb)]
    for make, suffix in ((as_tar, ".tar"), (as_zip, ".zip")):
        archive = make(tmp_path / f"models{suffix}", members)
        paths, skipped = structure_files([archive])
        assert [path.name for path in paths] == ["bomb.cif.gz"]
        assert "it has 20000 bytes; 10000 are the most" in skipped[0].reason
        with pytest.raises(FormatError, match="bytes of gzip data unpack to more than 10000"):
            read_structure(paths[0])


def test_a_size_that_the_zip_directory_understates_is_found(tmp_path):
    archive = as_zip(tmp_path / "models.zip", [("a.cif", bytes(50_000))])
    content = archive.read_bytes()
    at = content.index(b"PK\1\2") + 24
    archive.write_bytes(content[:at] + (100).to_bytes(4, "little") + content[at + 4 :])
    with pytest.raises(FormatError, match="its size or checksum is another"):
        read_structure(archive / "a.cif")


def test_a_damaged_tar_gives_what_lies_before_and_says_so(tmp_path):
    members = [(path.name, path.read_bytes()) for path in PATHS]
    whole = as_tar(tmp_path / "whole.tar", members).read_bytes()
    third = whole.index(PATHS[2].name.encode())
    garbled = tmp_path / "garbled.tar"
    garbled.write_bytes(whole[:third] + b"\xff" * 512 + whole[third + 512 :])
    cut = tmp_path / "cut.tar"
    cut.write_bytes(whole[: third + 700])
    for archive in (garbled, cut):
        paths, skipped = structure_files([archive])
        assert [path.name for path in paths] == [path.name for path in PATHS[:2]]
        assert any("the archive is damaged after byte" in row.reason for row in skipped), skipped
    for name, reason in (("no.tar", "no tar archive"), ("no.zip", "no zip archive")):
        (tmp_path / name).write_bytes(b"rubbish" * 200)
        paths, (row,) = structure_files([tmp_path / name])
        assert (paths, reason in row.reason) == ([], True)


def test_a_header_that_leads_backwards_or_holds_a_long_name_ends_the_reading(tmp_path):
    def with_pax(name: str, headers: dict[str, str]) -> Path:
        with tarfile.open(tmp_path / name, "w", format=tarfile.PAX_FORMAT) as file:
            for number in range(3):
                info = tarfile.TarInfo(f"{number}.cif")
                info.pax_headers = headers if number == 1 else {}
                file.addfile(info)
        return tmp_path / name

    for archive in (
        with_pax("backwards.tar", {"size": "-4096"}),
        with_pax("long.tar", {"comment": "x" * 100_000}),
    ):
        paths, skipped = structure_files([archive])
        assert [path.name for path in paths] == ["0.cif"]
        assert any("the archive is damaged after byte" in row.reason for row in skipped), skipped


@pytest.mark.parametrize("count", [16, 17, 5000])
@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_headers_without_end_before_one_member_end_the_reading(kind, count, tmp_path):
    header = tarfile.TarInfo("header")
    header.type, content = kind, b"10 path=a\n" if kind != tarfile.GNUTYPE_LONGNAME else b"a.cif\0"
    header.size = len(content)
    many = (header.tobuf(tarfile.GNU_FORMAT) + content.ljust(512, b"\0")) * count
    archive = as_tar(tmp_path / "deep.tar", [("0.cif", b"")])
    before = archive.read_bytes()[:512]
    archive.write_bytes(before + many + tarfile.TarInfo("1.cif").tobuf() + bytes(1024))
    paths, skipped = structure_files([archive])
    assert len(paths) == (2 if count == 16 and kind == tarfile.GNUTYPE_LONGNAME else 1)
    assert any("a member has more than 16 headers" in row.reason for row in skipped) == (count > 16)


def test_a_member_with_a_name_that_is_taken_is_skipped(tmp_path):
    archive = as_tar(tmp_path / "twice.tar", [("a.cif", b"first"), ("./a.cif", b"second")])
    paths, (row,) = structure_files([archive])
    assert archives.read_member(archive, "a.cif") == b"first"
    assert (len(paths), "an earlier member has this name" in row.reason) == (1, True)


def test_structures_of_an_archive_are_equal_atom_by_atom(tmp_path):
    archive = as_zip(tmp_path / "models.zip", [(PATHS[0].name, PATHS[0].read_bytes())])
    inside, outside = read_structure(archive / PATHS[0].name), read_structure(PATHS[0])
    np.testing.assert_array_equal(inside.atoms.coord, outside.atoms.coord)
