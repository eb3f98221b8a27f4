"""Rate of the Zernike transform beside a plain evaluation with scipy, on the example structures.

Interleaved in one run, the median of several; first both must agree. ``nox -s bench -- holo-features``.
"""

import statistics
from timeit import timeit

import numpy as np
from numpy.typing import NDArray
from scipy.special import eval_jacobi, sph_harm_y

from holo_features import datasets, neighborhoods, read_structure, zernike_transform
from holo_types import Basis, PointClouds, Zernike

REPEATS = 7
CLOUDS = 100
BASIS = Basis(lmax=6, radial=Zernike(nmax=20, cutoff=10.0), channels=("C", "N", "O", "S"))


def plain_transform(clouds: PointClouds) -> NDArray[np.float64]:
    """Evaluate the definition: every radial function and harmonic at every point, one sum a cloud."""
    y_axis, z_axis, x_axis = clouds.coordinates.T  # m = -1, 0, 1 are (x, y, z) here, (y, z, x) in scipy
    r = np.linalg.norm(clouds.coordinates, axis=1)
    rho, theta, phi = r / 10.0, np.arccos(z_axis / r), np.arctan2(y_axis, x_axis)
    degrees = []
    for degree in range(BASIS.lmax + 1):
        harmonics = [_real_harmonic(degree, m, theta, phi) for m in range(-degree, degree + 1)]
        radial = [
            np.sqrt(2 * n + 3) * rho**degree * eval_jacobi((n - degree) // 2, 0, degree + 0.5, 2 * rho**2 - 1)
            for n in range(degree, 21, 2)
        ]
        degrees.append(np.einsum("pc,np,mp->pcnm", clouds.weights, radial, harmonics).reshape(len(r), -1))
    return np.add.reduceat(np.concatenate(degrees, axis=1), clouds.offsets[:-1], axis=0)


def _real_harmonic(
    degree: int, m: int, theta: NDArray[np.float64], phi: NDArray[np.float64]
) -> NDArray[np.float64]:
    if m == 0:
        return sph_harm_y(degree, 0, theta, phi).real
    value = (-1) ** m * np.sqrt(2) * sph_harm_y(degree, abs(m), theta, phi)
    return value.imag if m < 0 else value.real


def main() -> None:
    """Print the two rates and their ratio."""
    clouds = neighborhoods(read_structure(datasets.example_structures()[0]))[:CLOUDS]
    ours, plain = zernike_transform(clouds, BASIS).coefficients, plain_transform(clouds)
    assert np.abs(ours - plain).max() < 1e-6 * np.abs(plain).max(), "the two do not agree"
    functions = {
        "holo-features": lambda: zernike_transform(clouds, BASIS),
        "scipy": lambda: plain_transform(clouds),
    }
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(REPEATS):
        for name, function in functions.items():
            seconds[name].append(timeit(function, number=1))
    rates = {name: len(clouds) / statistics.median(values) for name, values in seconds.items()}
    atoms = len(clouds.coordinates) / len(clouds)
    print(f"neighbourhoods/s ({atoms:.0f} atoms each, lmax 6, nmax 20), median of {REPEATS}:")
    ratio = rates["holo-features"] / rates["scipy"]
    print(f"holo-features {rates['holo-features']:,.0f}, scipy {rates['scipy']:,.0f}, ratio {ratio:.1f}")


if __name__ == "__main__":
    main()
