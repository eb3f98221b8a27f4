"""Planar images on the sphere agree with the published program and with geometry, and record their rotations."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from holo_features import encode_images, project_images, sphere_grid, spherical_transform
from holo_features.spheres.images import image_rotations
from holo_types import HoloError, concatenate

GOLDEN = Path(__file__).parent / "golden"
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 28, 28)).astype(np.uint8)


def test_equals_the_published_program():
    with np.load(GOLDEN / "sphere_images.npz", allow_pickle=False) as recorded:
        images, rotations, expected = (recorded[name] for name in ("images", "rotations", "values"))
    values = project_images(images, rotations, bandwidth=8).values[:, 0]
    # Whole numbers: where rounding decides, one processor may give the next level.
    assert np.abs(values - expected).max() <= 1
    assert (values == expected).mean() > 0.99


def test_a_pixel_is_where_a_line_from_the_north_pole_puts_it():
    image = np.zeros((1, 28, 28))
    image[0, 6, 20] = 1
    values = project_images(image).values[0, 0]
    brightest = sphere_grid("driscoll-healy", 30).directions()[
        np.unravel_index(np.argmax(values), values.shape)
    ]
    on_plane = np.array([*(brightest[:2] / (1 - brightest[2]) * 2), -1])
    # The middle of the pixel, in the square of 3 × 3 about the south pole; a node is within two pixels.
    np.testing.assert_allclose(on_plane, [6.5 / 28 * 3 - 1.5, 20.5 / 28 * 3 - 1.5, -1], atol=6 / 28)


def test_turning_about_the_pole_shifts_the_columns():
    turn = Rotation.from_rotvec([0, 0, 2 * np.pi * 7 / 60]).as_matrix()
    plain = project_images(IMAGES).values
    turned = project_images(IMAGES, np.tile(turn, (12, 1, 1))).values
    # Of a noisy image; nodes on the border between two pixels, such as all with y = 0, may fall on either side.
    assert (np.abs(turned - np.roll(plain, 7, axis=3)) <= 1).mean() > 0.97
    assert (np.abs(turned - plain) <= 1).mean() < 0.8


def test_the_fixed_rotation_puts_the_middle_at_the_north_pole():
    images = np.zeros((1, 28, 28))
    images[0, 12:16, 12:16] = 1
    values = project_images(images, image_rotations(1, "fixed")).values[0, 0]
    assert values[0].min() > 0
    assert values[30:].max() == 0


def test_only_the_lower_hemisphere_shows_the_image():
    values = project_images(np.pad(IMAGES[:, 3:-3, 3:-3], ((0, 0), (3, 3), (3, 3)))).values
    assert values.max() == 255
    assert values[:, :, :26].max() == 0


@pytest.mark.parametrize("level", [0.0, -3.0])
def test_an_image_that_shows_nothing_is_zero(level):
    values = project_images(np.full((1, 28, 28), level)).values
    assert (values.max(), values.min()) == ((0, 0) if level == 0 else (255, 0))


# --- rotations ---------------------------------------------------------------------------------------------


def test_random_rotations_are_uniform():
    rotations = image_rotations(20000, seed=1)
    np.testing.assert_allclose(
        rotations @ rotations.swapaxes(1, 2), np.tile(np.eye(3), (20000, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotations), 1)
    # Over all rotations the mean is 0, that of the trace's square 1, of its fourth power 3; four standard errors.
    np.testing.assert_allclose(rotations.mean(axis=0), 0, atol=4 * np.sqrt(1 / 3 / 20000))
    trace = np.trace(rotations, axis1=1, axis2=2)
    assert np.mean(trace**2) == pytest.approx(1, abs=4 * np.sqrt(2 / 20000))
    assert np.mean(trace**4) == pytest.approx(3, abs=4 * np.std(trace**4) / np.sqrt(20000))


def test_rotations_depend_on_the_seed_and_not_on_the_count():
    np.testing.assert_array_equal(image_rotations(5, seed=3), image_rotations(50, seed=3)[:5])
    assert not np.allclose(image_rotations(5, seed=3), image_rotations(5, seed=4))


def test_ten_images_have_one_rotation_in_chunks():
    rotations = image_rotations(25, "chunks", 5)
    np.testing.assert_array_equal(rotations, np.repeat(image_rotations(3, "each", 5), 10, axis=0)[:25])
    assert image_rotations(0, "chunks").shape == (0, 3, 3)


# --- holograms ---------------------------------------------------------------------------------------------


def test_encodes_in_chunks_and_records_the_rotation():
    images = np.tile(IMAGES, (100, 1, 1))[:1020]
    labels = np.arange(1020) % 10
    parts = list(encode_images(images, labels, lmax=4, bandwidth=8, seed=9))
    assert [len(part) for part in parts] == [1000, 20]
    holograms = concatenate(parts)
    assert list(holograms.index) == ["image", "label", "rotation"]
    assert holograms.index["image"].tolist() == list(range(1020))
    assert holograms.index["label"].tolist() == labels.tolist()
    recorded = [list(map(float, text.split())) for text in holograms.index["rotation"][990:1010].tolist()]
    rotations = Rotation.from_quat(recorded, scalar_first=True).as_matrix()
    np.testing.assert_allclose(rotations, image_rotations(1020, seed=9)[990:1010], atol=1e-14)
    expected = spherical_transform(project_images(images[990:1010], rotations, 8), 4)
    np.testing.assert_allclose(
        holograms.coefficients[990:1010],
        expected.coefficients,
        atol=2e-2 * np.abs(expected.coefficients).max(),
    )


def test_begins_where_it_is_told_to():
    whole = concatenate(list(encode_images(IMAGES, lmax=3, bandwidth=5, rotation="chunks")))
    rest = concatenate(list(encode_images(IMAGES, lmax=3, bandwidth=5, rotation="chunks", start=7)))
    assert whole[7:].index == rest.index
    np.testing.assert_array_equal(whole.coefficients[7:], rest.coefficients)
    assert list(encode_images(IMAGES, start=12)) == []


def test_keeps_the_dtype_and_labels_that_are_text():
    [holograms] = encode_images(IMAGES[:2], ["shoe", "bag"], lmax=2, rotation="fixed", dtype=np.float64)
    assert holograms.coefficients.dtype == np.float64
    assert holograms.index["label"].tolist() == ["shoe", "bag"]


# --- refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "match"),
    [
        (np.zeros((2, 0, 28)), r"images is float64 \[2, 0, 28\]; it must be numbers"),
        (np.zeros((2, 4, 4), dtype=complex), "it must be numbers"),
        (np.full((1, 4, 4), np.nan), "not a finite number"),
    ],
)
def test_refuses_what_is_no_image(images, match):
    with pytest.raises(HoloError, match=match):
        project_images(images)


def test_refuses_rotations_that_do_not_fit():
    with pytest.raises(HoloError, match="not a rotation"):
        project_images(IMAGES[:1], np.full((1, 3, 3), 0.5))
    with pytest.raises(HoloError, match="not a rotation"):
        project_images(IMAGES[:1], -np.eye(3)[None])


def test_refuses_labels_of_another_number():
    with pytest.raises(HoloError, match="there are 3 labels; there must be 12"):
        next(encode_images(IMAGES, [1, 2, 3]))


def test_refuses_a_negative_seed():
    with pytest.raises(HoloError, match="seed is -1; it must be an integer >= 0"):
        image_rotations(3, seed=-1)
