"""Densities on a grid and in map files, against quadrature, plain formulas and other readers."""

import struct

import gemmi
import numpy as np
import pytest
from scipy.special import eval_jacobi, sph_harm_y
from scipy.stats import special_ortho_group

from holo_features import neighborhoods, read_structure, zernike_transform
from holo_features.datasets import example_structures
from holo_features.transforms.density import density_map, write_density_map
from holo_types import Basis, HoloError, Holograms, PointClouds, Zernike

BASIS = Basis(4, Zernike(8, 6.0), ("C", "N"))


@pytest.fixture(name="holograms")
def _holograms():
    return Holograms(np.random.default_rng(5).normal(size=(3, BASIS.dim)), BASIS)


def positions(density):
    return np.stack(np.meshgrid(*map(density.axis, range(3)), indexing="ij"), axis=-1)


def plain_density(holograms, row, points):
    """Return Σ Z R Y in the orthonormal basis, from scipy; zero beyond the cutoff."""
    basis = holograms.basis
    r = np.linalg.norm(points, axis=1)
    rho = r / basis.radial.cutoff
    x, y, z = (points / np.where(r == 0, 1, r)[:, None]).T
    polar, azimuth = np.arccos(y), np.arctan2(x, z)
    total = np.zeros((len(basis.channels), len(points)))
    for degree in range(basis.lmax + 1):
        block = holograms.degree(degree)[row].reshape(len(basis.channels), -1, 2 * degree + 1)
        for k in range(block.shape[1]):
            n = degree + 2 * k
            radial = np.sqrt(2 * n + 3) * rho**degree * eval_jacobi(k, 0, degree + 0.5, 2 * rho**2 - 1)
            for m in range(-degree, degree + 1):
                value = (-1) ** m * sph_harm_y(degree, abs(m), polar, azimuth) * np.sqrt(2 if m else 1)
                harmonic = value.imag if m < 0 else value.real
                total += block[:, k, degree + m, None] * radial * harmonic
    return total * (rho <= 1)


def test_the_grid_holds_the_density(holograms):
    density = density_map(holograms, row=1, spacing=0.7)
    assert density.values.shape == (2, 17, 17, 17)
    assert density.values.dtype == np.float64
    points = positions(density).reshape(-1, 3)
    expected = plain_density(holograms, 1, points)
    np.testing.assert_allclose(density.values.reshape(2, -1), expected, atol=1e-12 * np.abs(expected).max())
    beyond = np.linalg.norm(points, axis=1) > 6.0
    assert 0.3 < beyond.mean() < 0.7
    assert not density.values.reshape(2, -1)[:, beyond].any()


def test_float32_stays_float32(holograms):
    single = Holograms(holograms.coefficients.astype(np.float32), BASIS)
    density = density_map(single, spacing=2.0)
    assert density.values.dtype == np.float32
    double = density_map(holograms, spacing=2.0).values
    assert np.abs(density.values - double).max() < 1e-6 * np.abs(double).max()


def test_a_center_moves_the_map_and_grids_share_their_points(holograms):
    center = np.array([11.3, -40.2, 0.06])
    density = density_map(holograms, 2, 0.9, center)
    points = positions(density)
    np.testing.assert_allclose(points / 0.9, np.round(points / 0.9), atol=1e-9)
    expected = plain_density(holograms, 2, points.reshape(-1, 3) - center)
    assert np.abs(density.values.reshape(2, -1) - expected).max() < 1e-11 * np.abs(expected).max()
    # No point of the lattice within the cutoff is left out.
    assert np.all(points.min(axis=(0, 1, 2)) - 0.9 < center - 6.0)
    assert np.all(points.max(axis=(0, 1, 2)) + 0.9 > center + 6.0)


def test_a_frame_turns_the_density_back():
    rotation = special_ortho_group.rvs(3, random_state=4)
    generator = np.random.default_rng(6)
    points = generator.normal(size=(30, 3))
    weights = generator.normal(size=(30, 2))
    offsets = np.array([0, 30])
    ordinary = zernike_transform(PointClouds(points, weights, offsets, BASIS.channels), BASIS, np.float64)
    # Rows of the frame are axes: in it a point has the coordinates frame @ x.
    framed = PointClouds(points @ rotation.T, weights, offsets, BASIS.channels)
    turned = density_map(zernike_transform(framed, BASIS, np.float64), spacing=1.1, frame=rotation)
    expected = density_map(ordinary, spacing=1.1).values
    assert np.abs(turned.values - expected).max() < 1e-12 * np.abs(expected).max()


@pytest.mark.parametrize("suffix", [".mrc", ".ccp4", ".map"])
def test_gemmi_reads_the_map_at_its_place(holograms, tmp_path, suffix):
    density = density_map(holograms, 0, 0.8, (5.0, -3.0, 100.0))
    path = tmp_path / f"nitrogen{suffix}"
    write_density_map(density, "N", path)
    ccp4 = gemmi.read_ccp4_map(str(path))
    values = np.array(ccp4.grid, copy=True)
    np.testing.assert_array_equal(values, density.values[1].astype(np.float32))
    start = [ccp4.header_i32(word) for word in (5, 6, 7)]
    cell = ccp4.grid.unit_cell
    for axis, (size, length) in enumerate(zip(values.shape, (cell.a, cell.b, cell.c), strict=True)):
        step = length / size
        coordinates = step * (start[axis] + np.arange(size))
        np.testing.assert_allclose(coordinates, density.axis(axis), atol=1e-4)


