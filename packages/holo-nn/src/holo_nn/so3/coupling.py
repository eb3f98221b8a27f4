"""Computation of Clebsch-Gordan coefficients: those of the table, and those of higher degrees."""

from functools import cache

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

__all__ = ["compute_coefficients"]

# Coefficients are either zero or much larger than this; smaller values are rounding errors in place of zero.
_ZERO = 1e-11


def _ladder(degree: int, m: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return sqrt(l(l+1) - m(m-1)), the factor of the lowering operator on the state m."""
    squares = np.asarray(degree * (degree + 1) - m * (m - 1), dtype=np.float64)
    roots: NDArray[np.float64] = np.sqrt(np.maximum(squares, 0.0))
    return roots


@cache
def _in_complex_basis(l1: int, l2: int) -> dict[int, NDArray[np.float64]]:
    """Compute <l1 m1, l2 m2 | l3 m3> for every l3, ``[m1, m2, m3]``.

    For each m3 they are the eigenvectors of J² = J1² + J2² + 2 J1z J2z + J1+ J2- + J1- J2+, which is tridiagonal in m1
    and has the eigenvalues l3(l3+1). They are accurate to rounding error, unlike sums of factorials and lowering from
    m3 = l3.
    """
    # A border of zeros around the states, so that neighbors need no special treatment.
    tables = {l3: np.zeros((2 * l1 + 2, 2 * l2 + 2, 2 * l3 + 1)) for l3 in range(abs(l1 - l2), l1 + l2 + 1)}
    for m3 in range(l1 + l2, -l1 - l2 - 1, -1):
        m1 = np.arange(max(-l1, m3 - l2), min(l1, m3 + l2) + 1)
        m2 = m3 - m1
        down1, down2 = _ladder(l1, m1 + 1), _ladder(l2, m2 + 1)
        exchange = down1[:-1] * down2[1:]
        states = np.linalg.eigh(np.diag(2.0 * m1 * m2) + np.diag(exchange, 1) + np.diag(exchange, -1))[1]
        for l3, state in zip(range(max(abs(l1 - l2), abs(m3)), l1 + l2 + 1), states.T, strict=True):
            table = tables[l3]
            if m3 == l3:  # the sign by Condon and Shortley: these alternate, and the last is positive
                like = (-1.0) ** (l1 - m1)
            else:  # the others follow by lowering
                above = table[:, :, l3 + m3 + 1]
                like = down1 * above[l1 + m1 + 1, l2 + m2] + down2 * above[l1 + m1, l2 + m2 + 1]
            table[l1 + m1, l2 + m2, l3 + m3] = state * np.sign(state @ like)
    return {l3: table[:-1, :-1] for l3, table in tables.items()}


def _to_real(degree: int) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Return the two factors of e3nn's real basis: component m is a[m] c[m] + b[m] c[-m] of the complex ones."""
    m = np.arange(-degree, degree + 1)
    sign, half = (-1.0) ** m, 0.5**0.5
    same = np.where(m > 0, sign * half, np.where(m < 0, -1j * half, 1))
    opposite = np.where(m > 0, half, np.where(m < 0, 1j * sign * half, 0))
    return (-1j) ** degree * same, (-1j) ** degree * opposite


def compute_coefficients(l1: int, l2: int, l3: int) -> Float64[np.ndarray, "m1 m2 m3"]:
    """Compute `holo_nn.clebsch_gordan` for degrees that couple."""
    values: NDArray[np.complex128] = _in_complex_basis(l1, l2)[l3].astype(np.complex128)
    for axis, degree in enumerate((l1, l2, l3)):
        shape = [-1 if each == axis else 1 for each in range(3)]
        same, opposite = (factor.reshape(shape) for factor in _to_real(degree))
        if axis == 2:
            same, opposite = same.conj(), opposite.conj()
        values = same * values + opposite * np.flip(values, axis)
    real = values.real / np.linalg.norm(values.real)
    return np.where(np.abs(real) < _ZERO, 0.0, real)
