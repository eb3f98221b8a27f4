"""Meshes on the sphere: closed forms, every ray against every face, symmetry, and unusual or bad meshes."""

import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from scipy.spatial.transform import Rotation

from holo_features import (
    Mesh,
    encode_mesh,
    mesh_files,
    read_mesh,
    read_shape_labels,
    shape_images,
    sphere_grid,
    spherical_transform,
)
from holo_features.spheres.meshes import center
from holo_types import FormatError, HoloError

DIRECTIONS = {b: sphere_grid("driscoll-healy", b).directions() for b in (8, 12, 20, 90)}


def box(a=1.0, b=1.0, c=1.0, lid=True):
    """Return a box with half sides a, b, c; without a lid it is open toward +z."""
    vertices = np.array([[x, y, z] for x in (-a, a) for y in (-b, b) for z in (-c, c)])
    sides = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    quads = np.array(sides if lid else sides[:5])
    return Mesh(vertices, np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]]))


def surface(point, rows, columns):
    """Return a closed surface from point(u, v), which is periodic in both."""
    u, v = np.meshgrid(
        2 * np.pi * np.arange(rows) / rows, 2 * np.pi * np.arange(columns) / columns, indexing="ij"
    )
    number = np.arange(rows * columns).reshape(rows, columns)
    right, down = np.roll(number, -1, axis=1), np.roll(number, -1, axis=0)
    across = np.roll(right, -1, axis=0)
    faces = np.stack([number, down, right, right, down, across], axis=-1).reshape(-1, 3)
    return Mesh(np.stack(point(u, v), axis=-1).reshape(-1, 3), faces)


def torus(large=1.0, small=0.4, rows=60, columns=40):
    def point(u, v):
        ring = large + small * np.cos(v)
        return ring * np.cos(u), ring * np.sin(u), small * np.sin(v)

    return surface(point, rows, columns)


