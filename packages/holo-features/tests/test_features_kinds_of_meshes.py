"""Meshes and images in forms that libraries misread, or under unusual names."""

import itertools
import shutil
import struct
import time

import numpy as np
import pytest

from holo_features import read_mesh, read_mnist
from holo_features.spheres.meshes import center
from holo_types import FormatError

CORNERS = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
FACES = np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])


def tetrahedra(count, *, relative, form="{}"):
    """Return an OBJ file of several bodies, each with its vertices followed by its faces."""
    lines = []
    for body in range(count):
        lines += [f"v {x + 5 * body} {y} {z}" for x, y, z in CORNERS.tolist()]
        lines += [f"vn {x} {y} {z}" for x, y, z in CORNERS.tolist()] if "/" in form else []
        for face in FACES:
            indices = face - 4 if relative else face + 1 + 4 * body
            lines.append("f " + " ".join(form.replace("{}", str(i)) for i in indices.tolist()))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("form", ["{}", "{}//{}"])
@pytest.mark.parametrize("bodies", [1, 2, 5])
def test_relative_indices_of_obj(tmp_path, form, bodies):
    found = []
    for relative in (False, True):
        path = tmp_path / f"{relative}.obj"
        path.write_text(tetrahedra(bodies, relative=relative, form=form))
        found.append(center(read_mesh(path)))
    np.testing.assert_array_equal(found[0].vertices, found[1].vertices)
    np.testing.assert_array_equal(found[0].faces, found[1].faces)
    assert len(found[1].vertices) == 4 * bodies


def test_relative_and_absolute_indices_in_one_file(tmp_path):
    path = tmp_path / "mixed.obj"
    path.write_text(tetrahedra(1, relative=False) + "\n".join(tetrahedra(2, relative=True).split("\n")[8:]))
    assert len(center(read_mesh(path)).vertices) == 8


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("relative", [False, True])
def test_materials_objects_and_groups_do_not_divide_a_mesh(tmp_path, relative, end):
    part = "usemtl a material\n o body\ng one two\ns off\nmtllib {i}.mtl\ng\n"
    text = tetrahedra(1, relative=relative)
    divided = "".join(part.replace("{i}", str(i)) + f"{line}\n" for i, line in enumerate(text.splitlines()))
    path = tmp_path / "divided.obj"
    path.write_bytes(divided.replace("\n", end).encode())
    found = read_mesh(path)
    np.testing.assert_array_equal(found.vertices, CORNERS)
    np.testing.assert_array_equal(found.faces, FACES)


def test_materials_without_end_take_seconds(tmp_path):
    path = tmp_path / "materials.obj"
    path.write_text(tetrahedra(1, relative=False) + "".join(f"usemtl m{i}\nf 1 2 3\n" for i in range(30_000)))
    started = time.process_time()
    assert len(read_mesh(path).faces) == 30_004
    assert time.process_time() - started < 6


def test_a_polygon_of_more_corners_than_any_has(tmp_path):
    path = tmp_path / "polygon.obj"
    for corners, refused in ((10_000, False), (10_001, True)):
        path.write_text(tetrahedra(1, relative=False) + "f" + " 1" * corners + "\n# " + "a" * 30_000 + "\n")
        if refused:
            with pytest.raises(FormatError, match=r"line 9, a face, has 10001 corners; it may have 10000"):
                read_mesh(path)
        else:
            assert len(read_mesh(path).faces) == 4 + corners - 2


def ply_of_faces(head, faces=FACES):
    """Return a PLY file of a tetrahedron."""
    header = ["ply", "format ascii 1.0", *filter(None, [head]), "element vertex 4"]
    header += [*(f"property float {axis}" for axis in "xyz"), f"element face {len(FACES)}"]
    header += ["property list uchar int vertex_indices", "end_header"]
    rows = [" ".join(map(str, row)) for row in CORNERS.tolist()] + [
        f"3 {a} {b} {c}" for a, b, c in faces.tolist()
    ]
    return "\n".join([*header, *rows, ""])


def test_only_the_header_of_ply_counts_faces(tmp_path):
    path = tmp_path / "a.ply"
    for comment in (
        "comment element face " + "9" * 5000,
        "comment element face 7",
        "obj_info element face 7",
    ):
        path.write_text(ply_of_faces(comment))
        assert len(read_mesh(path).faces) == 4
    path.write_text(ply_of_faces("", FACES[:3]))
    with pytest.raises(FormatError, match=r"it has \d of 4 faces|damaged"):
        read_mesh(path)


def test_a_ply_header_of_more_elements_than_any_has(tmp_path):
    path = tmp_path / "a.ply"
    path.write_text(ply_of_faces("\n".join(f"element e{i} 0\nproperty float x" for i in range(500))))
    with pytest.raises(FormatError, match="its header has 1006 elements and properties; it may have 1000"):
        read_mesh(path)


