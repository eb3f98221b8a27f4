"""The console script's commands other than ``structures``, and the options of that one."""

import csv
import gzip
import struct

import numpy as np
import pytest

import holo_types
from holo_features.cli.program import main
from holo_features.datasets import example_structures

SMALL = ("--lmax", "2", "--nmax", "4")


def run(*arguments):
    return main([str(argument) for argument in arguments])


def skipped_rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return [tuple(row.values()) for row in csv.DictReader(file)]


def test_residues_and_atoms_are_centers(tmp_path):
    out = tmp_path / "out.h5"
    chosen = ("--residues", "A:30", "A:31")
    assert run("structures", example_structures()[0], "--out", out, *SMALL, *chosen) == 0
    assert holo_types.load(out).index["residue_number"].tolist() == [30, 31]
    assert (
        run("structures", example_structures()[0], "--out", out, *SMALL, "--residues", "A:31,33", "A:30") == 0
    )
    assert holo_types.load(out).index["residue_number"].tolist() == [30, 31, 33]
    assert run("structures", example_structures()[0], "--out", out, *SMALL, "--center-atoms", "NZ", "SD") == 0
    index = holo_types.load(out).index
    assert set(zip(index["residue_name"].tolist(), index["atom_name"].tolist(), strict=True)) == {
        ("LYS", "NZ"),
        ("MET", "SD"),
    }


def test_what_of_a_file_is_taken_is_chosen(tmp_path, write_pdb, residue, atom, capsys):
    out = tmp_path / "out.h5"
    path = write_pdb(
        *residue(),
        *residue(chain="B", number=2, shift=4.0),
        atom("H", (0.5, 0.5, 0.5), chain="B", number=2, residue="ALA"),
        atom("C1", (2.0, 2.0, 2.0), chain="B", number=90, residue="STI", hetero=True),
    )

    def rows(*options):
        assert run("structures", path, "--out", out, *SMALL, "--channels", "C", "H", *options) == 0
        return holo_types.load(out)

    everything = rows()
    assert everything.index["chain"].tolist() == ["A", "B"]
    assert rows("--chains", "B").index["chain"].tolist() == ["B"]
    for option in ("--hydrogens", "--hetero"):
        more = rows(option)
        assert more.index == everything.index
        assert (more.coefficients != everything.coefficients).any()
    assert run("structures", path, "--out", out, *SMALL, "--structure-model", 7) == 1
    assert "made.pdb" in capsys.readouterr().err


def test_a_file_without_a_chosen_residue_is_named(tmp_path, capsys):
    out = tmp_path / "out.h5"
    first, second = example_structures()[:2]
    assert run("structures", first, second, "--out", out, *SMALL, "--residues", "A:500") == 1
    assert "has no residue A:500" in capsys.readouterr().err
    for wrong in ("A500", "A:5,", "A:5,B:6", "5"):
        assert run("structures", first, "--out", out, *SMALL, "--residues", wrong) == 2
        assert "must be written as chain:number" in capsys.readouterr().err


def test_the_central_residue_is_left_out(tmp_path):
    whole, without = tmp_path / "whole.h5", tmp_path / "without.h5"
    arguments = ("structures", example_structures()[0], *SMALL, "--channels", "C", "other")
    assert run(*arguments, "--out", whole) == 0
    assert run(*arguments, "--out", without, "--without-central-residue") == 0
    # The first coefficient is the number of atoms, weighted by R_00 Y_00, which is positive.
    totals = [holo_types.load(path).coefficients[:, 0].sum() for path in (whole, without)]
    assert totals[1] < totals[0]


def test_double_precision_agrees_with_single(tmp_path):
    paths = tmp_path / "single.h5", tmp_path / "double.h5"
    for path, option in zip(paths, [(), ("--float64",)], strict=True):
        assert run("structures", example_structures()[1], "--out", path, *SMALL, *option) == 0
    single, double = (holo_types.load(path).coefficients for path in paths)
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(single, double, rtol=0, atol=2e-6 * np.abs(double).max())