def icosphere(divisions):
    golden = (1 + np.sqrt(5)) / 2
    corners = [[0, s, t * golden] for s in (-1, 1) for t in (-1, 1)]
    vertices = np.array([np.roll(corner, shift) for corner in corners for shift in range(3)], dtype=float)
    near = np.linalg.norm(vertices[:, None] - vertices, axis=2) < 2.1
    numbers = range(12)
    faces = [
        (i, j, k)
        for i in numbers
        for j in numbers
        for k in numbers
        if i < j < k and near[i, j] and near[j, k] and near[i, k]
    ]
    triangles = vertices[np.array(faces)]
    for _ in range(divisions):
        a, b, c = np.moveaxis(triangles, 1, 0)
        ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
        triangles = np.concatenate(
            [np.stack(t, axis=1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
        )
    triangles /= np.linalg.norm(triangles, axis=2, keepdims=True)
    return Mesh(triangles.reshape(-1, 3), np.arange(triangles.size // 3).reshape(-1, 3))


def soup(faces, seed):
    """Return triangles at random positions."""
    generator = np.random.default_rng(seed)
    middles = generator.normal(size=(faces, 1, 3))
    corners = middles + generator.normal(size=(faces, 3, 3)) * generator.choice(
        [0.05, 0.5, 2.0], size=(faces, 1, 1)
    )
    return Mesh(corners.reshape(-1, 3), np.arange(3 * faces).reshape(-1, 3))


def turned(mesh):
    """Rotate the mesh so that no ray lies on an edge, where it would hit either of two faces."""
    return Mesh(mesh.vertices @ Rotation.from_rotvec([0.3, -0.2, 0.5]).as_matrix(), mesh.faces)


def every_ray_and_face(mesh, bandwidth):
    """Compute the first three images, ray by ray and face by face after Möller and Trumbore."""
    corners = mesh.vertices[mesh.faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    corners = corners - np.average(corners.mean(axis=1), axis=0, weights=areas)
    corners /= np.linalg.norm(corners, axis=2).max()
    rays = DIRECTIONS[bandwidth].reshape(-1, 1, 3)
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    toward = np.cross(-rays, second)
    determinant = (first * toward).sum(axis=2)
    offset = rays - corners[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        u = (offset * toward).sum(axis=2) / determinant
        across = np.cross(offset, first)
        v = (across * -rays).sum(axis=2) / determinant
        distance = (across * second).sum(axis=2) / determinant
        hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (distance >= -1e-12)
    distance = np.where(hit, distance, np.inf)
    nearest = np.argmin(distance, axis=1)
    met = hit.any(axis=1)
    normals = np.cross(first, second)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    cosine = np.abs((normals[nearest] * rays[:, 0]).sum(axis=1))
    images = (
        np.where(met, distance.min(axis=1), 1),
        np.where(met, np.sqrt(1 - cosine**2), 0),
        np.where(met, cosine, 0),
    )
    return np.stack(images).reshape(3, 2 * bandwidth, 2 * bandwidth), met


def relative(value, expected):
    return np.abs(value - expected).max() / np.abs(expected).max()


# --- closed forms ------------------------------------------------------------------------------------------


def test_a_box():
    sides = np.array([1.0, 2.0, 0.5])
    moved = box(*sides)
    images, remarks = shape_images(Mesh(7 * (moved.vertices + np.array([0.1, -0.2, 0.3])), moved.faces), 20)
    assert remarks == ()
    with np.errstate(divide="ignore"):
        reach = sides / np.abs(DIRECTIONS[20])
    cosine = np.take_along_axis(np.abs(DIRECTIONS[20]), reach.argmin(axis=-1)[..., None], -1)[..., 0]
    expected = np.stack([1 - reach.min(axis=-1) / np.linalg.norm(sides), np.sqrt(1 - cosine**2), cosine])
    np.testing.assert_allclose(images.values[0, :3], expected, atol=1e-14)
    np.testing.assert_allclose(images.values[0, 3:], expected, atol=1e-14)  # it is its own hull
    assert images.channels == ("distance", "sine", "cosine", "hull_distance", "hull_sine", "hull_cosine")


def test_a_sphere_has_no_direction():
    images, _ = shape_images(icosphere(4), 20)
    assert np.abs(images.values[0, [0, 3]]).max() < 3e-3
    np.testing.assert_allclose(images.values[0, [2, 5]], 1, atol=2e-3)
    holograms = spherical_transform(images, 10, np.float64)
    cosines = holograms.degree(0)[0, 2, 0]
    assert cosines == pytest.approx(np.sqrt(4 * np.pi), rel=2e-3)
    assert max(np.abs(holograms.degree(degree)[0, 2]).max() for degree in range(1, 6)) < 1e-3


def test_an_open_box_is_seen_through():
    # Its centroid is 0.2 below the middle; rays through the missing lid meet the bottom or the sides beyond.
    images, remarks = shape_images(box(lid=False), 20)
    up = DIRECTIONS[20]
    radius = np.sqrt(2 + 1.2**2)
    ahead = np.minimum(
        1 / np.abs(up[..., :2]).max(axis=-1), np.where(up[..., 2] > 0, 1.2, 0.8) / np.abs(up[..., 2])
    )
    behind = np.minimum(1 / np.abs(up[..., :2]).max(axis=-1), 0.8 / np.abs(up[..., 2]))
    through = (up[..., 2] > 0) & (1.2 / np.abs(up[..., 2]) < 1 / np.abs(up[..., :2]).max(axis=-1))
    expected = np.where(through, 1 + behind / radius, 1 - ahead / radius)
    np.testing.assert_allclose(images.values[0, 0], expected, atol=1e-14)
    np.testing.assert_allclose(images.values[0, 3], 1 - ahead / radius, atol=1e-14)  # the hull has a lid
    assert remarks == (
        "not watertight: 4 edges have one face, 0 more than two",
        f"{through.sum()} of 1600 rays meet it beyond the centroid only",
    )


def test_a_torus_is_missed_through_its_hole():
    images, remarks = shape_images(torus(), 20)
    # Seen from the middle, the tube fills the angles up to asin(0.4) on either side of its plane.
    away = np.abs(np.pi / 2 - sphere_grid("driscoll-healy", 20).colatitudes)
    missed = (images.values[0, :3] == np.array([1.0, 0.0, 0.0])[:, None, None]).all(axis=0)
    assert missed[away > np.arcsin(0.4) + 0.01].all()
    assert not missed[away < np.arcsin(0.4) - 0.01].any()
    assert remarks == (f"{missed.sum()} of 1600 rays miss the surface",)
    # A ray at the angle a meets the tube at large cos a + sqrt(small² - large² sin² a).
    rows = away < 0.35
    reach = np.cos(away[rows]) + np.sqrt(0.4**2 - np.sin(away[rows]) ** 2)
    np.testing.assert_allclose(1.4 * (1 - images.values[0, 0, rows]), np.tile(reach[:, None], 40), atol=6e-3)


# --- every ray and face ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mesh",
    [soup(4, 0), soup(60, 1), soup(400, 2), turned(torus(1.0, 0.9, 30, 20)), box(1e-4), turned(icosphere(1))],
)
def test_equals_every_ray_against_every_face(mesh):
    images, remarks = shape_images(mesh, 12)
    expected, met = every_ray_and_face(mesh, 12)
    np.testing.assert_allclose(
        images.values[0, :3], expected, atol=1e-7
    )  # the expected sine has 1e-8 near zero
    missed = [remark for remark in remarks if "miss" in remark]
    assert missed == ([] if met.all() else [f"{np.sum(~met)} of 576 rays miss the surface"])


@given(st.integers(0, 10**6), st.integers(2, 30))
@settings(max_examples=60, deadline=None)
def test_equals_every_ray_against_every_face_of_any_triangles(seed, faces):
    mesh = soup(faces, seed)
    np.testing.assert_allclose(
        shape_images(mesh, 8)[0].values[0, :3], every_ray_and_face(mesh, 8)[0], atol=1e-6
    )


def test_no_ray_slips_between_slivers():
    # Two thousand faces of a tall prism, each a hundred times as long as wide.
    angles = 2 * np.pi * np.arange(500) / 500
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    vertices = np.concatenate([np.c_[ring, np.full(500, height)] for height in (3.0, -3.0)])
    vertices = np.concatenate([vertices, [[0, 0, 3.0], [0, 0, -3.0]]])
    here = np.arange(500)
    there = (here + 1) % 500
    top, bottom = np.full(500, 1000), np.full(500, 1001)
    columns = [
        (here, here + 500, there),
        (there, here + 500, there + 500),
        (top, here, there),
        (bottom, there + 500, here + 500),
    ]
    images, remarks = shape_images(Mesh(vertices, np.concatenate([np.stack(c, axis=1) for c in columns])), 90)
    assert remarks == ()
    reach = np.minimum(
        1 / np.hypot(*np.moveaxis(DIRECTIONS[90], -1, 0)[:2]), 3 / np.abs(DIRECTIONS[90][..., 2])
    )
    np.testing.assert_allclose(images.values[0, 0], 1 - reach / np.sqrt(10), atol=3e-5)


# --- symmetry ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mesh", [soup(50, 5), torus(1.0, 0.9, 30, 20)])
def test_order_winding_scale_and_place_do_not_matter(mesh):
    generator = np.random.default_rng(0)
    numbers = generator.permutation(len(mesh.vertices))
    faces = np.argsort(numbers)[mesh.faces[generator.permutation(len(mesh.faces))]]
    wound = np.where(generator.random((len(faces), 1)) < 0.5, faces, faces[:, ::-1])
    expected = shape_images(mesh, 12)[0].values
    again = Mesh(mesh.vertices[numbers], wound)
    np.testing.assert_allclose(shape_images(again, 12)[0].values, expected, atol=1e-11)
    moved = Mesh(1e-3 * mesh.vertices[numbers] + [0.01, -0.02, 0.03], wound)
    np.testing.assert_allclose(shape_images(moved, 12)[0].values, expected, atol=1e-9)


@pytest.mark.parametrize("turn", [[0, 0, 2 * np.pi * 5 / 24], [np.pi, 0, 0]])
def test_turns_of_the_grid_turn_the_images_exactly(turn):
    mesh = soup(50, 6)
    plain = shape_images(mesh, 12)[0].values
    value = shape_images(Mesh(mesh.vertices @ Rotation.from_rotvec(turn).as_matrix().T, mesh.faces), 12)[
        0
    ].values
    about_z = turn[0] == 0
    expected = np.roll(plain, 5, axis=3) if about_z else np.roll(plain[:, :, ::-1, ::-1], 1, axis=3)
    assert relative(value, expected) < 1e-12


@pytest.mark.parametrize("seed", [0, 1])
def test_a_rotated_mesh_has_nearly_the_same_power(seed):
    # Images of meshes are not band-limited: what is left is the aliasing of edges on the grid of bandwidth 90.
    mesh = torus(1.0, 0.9, 30, 20)
    rotation = Rotation.random(random_state=np.random.default_rng(seed)).as_matrix()
    power = []
    for vertices in (mesh.vertices, mesh.vertices @ rotation.T):
        holograms = spherical_transform(shape_images(Mesh(vertices, mesh.faces))[0], 14, np.float64)
        power.append([np.linalg.norm(holograms.degree(degree), axis=2)[0] for degree in range(15)])
    assert relative(np.array(power[1]), np.array(power[0])) < 1e-2


# --- what is unusual ---------------------------------------------------------------------------------------


def test_names_several_bodies_and_a_far_centroid():
    first, second = box().vertices, box().vertices + np.array([9.0, 0, 0])
    both = Mesh(np.concatenate([first, second]), np.concatenate([box().faces, box().faces + 8]))
    remarks = shape_images(Mesh(both.vertices + np.array([0, 100.0, 0]), both.faces), 12)[1]
    assert "several bodies: 2" in remarks
    assert any(remark.startswith("off center: its centroid is 17.6 times its radius") for remark in remarks)
    assert any(remark.endswith("rays miss the surface") for remark in remarks)


def test_leaves_out_faces_without_area():
    faces = np.concatenate([box().faces, [[0, 0, 1], [2, 2, 2], [0, 8, 1]]])
    vertices = np.concatenate([box().vertices, [[-1.0, -1.0, 0.5], [50, 50, 50]]])
    images, remarks = shape_images(Mesh(vertices, faces), 12)
    assert remarks == ("3 of 15 faces have no area and are left out",)
    np.testing.assert_allclose(images.values, shape_images(box(), 12)[0].values, atol=1e-14)


def test_equal_positions_are_one_vertex():
    split = Mesh(box().vertices[box().faces].reshape(-1, 3), np.arange(36).reshape(-1, 3))
    assert center(split).remarks == ()
    assert len(center(split).vertices) == 8


def test_a_vertex_in_no_face_may_be_anything():
    vertices = np.concatenate([box().vertices, [[np.nan, np.inf, 0]]])
    assert shape_images(Mesh(vertices, box().faces), 8)[1] == ()


@pytest.mark.parametrize(
    ("vertices", "faces", "match"),
    [
        (np.full((3, 3), 2.0), [[0, 1, 2]], "all its vertices are at one point"),
        ([[0, 0, 0], [1, 1, 1], [2, 2, 2]], [[0, 1, 2]], "no face has an area"),
        ([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]], "all its vertices lie in one plane"),
        (
            [[0, 0, 5], [1, 0, 5], [0, 1, 5], [1, 1, 5]],
            [[0, 1, 2], [1, 3, 2]],
            "all its vertices lie in one plane",
        ),
        ([[0, 0, 0], [1, 0, 0], [0, np.nan, 0]], [[0, 1, 2]], r"vertex 2 is at \[0\.0, nan, 0\.0\]"),
        ([[0, 0, 0], [1, 0, 0], [0, np.inf, 0]], [[0, 1, 2]], "positions must be finite numbers"),
    ],
)
def test_refuses_what_has_no_shape(vertices, faces, match):
    mesh = Mesh(np.array(vertices, dtype=float), np.array(faces), "a/chair.off")
    with pytest.raises(HoloError, match="a/chair.off: .*" + match):
        shape_images(mesh, 8)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_sizes_near_the_ends_of_float64(scale):
    images, remarks = shape_images(Mesh(scale * box().vertices, box().faces), 8)
    assert remarks == ()
    np.testing.assert_allclose(images.values, shape_images(box(), 8)[0].values, atol=1e-14)


# --- files -------------------------------------------------------------------------------------------------


def off(mesh):
    lines = [f"OFF\n{len(mesh.vertices)} {len(mesh.faces)} 0"]
    lines += [" ".join(map(repr, vertex)) for vertex in mesh.vertices.tolist()]
    return (
        "\n".join([*lines, *("3 " + " ".join(map(str, face)) for face in mesh.faces.tolist())]).encode()
        + b"\n"
    )


def obj(mesh):
    lines = ["mtllib no.mtl"] + ["v " + " ".join(map(repr, vertex)) for vertex in mesh.vertices.tolist()]
    lines += ["usemtl a"] + ["f " + " ".join(str(i + 1) for i in face) for face in mesh.faces[:5].tolist()]
    lines += ["usemtl b"] + ["f " + " ".join(str(i + 1) for i in face) for face in mesh.faces[5:].tolist()]
    return "\n".join(lines).encode() + b"\n"


def ascii_stl(mesh):
    facets = []
    for triangle in mesh.vertices[mesh.faces].tolist():
        corners = "\n".join("vertex " + " ".join(map(repr, corner)) for corner in triangle)
        facets.append(f"facet normal 0 0 1\nouter loop\n{corners}\nendloop\nendfacet")
    return "\n".join(["solid made", *facets, "endsolid made"]).encode() + b"\n"


def binary_stl(mesh):
    body = b"".join(
        struct.pack("<12fH", 0, 0, 0, *triangle.ravel(), 0) for triangle in mesh.vertices[mesh.faces]
    )
    return bytes(80) + struct.pack("<I", len(mesh.faces)) + body


def ascii_ply(mesh):
    header = (
        f"ply\nformat ascii 1.0\nelement vertex {len(mesh.vertices)}\nproperty double x\nproperty double y\n"
        f"property double z\nelement face {len(mesh.faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    rows = [" ".join(map(repr, vertex)) for vertex in mesh.vertices.tolist()]
    rows += ["3 " + " ".join(map(str, face)) for face in mesh.faces.tolist()]
    return (header + "\n".join(rows) + "\n").encode()


FORMATS = {"a.off": off, "a.OBJ": obj, "a.stl": ascii_stl, "b.stl": binary_stl, "a.ply": ascii_ply}


@pytest.mark.parametrize("name", FORMATS)
def test_reads_every_format(tmp_path, name):
    mesh = box(1.0, 0.5, 0.25)
    path = tmp_path / name
    path.write_bytes(FORMATS[name](mesh))
    encoded = encode_mesh(path, lmax=5, bandwidth=8, label="box", dtype=np.float64)
    expected = spherical_transform(shape_images(mesh, 8)[0], 5, np.float64)
    np.testing.assert_allclose(encoded.holograms.coefficients, expected.coefficients, atol=1e-12)
    assert encoded.remarks == ()
    index = encoded.holograms.index
    assert {column: index[column].tolist() for column in index} == {"structure": [name[0]], "label": ["box"]}


def test_reads_polygons_comments_and_a_header_without_a_line_of_its_own(tmp_path):
    path = tmp_path / "quads.off"
    vertices = "\n".join(" ".join(map(str, vertex)) for vertex in box().vertices.tolist())
    quads = "4 0 1 3 2\n4 4 6 7 5\n4 0 4 5 1\n4 2 3 7 6\n4 0 2 6 4\n4 1 5 7 3"
    path.write_text(f"# a box\nOFF8 6 0\n{vertices}\n{quads}\n")
    assert encode_mesh(path, bandwidth=8, lmax=3).remarks == ()


def refuse(path, match):
    with pytest.raises(FormatError, match=match) as caught:
        read_mesh(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.off", b"", "is empty"),
        ("a.off", b"no mesh", r"damaged, or no \.off file"),
        ("a.off", off(box())[:-20], "damaged"),
        ("a.off", b"OFF\n3 0 0\n0 0 0\n1 0 0\n0 1 0\n", "it has no face|damaged"),
        ("a.off", off(box()).replace(b"3 0 1 3\n", b"3 0 1 99\n"), "damaged"),
        ("a.off", b"OFF\n999999999999 1 0\n0 0 0\n3 0 0 0\n", "damaged"),
        ("a.ply", ascii_ply(box())[:-20], "damaged"),
        ("a.ply", b"ply\n", "damaged"),
        ("a.stl", binary_stl(box())[:-10], "damaged|it has no face"),
        ("a.obj", b"v 0 0 0\n", "damaged|it has no face"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "damaged|a face has a vertex"),
        ("a.txt", b"OFF", "it must end in one of"),
    ],
)
def test_refuses_what_is_no_mesh(tmp_path, name, content, match):
    path = tmp_path / name
    path.write_bytes(content)
    refuse(path, match)


def test_refuses_a_path_without_a_file(tmp_path):
    refuse(tmp_path / "no.off", "does not exist")
    (tmp_path / "folder.off").mkdir()
    refuse(tmp_path / "folder.off", "is a folder")


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_give_one_error_or_a_hologram(tmp_path, name, data):
    content = bytearray(FORMATS[name](box()))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / name
    path.write_bytes(
        content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    )
    try:
        encoded = encode_mesh(path, lmax=2, bandwidth=4)
    except HoloError as error:
        assert str(path) in str(error)  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert np.isfinite(encoded.holograms.coefficients).all()


# --- folders and labels ------------------------------------------------------------------------------------


def test_lists_files_with_their_classes(tmp_path):
    for name in ("chair/train/c1.off", "test/table/t1.obj", "readme.txt", "lone.ply"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = [(file.name, file.label) for file in mesh_files(tmp_path)]
    assert found == [("chair/train/c1", "chair"), ("lone", None), ("test/table/t1", "table")]


def test_refuses_a_folder_without_meshes(tmp_path):
    with pytest.raises(FormatError, match="there is no mesh file in the folder"):
        mesh_files(tmp_path)
    with pytest.raises(FormatError, match="is not a folder"):
        mesh_files(tmp_path / "no")


def test_reads_labels(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text(
        "id,synsetId,subSynsetId,modelId,split\n000003,02691156,1,a,train\n000007,02747177,2,b,train\n"
    )
    assert read_shape_labels(path) == {"000003": "02691156", "000007": "02747177"}
    path.write_text("file,class\nchair.off,seat\n")
    assert read_shape_labels(path) == {"chair": "seat"}


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", r"its columns are \[\]"),
        (b"id,what\n1,2\n", r"its columns are \['id', 'what'\]"),
        (b"id,label\n1,\n", "line 2 lacks a name or a label"),
        (b"id,label\n1\n", "line 2 lacks a name or a label"),
        (b"id,label\n1,a\n1,b\n", "line 3 calls 1 'b'; before it was 'a'"),
        (b"\xff\xfe\x00", "it is not a csv table"),
    ],
)
def test_refuses_what_is_no_table_of_labels(tmp_path, content, match):
    path = tmp_path / "labels.csv"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=match):
        read_shape_labels(path)


def test_trimesh_is_imported_when_a_mesh_is_read_only():
    program = "import sys, holo_features; holo_features.shape_images; assert 'trimesh' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