def test_a_relative_index_of_more_digits_than_a_number_has(tmp_path):
    path = tmp_path / "a.obj"
    path.write_text(tetrahedra(1, relative=False) + f"f -1 -2 -{'9' * 5000}\n")
    with pytest.raises(FormatError, match="line 9, a face: it has a relative index of 5000 digits"):
        read_mesh(path)


def test_a_relative_index_beyond_the_beginning(tmp_path):
    path = tmp_path / "bad.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf -4 -2 -1\n")
    with pytest.raises(
        FormatError, match=r"line 4, a face: it has the relative index -4, and 3 come before it"
    ):
        read_mesh(path)


# ---------------------------------------------------------------------------------------------------- strips

STRIPS = {
    "one": [[0, 1, 2, 3, 0, 1]],
    "several": [[0, 1, 2, 3], [2, 3, 0, 1]],
    "in one list": [[0, 1, 2, 3, -1, 2, 3, 0, 1, -1]],
    "joined by a vertex twice": [[0, 1, 2, 3, 3, 2, 2, 3, 0, 1]],
}


def ply(strips, form):
    header = ["ply", f"format {form} 1.0", "comment made by hand", "element vertex 4"]
    header += [
        *(f"property float {axis}" for axis in "xyz"),
        "property uchar red",
        f"element tristrips {len(strips)}",
    ]
    content = "\n".join([*header, "property list int int vertex_indices", "end_header", ""]).encode()
    if form == "ascii":
        rows = [*(" ".join(map(str, [*corner, 7])) for corner in CORNERS.tolist())]
        rows += [" ".join(map(str, [len(strip), *strip])) for strip in strips]
        return content + "\n".join([*rows, ""]).encode()
    order = "<" if "little" in form else ">"
    for corner in CORNERS.tolist():
        content += struct.pack(f"{order}3fB", *corner, 7)
    for strip in strips:
        content += struct.pack(f"{order}{len(strip) + 1}i", len(strip), *strip)
    return content


@pytest.mark.parametrize("form", ["ascii", "binary_little_endian", "binary_big_endian"])
@pytest.mark.parametrize("strips", STRIPS.values(), ids=STRIPS)
def test_strips_of_triangles(tmp_path, form, strips):
    path = tmp_path / "strips.ply"
    path.write_bytes(ply(strips, form))
    mesh = read_mesh(path)
    np.testing.assert_array_equal(mesh.vertices, CORNERS)
    expected = {tuple(sorted(face)) for face in itertools.combinations(range(4), 3)}
    assert {tuple(sorted(face)) for face in mesh.faces.tolist()} == expected
    assert len(mesh.faces) == 4
    # Closed and wound alike, for every edge is gone along once in each direction.
    edges = [tuple(face[[i, (i + 1) % 3]].tolist()) for face in mesh.faces for i in range(3)]
    assert len(set(edges)) == 12
    assert center(mesh).remarks == ()


@pytest.mark.parametrize("form", ["ascii", "binary_little_endian"])
def test_strips_that_are_cut_off(tmp_path, form):
    path = tmp_path / "strips.ply"
    path.write_bytes(ply(STRIPS["one"], form)[:-4])
    with pytest.raises(FormatError, match="it ends before its last element"):
        read_mesh(path)


# ---------------------------------------------------------------------------------------------------- names of MNIST


def idx(shape):
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + bytes(int(np.prod(shape)))


NAMES = {
    "usual": (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ),
    "dots": (
        "train-images.idx3-ubyte",
        "train-labels.idx1-ubyte",
        "t10k-images.idx3-ubyte",
        "t10k-labels.idx1-ubyte",
    ),
    "underscores": (
        "train_images_idx3_ubyte",
        "train_labels_idx1_ubyte",
        "test_images_idx3_ubyte",
        "test_labels_idx1_ubyte",
    ),
    "EMNIST": tuple(
        f"emnist-digits-{part}-{kind}-ubyte"
        for part in ("train", "test")
        for kind in ("images-idx3", "labels-idx1")
    ),
    "short": ("train-images.idx3", "train-labels.idx1", "t10k-images.idx3", "t10k-labels.idx1"),
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("in_folders", [False, True])
def test_usual_names_of_mnist(tmp_path, names, in_folders):
    for name, shape in zip(names, [(6, 28, 28), (6,), (4, 28, 28), (4,)], strict=True):
        folder = tmp_path / name if in_folders else tmp_path
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(idx(shape))
    mnist = read_mnist(tmp_path)
    assert (len(mnist.train), len(mnist.test)) == (6, 4)


def test_several_data_sets_in_one_folder_are_refused(tmp_path):
    for name, shape in zip(NAMES["EMNIST"], [(6, 28, 28), (6,), (4, 28, 28), (4,)], strict=True):
        (tmp_path / name).write_bytes(idx(shape))
        shutil.copy(tmp_path / name, tmp_path / name.replace("digits", "letters"))
    with pytest.raises(
        FormatError, match=r"it has emnist-digits-train-images.*, emnist-letters-.*; it must have one"
    ):
        read_mnist(tmp_path)
