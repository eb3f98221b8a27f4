"""Views of holograms and z: the sphere seen from its center, densities in a plane, and z in two dimensions."""

import numpy as np
from jaxtyping import Float
from sklearn.manifold import TSNE

from holo_features import inverse_zernike_transform, solid_harmonics
from holo_types import HoloError, Holograms

__all__ = ["camera", "common_pose", "density_slice", "in_plane", "sphere_view"]

# Frames within 45° of one another count as alike, as 2.5 % of random frames are; a fifth cannot be due to chance.
_ALIKE = 1 + 2 * np.cos(np.pi / 4)  # the trace of a rotation by 45°
_LEAST_SHARE = 0.2
_RIM = 1.1  # the squared radius to which a disc is filled


def camera(holograms: Holograms) -> Float[np.ndarray, "3 3"]:
    """Return the axes right, up and forward of a camera at the origin that looks toward most of the signal.

    Forward is the mean of the l = 1 coefficients, which points to the center of the signal. Up is as close to the x
    axis as possible.

    Parameters
    ----------
    holograms
        Holograms on the sphere.
    """
    forward = holograms.degree(1).mean(axis=(0, 1), dtype=np.float64) if holograms.basis.lmax else np.zeros(3)
    length = np.linalg.norm(forward)
    forward = forward / length if length > 0 else np.array([0.0, 0.0, 1.0])
    up = np.eye(3)[0] if abs(forward[0]) < 0.9 else np.eye(3)[1]
    up = up - (up @ forward) * forward
    up /= np.linalg.norm(up)
    return np.stack([np.cross(forward, up), up, forward])


def common_pose(frames: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, "3 3"] | None:
    """Return the frame to which the most frames are close, or None if they point in all directions.

    It is the pose in the canonical frame of rows that were not rotated. A mean would be wrong if there are two kinds of
    frames, as for a digit 1, whose ends are alike.
    """
    axes = frames.astype(np.float64)
    traces = np.einsum("aij,bij->ab", axes, axes)
    shares = (traces > _ALIKE).mean(axis=1)
    best = int(np.argmax(shares))
    return axes[best] if shares[best] > _LEAST_SHARE else None


def sphere_view(
    holograms: Holograms, axes: Float[np.ndarray, "3 3"], size: int = 96
) -> Float[np.ndarray, "n size size"]:
    """Evaluate the first channel on the half of the sphere in front of a camera at the center.

    The projection is Lambert's azimuthal projection, which preserves areas. The half sphere fills the disc of radius 1
    inside the square. A rim beyond the disc is evaluated as well, for a smooth edge, and the corners are NaN. Rows of
    pixels go from bottom to top.

    Parameters
    ----------
    holograms
        Holograms on the sphere.
    axes : Float[ndarray, "3 3"]
        The axes right, up and forward, as returned by `camera`.
    size
        The number of pixels along each side.
    """
    basis = holograms.basis
    across, up = np.meshgrid(*[(np.arange(size) + 0.5) / size * 2 - 1] * 2)
    squared = across**2 + up**2
    inside = squared <= _RIM
    # At distance ρ from the middle of the disc: cos θ = 1 - ρ², sin θ = ρ sqrt(2 - ρ²).
    stretch = np.sqrt(2 - squared[inside])
    directions = np.stack([across[inside] * stretch, up[inside] * stretch, 1 - squared[inside]], axis=1)
    harmonics = solid_harmonics(directions @ axes, basis.lmax)
    norm = np.sqrt(basis.angular_squared_norm)
    first = np.concatenate([holograms.degree(degree)[:, 0] for degree in range(basis.lmax + 1)], axis=1)
    values = np.full((len(holograms), size, size), np.nan)
    values[:, inside] = first @ harmonics / norm
    return values


def density_slice(holograms: Holograms, size: int = 64) -> Float[np.ndarray, "n channels size size"]:
    """Evaluate the densities in the plane z = 0 through the origin; they are 0 beyond the cutoff.

    Parameters
    ----------
    holograms
        Holograms in a basis with a Zernike radial part.
    size
        The number of pixels along each side.
    """
    basis = holograms.basis
    if basis.radial is None:
        raise HoloError("density_slice: the basis is of a sphere; it must have a Zernike radial part")
    x, y = np.meshgrid(*[((np.arange(size) + 0.5) / size * 2 - 1) * basis.radial.cutoff] * 2)
    points = np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3)
    values = inverse_zernike_transform(holograms, points)
    return values.reshape(len(holograms), len(basis.channels), size, size).astype(np.float64)


def in_plane(z: Float[np.ndarray, "n dim"], seed: int) -> tuple[Float[np.ndarray, "n 2"], str]:
    """Return z in two dimensions and the method: t-SNE, or principal components for few rows or dimensions."""
    z = z.astype(np.float64)
    if min(z.shape) > 2 and len(z) >= 30:
        points = TSNE(random_state=seed, perplexity=min(30, len(z) / 4)).fit_transform(z)
        return points.astype(np.float64), "t-SNE"
    centered = z - z.mean(axis=0)
    components = centered @ np.linalg.svd(centered, full_matrices=False)[2][:2].T
    return np.pad(components, ((0, 0), (0, 2 - components.shape[1]))), "principal components"