def test_what_a_run_was_made_with_stands_in_the_file(tmp_path):
    out = tmp_path / "out.h5"
    assert run("structures", example_structures()[0], "--out", out, *SMALL, "--channels", "C", "N") == 0
    with holo_types.open(out) as reader:
        settings = reader.settings
    assert settings["command"] == "structures"
    assert (settings["lmax"], settings["channels"], settings["residues"]) == ("2", "C N", "None")


def test_residues_by_themselves_have_their_type_as_label(tmp_path, write_pdb, residue, capsys):
    out = tmp_path / "out.h5"
    without = residue(names=("N", "CA", "C"), residue="GLY")
    half = write_pdb(*without, *residue(number=2, residue="GLY", shift=9.0))
    assert run("residues", half, "--out", out) == 0
    holograms = holo_types.load(out)
    assert (holograms.basis.lmax, holograms.basis.radial.nmax) == (4, 20)
    assert holograms.index["label"].tolist() == ["GLY"]
    assert "1 of 1 file gave results; 1 residue was skipped" in capsys.readouterr().out
    ((file, name, reason),) = skipped_rows(tmp_path / "out.skipped.csv")
    assert (file, name, reason) == (str(half), "A 1 GLY", "it lacks the atom O")


# Images


@pytest.fixture
def mnist(tmp_path):
    """Return a folder of idx files in MNIST's form, with 25 training and 12 test images."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    chance = np.random.default_rng(0)
    for part, count in (("train", 25), ("t10k", 12)):
        images = chance.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 10
        header = struct.pack(">IIII", 2051, count, 28, 28)
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))
        header = struct.pack(">II", 2049, count)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())
    return folder


def test_images_become_spherical_holograms(mnist, tmp_path, capsys):
    out = tmp_path / "out.h5"
    options = ("--lmax", 4, "--bandwidth", 8)
    assert run("images", mnist, "--out", out, *options) == 0
    assert f"25 holograms in {out}; 1 of 1 file gave results; what was skipped" in capsys.readouterr().out
    holograms = holo_types.load(out)
    assert holograms.basis == holo_types.Basis(4, None, ("image",))
    assert holograms.index["label"].tolist() == [number % 10 for number in range(25)]
    assert len(set(holograms.index["rotation"].tolist())) == 25
    assert run("images", mnist, "--part", "test", "--rotation", "chunks", "--out", out, *options) == 0
    rotations = holo_types.load(out).index["rotation"].tolist()
    assert len(rotations) == 12
    assert [rotations.index(rotation) for rotation in rotations] == [0] * 10 + [10] * 2
    assert run("images", mnist, "--rotation", "fixed", "--out", out, *options) == 0
    assert len(set(holo_types.load(out).index["rotation"].tolist())) == 1


def test_images_are_resumed_where_the_rows_end(mnist, tmp_path):
    whole, out = tmp_path / "whole.h5", tmp_path / "out.h5"
    options = ("--lmax", 4, "--bandwidth", 8, "--seed", 3)
    assert run("images", mnist, "--out", whole, *options) == 0
    with holo_types.open(whole) as reader:
        part, settings = reader[:11], reader.settings
    writer = holo_types.Writer(out, settings=settings)
    writer.append(part)
    writer.commit()
    del writer  # as if it had been killed
    assert run("images", mnist, "--out", out, *options) == 1
    for _ in range(2):  # the second time nothing is left to do
        assert run("images", mnist, "--out", out, *options, "--resume") == 0
        assert holo_types.load(out) == holo_types.load(whole)
    assert run("images", mnist, "--out", out, *options[:-1], 4, "--resume") == 1


def test_missing_images_are_named(tmp_path, capsys):
    assert run("images", tmp_path, "--out", tmp_path / "out.h5") == 1
    assert "train-images" in capsys.readouterr().err


# Shapes

CUBE = [(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]
SIDES = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]


def write_off(path, stretch=1.0, sides=SIDES):
    path.parent.mkdir(exist_ok=True)
    lines = ["OFF", f"8 {len(sides)} 0", *(f"{stretch * x} {y} {z}" for x, y, z in CUBE)]
    path.write_text("\n".join([*lines, *(f"4 {' '.join(map(str, side))}" for side in sides)]) + "\n")


@pytest.fixture
def shapes(tmp_path):
    pytest.importorskip("trimesh")
    folder = tmp_path / "shapes"
    folder.mkdir()
    write_off(folder / "box" / "long.off", 3.0)
    write_off(folder / "cube" / "closed.off")
    write_off(folder / "cube" / "open.off", sides=SIDES[:-1])
    return folder


@pytest.mark.parametrize("workers", [1, 2])
def test_shapes_become_spherical_holograms_of_six_channels(shapes, tmp_path, workers, capsys):
    out = tmp_path / "out.h5"
    (shapes / "cube" / "bad.off").write_text("OFF\nnonsense\n")
    options = ("--lmax", 4, "--bandwidth", 8, "--workers", workers)
    assert run("shapes", shapes, "--out", out, *options) == 3
    captured = capsys.readouterr()
    assert f"3 holograms in {out}; 3 of 4 files gave results, 1 failed; what was skipped" in captured.out
    assert f"{shapes / 'cube' / 'bad.off'}: " in captured.err
    holograms = holo_types.load(out)
    assert len(holograms.basis.channels) == 6
    assert holograms.index["structure"].tolist() == ["box/long", "cube/closed", "cube/open"]
    assert holograms.index["label"].tolist() == ["box", "cube", "cube"]
    remarks = skipped_rows(tmp_path / "out.skipped.csv")
    files = [file for file, _, _ in remarks]
    assert any(
        file == str(shapes / "cube" / "open.off") and "not watertight" in reason
        for file, _, reason in remarks
    )
    assert str(shapes / "cube" / "closed.off") not in files
    assert str(shapes / "cube" / "bad.off") in files
    assert run("shapes", shapes, "--out", out, *options, "--resume") == 3
    assert holo_types.load(out) == holograms


def test_shapes_take_their_classes_from_a_table(shapes, tmp_path, capsys):
    out, table = tmp_path / "out.h5", tmp_path / "classes.csv"
    table.write_text("id,synsetId\nlong,02\nclosed,01\n")
    assert run("shapes", shapes, "--out", out, "--lmax", 4, "--bandwidth", 8, "--labels", table) == 3
    assert f"{table} names no class for 'open'" in capsys.readouterr().err
    assert holo_types.load(out).index["label"].tolist() == ["02", "01"]


# Densities


def test_a_density_is_written_as_a_map(tmp_path, capsys):
    mrcfile = pytest.importorskip("mrcfile")
    holograms, out = tmp_path / "out.h5", tmp_path / "carbon.mrc"
    assert run("structures", example_structures()[0], "--out", holograms, *SMALL, "--cutoff", 4) == 0
    options = ("--channel", "C", "--row", 2, "--spacing", 1.0, "--center", 1.0, -2.0, 3.0)
    assert run("density", holograms, "--out", out, *options) == 0
    assert f"every 1 Å, in {out}" in capsys.readouterr().out
    with mrcfile.open(out) as file:
        assert file.voxel_size.x.item() == pytest.approx(1.0)
        values = np.array(file.data)
    points = np.argwhere(np.ones_like(values, dtype=bool))[:, ::-1]  # x is fastest in the file
    with mrcfile.open(out) as file:
        start = np.array([file.header.nxstart, file.header.nystart, file.header.nzstart], dtype=float)
    from holo_features import inverse_zernike_transform

    expected = inverse_zernike_transform(
        holo_types.load(holograms)[2:3], points + start - np.array([1.0, -2.0, 3.0])
    )[0, 0]
    np.testing.assert_allclose(values.ravel(), expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--channel", "C", "--row", "9999"), "--row is 9999"),
        (("--channel", "P"), "'P'"),
    ],
)
def test_a_density_that_is_not_there_is_named(tmp_path, capsys, options, message):
    holograms = tmp_path / "out.h5"
    assert run("structures", example_structures()[0], "--out", holograms, *SMALL) == 0
    assert run("density", holograms, "--out", tmp_path / "a.mrc", *options) == 1
    assert message in capsys.readouterr().err


# Complexes

LIGAND = """chlorobenzene
  made for a test

  7  7  0  0  0  0  0  0  0  0999 V2000
{atoms}
  1  2  2  0
  2  3  1  0
  3  4  2  0
  4  5  1  0
  5  6  2  0
  6  1  1  0
  1  7  1  0