def test_the_header_is_the_one_of_the_format(holograms, tmp_path):
    """Read a map by the text of the MRC 2014 and CCP4 descriptions."""
    density = density_map(holograms, 0, 0.8, (5.0, -3.0, 100.0))
    path = tmp_path / "carbon.mrc"
    write_density_map(density, "C", path)
    content = path.read_bytes()
    integers = struct.unpack("<56i", content[:224])
    floats = struct.unpack("<56f", content[:224])
    sizes = density.values.shape[1:]
    assert integers[:3] == sizes
    assert integers[3] == 2  # float32
    assert integers[4:7] == density.first
    assert integers[7:10] == sizes
    assert floats[10:16] == pytest.approx((*(0.8 * size for size in sizes), 90, 90, 90))
    assert integers[16:19] == (1, 2, 3)
    assert integers[22:24] == (1, 0)  # a volume, no extended header
    assert floats[49:52] == pytest.approx([density.axis(axis)[0] for axis in range(3)])
    assert content[208:216] == b"MAP DD\0\0"
    data = np.frombuffer(content, "<f4", offset=1024).reshape(sizes[::-1]).transpose()
    np.testing.assert_array_equal(data, density.values[0].astype(np.float32))
    assert floats[19:22] == pytest.approx((data.min(), data.max(), data.mean()), rel=1e-5, abs=1e-6)


def test_the_map_of_a_residue_lies_on_its_atoms(tmp_path):
    structure = read_structure(example_structures()[0])
    basis = Basis(6, Zernike(20, 10.0), ("C", "N", "O", "S"))
    clouds = neighborhoods(structure, 10.0, basis.channels)
    alpha = structure.atoms.coord[(structure.atoms.atom_name == "CA") & (structure.atoms.element == "C")]
    density = density_map(zernike_transform(clouds[:1], basis), 0, 0.5, alpha[0])
    path = tmp_path / "carbon.ccp4"
    write_density_map(density, "C", path)
    grid = gemmi.read_ccp4_map(str(path)).grid
    atoms = structure.atoms
    near = np.linalg.norm(atoms.coord - alpha[0], axis=1)
    own = (near > 0) & (near < 5) & (atoms.element == "C")
    start = np.array(density.first) * 0.5

    def average(points):
        indices = np.round((points - start) / 0.5).astype(int)
        return np.mean([grid.get_value(*map(int, index)) for index in indices])

    # Carbon is where the carbon atoms are, and not where they would be about another center.
    assert average(atoms.coord[own]) > 5 * abs(average(atoms.coord[own] + 2.0))


def test_the_same_map_is_the_same_file_and_takes_the_old_one_s_place(holograms, tmp_path):
    path = tmp_path / "map.mrc"
    path.write_text("old")
    write_density_map(density_map(holograms, 0, 2.0), "C", path)
    first = path.read_bytes()
    write_density_map(density_map(holograms, 0, 2.0), "C", path)
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == ["map.mrc"]


def test_a_failed_write_leaves_the_old_file(holograms, tmp_path, monkeypatch):
    import mrcfile

    path = tmp_path / "map.mrc"
    path.write_text("old")

    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mrcfile, "new", full)
    with pytest.raises(HoloError, match=r"map\.mrc: cannot be written: No space left"):
        write_density_map(density_map(holograms, 0, 2.0), "C", path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["map.mrc"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"row": 3}, "row is 3; it must be one of the 3"),
        ({"spacing": 0.0}, "spacing is 0; it must be a length >= 0.012"),
        ({"spacing": float("nan")}, "spacing is nan"),
        ({"center": (0.0, 1.0)}, "center is .* 3 finite numbers"),
        ({"center": (0.0, 1.0, float("inf"))}, "center is .* 3 finite numbers"),
        ({"frame": np.zeros((3, 3))}, "three orthonormal axes"),
    ],
)
def test_refuses_a_bad_grid(holograms, arguments, message):
    with pytest.raises(HoloError, match=message):
        density_map(holograms, **arguments)


def test_refuses_a_sphere_and_names_what_it_does_not_know(holograms, tmp_path):
    sphere = Holograms(np.zeros((1, 1)), Basis(0, None, ("C",)))
    with pytest.raises(HoloError, match="of a sphere"):
        density_map(sphere)
    density = density_map(holograms, spacing=3.0)
    with pytest.raises(HoloError, match="channel is 'S'; it must be one of"):
        write_density_map(density, "S", tmp_path / "map.mrc")
    with pytest.raises(HoloError, match=r"map\.dx: the name of a map must end in \.mrc"):
        write_density_map(density, "C", tmp_path / "map.dx")
