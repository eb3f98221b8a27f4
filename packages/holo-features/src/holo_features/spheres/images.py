"""Planar images on a sphere, as in the spherical MNIST data set."""

from collections.abc import Iterator
from typing import Any, Literal

import attrs
import numpy as np
from jaxtyping import Float, Shaped
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy.spatial.transform import Rotation

from holo_features.transforms.grids import sphere_grid
from holo_features.transforms.spherical import spherical_transform
from holo_types import HoloError, Holograms, SphereImages

__all__ = ["ImageRotation", "encode_images", "image_rotations", "project_images"]

ImageRotation = Literal["each", "chunks", "fixed"]

# The published data set rotates ten consecutive images alike.
_ALIKE = 10
# Height of the projection's origin above the plane, which touches the unit sphere at its south pole: slightly above the
# north pole, as in the published data set.
_ORIGIN = 2 + 1e-3
# Half the side of the square in the plane that the image fills.
_REACH = 1.5
# No point above this z is in the image, seen from just above the north pole, except those within 1e-3 of that pole.
_TOP = 0.5
# Rows of one chunk of holograms.
_ROWS = 1000
# Images projected at once, so that intermediate arrays stay in the cache.
_BLOCK = 50


def image_rotations(
    count: int, rotation: ImageRotation = "each", seed: int = 0
) -> Float[np.ndarray, "images 3 3"]:
    """Draw the rotations of images.

    Parameters
    ----------
    count
        Number of images. The rotations of the first images do not depend on it.
    rotation
        ``"each"``: a uniformly random rotation for each image. ``"chunks"``: one for every ten images, as in the
        published data set. ``"fixed"``: the half turn about y for all, as in its images without rotation ("NR"), whose
        middle lies at the north pole.
    seed
        Seed of numpy's default generator.

    Raises
    ------
    HoloError
        If `rotation` is another word, or the seed is negative.

    Examples
    --------
    >>> image_rotations(2, "fixed")[1].tolist()
    [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]]
    """
    if rotation not in ("each", "chunks", "fixed"):
        raise HoloError(f"rotation is {rotation!r}; it must be 'each', 'chunks' or 'fixed'")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise HoloError(f"seed is {seed!r}; it must be an integer >= 0")
    if rotation == "fixed":
        return np.tile(np.diag([-1.0, 1.0, -1.0]), (count, 1, 1))
    alike = _ALIKE if rotation == "chunks" else 1
    # A normalized vector of four normal numbers is a uniformly distributed rotation as a quaternion.
    quaternions = np.random.default_rng(seed).normal(size=(-(-count // alike), 4))
    if count == 0:
        return np.zeros((0, 3, 3))
    return np.repeat(Rotation.from_quat(quaternions).as_matrix(), alike, axis=0)[:count]


def project_images(
    images: Shaped[np.ndarray, "n height width"],
    rotations: Float[np.ndarray, "n 3 3"] | None = None,
    bandwidth: int = 30,
) -> SphereImages:
    """Project planar images onto the lower hemisphere, and rotate them.

    The plane touches the sphere at its south pole. Seen from the north pole, the image fills the square of 1.5 radii on
    either side, with its rows along x and its columns along y. The values of each image are then scaled to 0..255 and
    truncated to integers. The spherical MNIST data set was made in this way.

    Parameters
    ----------
    images : Shaped[ndarray, "n height width"]
        Images of any real numbers.
    rotations : Float[ndarray, "n 3 3"], optional
        R of each image: the value at r̂ on the original sphere is at R r̂ on the rotated one. None for no rotation.
    bandwidth
        The bandwidth of the Driscoll-Healy grid.

    Returns
    -------
    SphereImages
        Images with one channel, ``image``, in float32. An image whose values are equal all over the sphere is zero.

    Raises
    ------
    HoloError
        If the images are not finite numbers [n, height, width], or the rotations not [n, 3, 3] with determinant 1.

    Notes
    -----
    Cohen, Geiger, Koehler and Welling, *Spherical CNNs*, ICLR 2018. Their program uses as a sample's neighbors the
    pixels before and after the one in which it lies, and weights each by the distance to the opposite neighbor, so that
    within a pixel the value goes from their mean to the next one's. Every published figure is based on such images. One
    thing is not reproduced: in one image of a thousand, a node within 1e-3 of the north pole shows the image's middle.
    The published rotation is the inverse of R here, and its angles are those of e3nn, whose pole is y.

    Examples
    --------
    >>> digit = np.zeros((1, 28, 28))
    >>> digit[:, 10:18, 10:18] = 1
    >>> values = project_images(digit).values[0, 0]
    >>> float(values[0].max()), float(values[-1].min())  # near the north pole, near the south pole
    (0.0, 255.0)
    """
    pixels: NDArray[Any] = np.asarray(images)
    if pixels.ndim != 3 or 0 in pixels.shape[1:] or pixels.dtype.kind not in "biuf":
        raise HoloError(
            f"project_images: images is {pixels.dtype} {list(pixels.shape)}; it must be numbers [n, height, width]"
        )
    if not np.isfinite(pixels).all():
        raise HoloError("project_images: images holds a value that is not a finite number")
    turns = np.eye(3)[None].repeat(len(pixels), axis=0) if rotations is None else np.asarray(rotations)
    if turns.shape != (len(pixels), 3, 3):
        raise HoloError(
            f"project_images: rotations has shape {list(turns.shape)}; it must be [{len(pixels)}, 3, 3], one an image"
        )
    orthonormal = np.allclose(turns @ turns.swapaxes(1, 2), np.eye(3), atol=1e-6)
    if not orthonormal or not (np.linalg.det(turns) > 0).all():
        raise HoloError("project_images: rotations holds a matrix that is not a rotation")
    directions = sphere_grid("driscoll-healy", bandwidth).directions()
    values = np.empty((len(pixels), 1, *directions.shape[:2]), dtype=np.float32)
    for start in range(0, len(pixels), _BLOCK):
        part = slice(start, start + _BLOCK)
        samples = _sampled(pixels[part], turns[part].swapaxes(1, 2) @ directions.reshape(-1, 3).T)
        values[part, 0] = _scaled(samples).reshape(-1, *directions.shape[:2])
    return SphereImages(values, "driscoll-healy", ("image",))


def _sampled(
    pixels: Shaped[np.ndarray, "n height width"], places: Float[np.ndarray, "n 3 nodes"]
) -> Float[np.ndarray, "n nodes"]:
    """Sample images, centered about the south pole, at positions on the unit sphere."""
    count, height, width = pixels.shape
    reached = places[:, 2] < _TOP
    x, y, z = (places[:, axis][reached] for axis in range(3))
    reach = -(z + 1) / (z + 1 - _ORIGIN)
    row = (reach * x + x + _REACH) / (2 * _REACH) * height
    column = (reach * y + y + _REACH) / (2 * _REACH) * width
    middle_row, middle_column = row.astype(np.int64), column.astype(np.int64)
    # Pixels beyond the border are zero. `before` and `after` count rows and columns of the padded image, from -1.
    bordered = np.zeros((count, height + 2, width + 2))
    bordered[:, 1:-1, 1:-1] = pixels
    image = np.repeat(np.arange(count) * (height + 2), np.count_nonzero(reached, axis=1))
    before, after = (image + np.clip(middle_row + side, 0, height + 1) for side in (0, 2))
    before, after = before * (width + 2), after * (width + 2)
    left, right = (np.clip(middle_column + side, 0, width + 1) for side in (0, 2))
    values = bordered.ravel()
    down, across = row - middle_row, column - middle_column
    lefts = (1 - down) * values[before + left] + (1 + down) * values[after + left]
    rights = (1 - down) * values[before + right] + (1 + down) * values[after + right]
    samples = np.zeros(reached.shape)
    samples[reached] = (1 - across) * lefts + (1 + across) * rights
    return samples


def _scaled(samples: Float[np.ndarray, "n nodes"]) -> Float[np.ndarray, "n nodes"]:
    """Scale the values of each image to integers 0..255."""
    lowest, highest = (reduce(samples, axis=1, keepdims=True) for reduce in (np.min, np.max))
    span = np.where(highest > lowest, highest - lowest, 1)
    levels: NDArray[np.float64] = np.floor((samples - lowest) / span * 255)
    return levels


def encode_images(
    images: Shaped[np.ndarray, "n height width"],
    labels: ArrayLike | None = None,
    *,
    lmax: int = 10,
    bandwidth: int = 30,
    rotation: ImageRotation = "each",
    seed: int = 0,
    start: int = 0,
    dtype: DTypeLike = np.float32,
) -> Iterator[Holograms]:
    """Encode planar images as holograms of their projections onto a sphere, see `project_images`.

    Parameters
    ----------
    images : Shaped[ndarray, "n height width"]
        Images of any real numbers.
    labels
        An integer or a text for each image, for the index column ``label``.
    lmax
        Highest degree, less than the bandwidth.
    bandwidth
        The bandwidth of the Driscoll-Healy grid.
    rotation, seed
        How the images are rotated; see `image_rotations`.
    start
        The first image to encode; the others are the same as without it.
    dtype
        float32 or float64, see `spherical_transform`.

    Yields
    ------
    Holograms
        Holograms of up to 1,000 images. The index has the columns ``image``, the position in `images`; ``label``, if
        labels are given; and ``rotation``, the quaternion "w x y z" of the image's rotation.

    Raises
    ------
    HoloError
        If a value is not valid, as in `project_images` and `spherical_transform`, or there is not one label per image.

    Examples
    --------
    >>> digits = np.arange(3 * 28 * 28).reshape(3, 28, 28) % 251
    >>> [holograms] = encode_images(digits, [7, 1, 7], rotation="fixed")
    >>> holograms.coefficients.shape, holograms.index["rotation"].tolist()[0]
    ((3, 121), '0.0 0.0 1.0 0.0')
    """
    count = len(images)
    if labels is not None and len(np.asarray(labels)) != count:
        raise HoloError(
            f"encode_images: there are {len(np.asarray(labels))} labels; there must be {count}, one an image"
        )
    rotations = image_rotations(count, rotation, seed)
    for first in range(start, count, _ROWS):
        rows = slice(first, first + _ROWS)
        projected = project_images(images[rows], rotations[rows], bandwidth)
        index: dict[str, ArrayLike] = {"image": np.arange(first, first + len(projected))}
        if labels is not None:
            index["label"] = np.asarray(labels)[rows]
        index["rotation"] = _quaternions(rotations[rows])
        yield spherical_transform(attrs.evolve(projected, index=index), lmax, dtype)


def _quaternions(rotations: Float[np.ndarray, "n 3 3"]) -> list[str]:
    """Write rotations as text from which they can be restored to rounding error."""
    quaternions = Rotation.from_matrix(rotations).as_quat(canonical=True, scalar_first=True) + 0.0
    return [" ".join(map(repr, row)) for row in quaternions.tolist()]