M  END
$$$$
"""


@pytest.fixture
def complexes(tmp_path):
    """Return a table of two complexes, one of which has no ligand file."""
    from holo_features import read_structure

    protein = example_structures()[0]
    place = read_structure(protein).atoms.coord[100] + 4.0
    ring = [(1.4 * np.cos(a), 1.4 * np.sin(a), 0.0) for a in np.deg2rad(np.arange(0, 360, 60))]
    atoms = [*((place + np.array(xyz), "C ") for xyz in ring), (place + np.array([3.1, 0.0, 0.0]), "Cl")]
    lines = [f"{x:10.4f}{y:10.4f}{z:10.4f} {element} 0  0" for (x, y, z), element in atoms]
    (tmp_path / "ligand.sdf").write_text(LIGAND.format(atoms="\n".join(lines)))
    table = tmp_path / "complexes.csv"
    table.write_text(
        f"id,protein,ligand,label\none,{protein},ligand.sdf,6.5\ntwo,{protein},missing.sdf,7.25\n"
    )
    return table


@pytest.mark.parametrize("workers", [1, 2])
def test_pockets_of_complexes_become_holograms(complexes, tmp_path, capsys, workers):
    out = tmp_path / "out.h5"
    options = (*SMALL, "--channels", "C", "N", "O", "S", "Cl", "--workers", workers)
    assert run("complexes", complexes, "--out", out, *options) == 3
    captured = capsys.readouterr()
    assert "1 of 2 files gave results, 1 failed" in captured.out
    assert "complex two: " in captured.err
    holograms = holo_types.load(out)
    assert set(holograms.index["structure"].tolist()) == {"one"}
    assert 3 < len(holograms) < 40
    chlorine = holograms.degree(0)[:, -3:, 0]  # the last channel's three radial orders, n = 0, 2, 4
    assert chlorine.any()
    assert run("complexes", complexes, "--out", out, *options, "--resume") == 3
    assert holo_types.load(out) == holograms
    assert [file for file, _, _ in skipped_rows(tmp_path / "out.skipped.csv")] == ["two"]


def test_ligand_atoms_become_holograms_of_both_sides(complexes, tmp_path, capsys):
    options = (*SMALL, "--centers", "ligand", "--channels", "protein:C", "ligand:Cl")

    def holograms(name, *more):
        assert run("complexes", complexes, "--out", tmp_path / name, *options, *more) == 3
        return holo_types.load(tmp_path / name)

    bound, unbound = holograms("bound.h5"), holograms("unbound.h5", "--without-ligand")
    added = holograms("added.h5", "--bound-minus-unbound")
    assert bound.index["element"].tolist() == ["C"] * 6 + ["CL"]
    assert bound.degree(0)[:, :3].any()
    np.testing.assert_allclose(
        bound.coefficients - unbound.coefficients, added.coefficients, atol=1e-5, rtol=0
    )
    assert (
        run("complexes", complexes, "--out", tmp_path / "x.h5", "--without-ligand", "--bound-minus-unbound")
        == 2
    )
    assert "--bound-minus-unbound" in capsys.readouterr().err


@pytest.mark.parametrize("workers", [1, 2])
def test_ligands_become_a_table(complexes, tmp_path, capsys, workers):
    out = tmp_path / "ligands.csv"
    assert run("ligands", complexes, "--out", out, "--workers", workers) == 3
    captured = capsys.readouterr()
    assert f"1 row in {out}; 1 of 2 files gave results, 1 failed; " in captured.out
    assert "complex two: " in captured.err
    with out.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["id"], row["label"], row["heavy_atoms"]) == ("one", "6.5", "7")
    assert row["ligand_key"].startswith("C6Cl-")
    assert [file for file, _, _ in skipped_rows(tmp_path / "ligands.skipped.csv")] == ["two"]


def test_contacts_become_a_table(complexes, tmp_path, capsys):
    out = tmp_path / "contacts.csv"
    assert run("contacts", complexes, "--out", out) == 3
    assert f"1 row in {out}; 1 of 2 files gave results, 1 failed; " in capsys.readouterr().out
    with out.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["id"], row["label"]) == ("one", "6.5")
    assert int(row["C-C"]) > int(row["C-Cl"]) > 0
    assert row["C-Br"] == "0"
