"""Sets of meshes, their copies, and descriptors without training, against closed forms and hand-made layouts."""

import numpy as np
import pytest
import trimesh

from holo_features import (
    Copies,
    Mesh,
    deformed,
    distance_distribution,
    encode_copies,
    encode_mesh,
    encode_shape,
    mesh_set,
    shell_harmonics,
    turned,
)
from holo_features.spheres.deformation import simplified
from holo_features.spheres.descriptors import surface_points
from holo_features.spheres.meshes import center
from holo_types import FormatError, HoloError


def as_mesh(shape):
    return Mesh(np.array(shape.vertices), np.array(shape.faces))


def torus(rows=60, columns=40):
    return as_mesh(trimesh.creation.torus(1.0, 0.4, major_sections=rows, minor_sections=columns))


def sphere():
    return as_mesh(trimesh.creation.icosphere(subdivisions=4))


def test_splits_of_both_layouts(tmp_path):
    for name in ("chair/train/c1.off", "chair/test/c2.off", "test/table/t1.obj", "sofa/s1.stl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [(file.name, file.label, file.split) for file in mesh_set(tmp_path)]
    assert found == [
        ("chair/test/c2", "chair", "test"),
        ("chair/train/c1", "chair", "train"),
        ("sofa/s1", "sofa", None),
        ("test/table/t1", "table", "test"),
    ]


def test_a_class_of_trains_is_no_split(tmp_path):
    for name in ("Train/1.off", "Tree/2.off"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    assert [(file.label, file.split) for file in mesh_set(tmp_path)] == [("Train", None), ("Tree", None)]


@pytest.mark.parametrize("one", [True, False])
def test_a_set_with_tables(tmp_path, one):
    """SHREC17: a table for each split beside the folders, or one with a column for it."""
    for name in ("train_normal/000001.obj", "val_perturbed/000002.obj", "all/000003.obj", "all/000004.obj"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    head = "id,synsetId,subSynsetId,modelId"
    if one:
        rows = "000001,02,1,a,train\n000002,03,2,b,val\n000003,02,1,c,test\n"
        (tmp_path / "all.csv").write_text(f"{head},split\n{rows}")
    else:
        for split, row in (("train", "000001,02,1,a"), ("val", "000002,03,2,b"), ("test", "000003,02,1,c")):
            (tmp_path / f"{split}.csv").write_text(f"{head}\n{row}\n")
    found = {file.path.stem: (file.label, file.split) for file in mesh_set(tmp_path)}
    assert found == {
        "000001": ("02", "train"),
        "000002": ("03", "valid"),
        "000003": ("02", "test"),
        "000004": (None, None),
    }


@pytest.mark.parametrize(
    ("tables", "match"),
    [
        ({}, r"1\.off lies in no class folder; meshes must lie in folders named as their classes"),
        ({"train.csv": "id,label\n7,a\n"}, "names none of the 1 meshes; its ids must be the names of files"),
        ({"a.csv": "id,label,split\n1,a,later\n"}, "line 2 has the split 'later'; it must be train, val or"),
        ({"a.csv": "id,label,split\n1,a,val\n1,a,test\n"}, "says that 1 is for test; before it was valid"),
        (
            {"test.csv": "id,label\n1,a\n", "val.csv": "id,label\n1,a\n"},
            "1 is 'a', for valid; in another table it is 'a', for test",
        ),
    ],
)
def test_refuses_layouts_that_are_not_known(tmp_path, tables, match):
    (tmp_path / "1.off").touch()
    for name, text in tables.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(FormatError, match=match):
        mesh_set(tmp_path)


def test_a_deformation_is_affine_and_a_smooth_field():
    """Without the field, positions are an affine map of the mesh's; with it, nearby points move alike."""
    mesh = torus()
    centered = center(mesh).vertices
    stretched = deformed(mesh, np.random.default_rng(1), stretch=0.3, noise=0.0).vertices
    linear, *_ = np.linalg.lstsq(centered, stretched, rcond=None)
    assert np.allclose(centered @ linear, stretched, atol=1e-9)
    assert np.allclose(linear, linear.T, atol=1e-9)
    assert (np.linalg.eigvalsh(linear) > 0).all()
    moves = deformed(mesh, np.random.default_rng(1), stretch=0.0, noise=0.1).vertices - centered
    near = np.linalg.norm(centered[:, None] - centered[None, :200], axis=2)
    apart = np.linalg.norm(moves[:, None] - moves[None, :200], axis=2)
    assert apart[near < 0.05].max() < 0.05 < apart[near > 1].mean()


def test_the_field_has_the_strength_and_the_length_that_are_promised():
    """Over many draws, displacements have standard deviation 0.1 and correlation exp(-d²/2ℓ²), ℓ = 0.5."""
    box = as_mesh(trimesh.creation.box())
    points = center(box).vertices
    moves = [
        deformed(box, np.random.default_rng(seed), stretch=0.0, noise=0.1).vertices - points
        for seed in range(400)
    ]
    covariance = np.einsum("dnx,dmx->nm", moves, moves) / (3 * len(moves)) / 0.01
    squares = ((points[:, None] - points) ** 2).sum(axis=2)
    assert covariance == pytest.approx(np.exp(-squares / (2 * 0.5**2)), abs=0.12)


def test_turned_meshes_have_the_same_power_in_every_degree():
    holograms = [
        encode_shape(shape, lmax=4, bandwidth=40, dtype=np.float64).holograms
        for shape in (torus(), turned(torus(), np.random.default_rng(3)))
    ]
    for degree in range(5):
        first, second = (np.linalg.norm(each.degree(degree)[0, [0, 3]], axis=1) for each in holograms)
        assert first == pytest.approx(second, rel=0.03, abs=0.02)
    assert not np.allclose(holograms[0].coefficients, holograms[1].coefficients, atol=0.05)


def test_a_simplified_mesh_gives_nearly_the_same_hologram():
    mesh = torus(rows=120, columns=80)
    plain = simplified(mesh)
    assert len(plain.faces) < len(mesh.faces) / 2
    first, second = (
        encode_shape(each, lmax=8, bandwidth=30).holograms.coefficients[0, 6:] for each in (mesh, plain)
    )
    assert first @ second / np.linalg.norm(first) / np.linalg.norm(second) > 0.995
    assert simplified(torus(rows=20, columns=20)).faces.shape == (800, 3)


def test_distances_of_a_sphere_are_distributed_as_they_must_be():
    """On a unit sphere the distance d of two random points has the density d/2."""
    edges = np.linspace(0, 2, 11)
    assert distance_distribution(sphere(), 10) == pytest.approx(np.diff(edges**2) / 4, abs=0.004)


def test_harmonics_of_shells_of_a_sphere():
    """A sphere has its weight in the outermost shell and in degree 0, 1 / √(4π), in every pose."""
    found = shell_harmonics(sphere(), 8, 4)
    assert found[-1, 0] == pytest.approx(1 / np.sqrt(4 * np.pi))
    assert found[:-1].max() == 0
    assert found[-1, 1:].max() < 0.02  # of 20,000 points' noise
    first, second = (
        shell_harmonics(each, 8, 4) for each in (torus(), turned(torus(), np.random.default_rng(0)))
    )
    assert first == pytest.approx(second, abs=0.02)


def test_copies_do_not_depend_on_other_meshes_and_differ_from_one_another(tmp_path):
    write_off(tmp_path / "t.off", torus(rows=20, columns=12))
    copies = Copies(count=2, stretch=0.3, noise=0.1)
    first = encode_copies(tmp_path / "t.off", copies, name="a/t", label="a", lmax=3, bandwidth=8)
    again = encode_copies(tmp_path / "t.off", copies, name="a/t", label="a", lmax=3, bandwidth=8)
    other = encode_copies(tmp_path / "t.off", copies, name="b/t", label="a", lmax=3, bandwidth=8)
    assert first.holograms == again.holograms
    rows, others = first.holograms.coefficients, other.holograms.coefficients
    assert rows[0] == pytest.approx(others[0])
    assert not np.allclose(rows[1], others[1], atol=1e-3)
    assert first.holograms.index["copy"].tolist() == [0, 1, 2]
    assert rows[0] == pytest.approx(
        encode_mesh(tmp_path / "t.off", lmax=3, bandwidth=8).holograms.coefficients[0]
    )
    for kind in ("stretch", "noise"):
        with pytest.raises(HoloError, match=f"{kind} is -1.0; it must be a finite number"):
            deformed(torus(), np.random.default_rng(0), **{kind: -1.0})
    with pytest.raises(HoloError, match="count is 0; it must be at least 1"):
        surface_points(torus(), 0)


def write_off(path, mesh):
    lines = ["OFF", f"{len(mesh.vertices)} {len(mesh.faces)} 0"]
    lines += [" ".join(map(repr, row)) for row in mesh.vertices.tolist()]
    lines += [f"3 {a} {b} {c}" for a, b, c in mesh.faces.tolist()]
    path.write_text("\n".join(lines) + "\n")
