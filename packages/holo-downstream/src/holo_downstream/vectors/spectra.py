"""Invariants of holograms that need no network."""

import math

import numpy as np
from jaxtyping import Float

from holo_types import Holograms

__all__ = ["full_power_spectrum", "power_spectrum", "scalar_coefficients"]


def scalar_coefficients(holograms: Holograms) -> Float[np.ndarray, "n m"]:
    """Return the l = 0 coefficients, the part of a hologram that is invariant by itself.

    Parameters
    ----------
    holograms
        The holograms of n rows; m is the number of channels times radial orders at l = 0.

    Returns
    -------
    Float[ndarray, "n m"]
        The coefficients, in the order of the basis.

    Examples
    --------
    >>> from holo_types import Basis
    >>> holograms = Holograms(np.eye(4), Basis(lmax=1, radial=None, channels=("image",)))
    >>> scalar_coefficients(holograms).ravel().tolist()
    [1.0, 0.0, 0.0, 0.0]
    """
    return holograms.coefficients[:, : holograms.basis.multiplicity(0)]


def power_spectrum(holograms: Holograms) -> Float[np.ndarray, "n m"]:
    """Return the norm of each channel, radial order and degree: invariants of all degrees, without mixed products.

    Parameters
    ----------
    holograms
        The holograms of n rows; m = Σ_l channels times radial orders.

    Returns
    -------
    Float[ndarray, "n m"]
        sqrt(Σ_m' x²) over the orders m' = -l..l, in the order of the basis, degrees ascending; at l = 0 these
        are the absolute values of `scalar_coefficients`.

    Examples
    --------
    >>> from holo_types import Basis
    >>> basis = Basis(lmax=1, radial=None, channels=("image",))
    >>> power_spectrum(Holograms(np.array([[-2.0, 3.0, 0.0, 4.0]]), basis)).tolist()
    [[2.0, 5.0]]
    """
    degrees = range(holograms.basis.lmax + 1)
    return np.hstack([np.linalg.norm(holograms.degree(degree), axis=2) for degree in degrees])


def full_power_spectrum(holograms: Holograms) -> Float[np.ndarray, "n m"]:
    """Return all products of two channels and radial orders within a degree, as in SOAP.

    Parameters
    ----------
    holograms
        The holograms of n rows; m = Σ_l M_l (M_l + 1) / 2, where M_l is channels times radial orders of degree l.

    Returns
    -------
    Float[ndarray, "n m"]
        Σ_m' x_a x_b / √(2l + 1) over the orders m' = -l..l for a <= b, degrees ascending.

    Notes
    -----
    Bartók, Kondor, Csányi, *Phys. Rev. B* 87, 184115 (2013).

    Examples
    --------
    >>> from holo_types import Basis
    >>> basis = Basis(lmax=0, radial=None, channels=("a", "b"))
    >>> full_power_spectrum(Holograms(np.array([[2.0, 3.0]]), basis)).tolist()
    [[4.0, 6.0, 9.0]]
    """
    parts = []
    for degree in range(holograms.basis.lmax + 1):
        block = holograms.degree(degree)
        products = block @ block.transpose(0, 2, 1) / math.sqrt(2 * degree + 1)
        parts.append(products[:, *np.triu_indices(block.shape[1])])
    return np.hstack(parts).astype(holograms.coefficients.dtype, copy=False)
