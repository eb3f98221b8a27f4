"""The Clebsch-Gordan coefficients of every layer, in e3nn's real basis and in float64."""

import hashlib
from functools import cache

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from .coupling import compute_coefficients
from .coupling_table import LMAX, read_table

__all__ = ["clebsch_gordan", "clebsch_gordan_digest"]


@cache
def _coefficients(l1: int, l2: int, l3: int) -> Tensor:
    known = max(l1, l2, l3) <= LMAX
    return torch.from_numpy(read_table()[l1, l2, l3] if known else compute_coefficients(l1, l2, l3))


def clebsch_gordan(l1: int, l2: int, l3: int) -> Float64[Tensor, "m1 m2 m3"]:
    """Return the tensor C that couples degrees l1 and l2 to l3, of Frobenius norm 1.

    For a rotation with Wigner matrices D: C[i, j, k] = Σ C[m, n, p] D1[m, i] D2[n, j] D3[p, k].

    Parameters
    ----------
    l1, l2, l3
        Degrees with ``|l1 - l2| <= l3 <= l1 + l2``.

    Returns
    -------
    Tensor
        Shape ``[2 l1 + 1, 2 l2 + 1, 2 l3 + 1]``, a copy.

    Raises
    ------
    ValueError
        If the degrees do not couple.

    Notes
    -----
    The numbers are those of ``e3nn.o3.wigner_3j`` (0.6), to 1e-14: whatever e3nn changes later, trained weights keep
    their meaning. Up to degree 10 they are read from a table and identical to the bit everywhere; above, they are
    computed, a hundred times as fast as in e3nn.

    Examples
    --------
    Two vectors couple to a vector by their cross product.

    >>> cross = clebsch_gordan(1, 1, 1) * 6**0.5
    >>> x, y = torch.eye(3, dtype=torch.float64)[:2]
    >>> torch.einsum("mnp,m,n->p", cross, x, y).round(decimals=9)
    tensor([0., 0., 1.], dtype=torch.float64)
    """
    if min(l1, l2) < 0 or not abs(l1 - l2) <= l3 <= l1 + l2:
        raise ValueError(
            f"clebsch_gordan: degrees {l1}, {l2} do not couple to {l3}; |l1 - l2| <= l3 <= l1 + l2 must hold"
        )
    return _coefficients(l1, l2, l3).clone()


def clebsch_gordan_digest(lmax: int = 10) -> str:
    """Return the SHA-256 of all coefficients with l2 <= l1 <= lmax and l3 <= lmax, rounded to 1e-9.

    Trained weights mean nothing in another basis or with another sign: a test compares this with its recorded value.

    Examples
    --------
    >>> clebsch_gordan_digest(1)[:8]
    '6373bbb8'
    """
    digest = hashlib.sha256()
    for l1 in range(lmax + 1):
        for l2 in range(l1 + 1):
            for l3 in range(l1 - l2, min(l1 + l2, lmax) + 1):
                digest.update(np.rint(_coefficients(l1, l2, l3).numpy() * 1e9).astype("<i8").tobytes())
    return digest.hexdigest()
