"""Rows of a frame are axes: what is multiplied by a frame comes out as the sums written here say."""

import numpy as np
import pytest

from holo_types import in_frame, rotation_between, turn_frame


def turned_about(axis, angle, vector):
    """Rotate by Rodrigues' formula, which needs no matrix."""
    axis = axis / np.linalg.norm(axis)
    across = np.cross(axis, vector)
    return vector * np.cos(angle) + across * np.sin(angle) + axis * (axis @ vector) * (1 - np.cos(angle))


def rotation_about(axis, angle):
    """Return the matrix whose columns are the rotated basis vectors."""
    return np.stack([turned_about(axis, angle, unit) for unit in np.eye(3)], axis=1)


def random_frames(count, seed):
    rng = np.random.default_rng(seed)
    return np.stack([rotation_about(rng.normal(size=3), rng.uniform(0, np.pi)) for _ in range(count)])


def test_components_are_projections_on_the_axes():
    vectors = np.random.default_rng(0).normal(size=(4, 5, 3))
    frames = random_frames(4, 1)
    found = in_frame(vectors, frames)
    for row in range(4):
        for n in range(5):
            expected = [vectors[row, n] @ axis for axis in frames[row]]
            np.testing.assert_allclose(found[row, n], expected, rtol=0, atol=1e-15)
        np.testing.assert_allclose(in_frame(vectors[row], frames[row]), found[row], rtol=0, atol=1e-15)


def test_a_turned_frame_has_turned_axes():
    axis, angle = np.array([1.0, -2.0, 0.5]), 0.7
    frames = random_frames(3, 2)
    for turned, frame in zip(turn_frame(frames, rotation_about(axis, angle)), frames, strict=True):
        for row in range(3):
            np.testing.assert_allclose(turned[row], turned_about(axis, angle, frame[row]), rtol=0, atol=1e-15)


def test_what_turns_with_its_frame_keeps_its_components():
    vectors, frame = np.random.default_rng(3).normal(size=(6, 3)), random_frames(1, 4)[0]
    axis, angle = np.array([0.3, 1.0, 1.0]), 2.5
    turned = np.stack([turned_about(axis, angle, vector) for vector in vectors])
    np.testing.assert_allclose(
        in_frame(turned, turn_frame(frame, rotation_about(axis, angle))),
        in_frame(vectors, frame),
        rtol=0,
        atol=1e-14,
    )


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_rotation_between_two_frames_takes_each_axis_to_its_own(kind):
    start, end = random_frames(5, 5).astype(kind), random_frames(5, 6).astype(kind)
    rotations = rotation_between(start, end)
    assert rotations.dtype == kind
    for rotation, before, after in zip(rotations, start, end, strict=True):
        for row in range(3):
            np.testing.assert_allclose(
                rotation @ before[row], after[row], rtol=0, atol=4 * np.finfo(kind).eps
            )
    one = rotation_between(np.eye(3), end)
    np.testing.assert_allclose(one[2] @ np.eye(3)[0], end[2, 0], rtol=0, atol=1e-7)
