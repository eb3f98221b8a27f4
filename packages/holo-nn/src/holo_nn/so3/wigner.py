"""Wigner D matrices from rotation matrices, and the rotation of features."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from .constants import kept
from .irreps import (
    IrrepsLike,
    as_rows,
    check_features,
    join_terms,
    like_input,
    read_irreps,
    split_terms,
    terms_of,
)
from .precision import full_precision

__all__ = ["rotate", "wigner_D"]


@kept
def _recursion(degree: int) -> tuple[Tensor, Tensor]:
    """Return the matrices A, [2l+1, 3(2l-1)], and B, [3, 2l-1, 2l+1], of D^l = A (D¹ ⊗ D^(l-1)) B, for l >= 2.

    Ivanic and Ruedenberg write D^l_mn = u U + v V + w W (their table 1), where U, V and W are sums of products
    D¹_ij D^(l-1)_ab (their table 2). Each coefficient is a number of (m, i, a) times a number of (n, j, b):
    these are A and B.
    """
    shape = (2 * degree + 1, 3, 2 * degree - 1)
    left, right = np.zeros(shape), np.zeros(shape)

    def add(matrix: NDArray[np.float64], m: int, i: int, a: int, value: float) -> None:
        matrix[m + degree, i + 1, a + degree - 1] += value

    for m in range(-degree, degree + 1):
        size, sign = abs(m), 1 if m >= 0 else -1
        if size < degree:
            root = ((degree + m) * (degree - m)) ** 0.5
            add(left, m, 0, m, root)
            add(right, m, 0, m, 1 / root)
        else:
            root = (2 * degree * (2 * degree - 1)) ** 0.5
            add(right, m, 1, sign * (degree - 1), 1 / root)
            add(right, m, -1, -sign * (degree - 1), -sign / root)
        if m == 0:
            v = -((degree * (degree - 1) / 2) ** 0.5)
            add(left, 0, 1, 1, v)
            add(left, 0, -1, -1, v)
            continue
        v = ((degree + size - 1) * (degree + size)) ** 0.5 / 2
        if size == 1:
            add(left, m, sign, 0, v * 2**0.5)
        else:
            add(left, m, 1, sign * (size - 1), v)
            add(left, m, -1, -sign * (size - 1), -sign * v)
        if size < degree - 1:
            w = -(((degree - size - 1) * (degree - size)) ** 0.5) / 2
            add(left, m, 1, sign * (size + 1), w)
            add(left, m, -1, -sign * (size + 1), sign * w)
    right = np.ascontiguousarray(right.transpose(1, 2, 0))
    return torch.from_numpy(left.reshape(2 * degree + 1, -1)), torch.from_numpy(right)


def _without_transforms(tensor: Tensor) -> Tensor | None:
    """Return the numbers of all samples behind `torch.vmap` and similar transforms; None if they are not accessible."""
    functorch = torch._C._functorch
    while functorch.is_functorch_wrapped_tensor(tensor):
        batched = functorch.is_batchedtensor(tensor)
        where = functorch.maybe_get_bdim(tensor) if batched else None
        tensor = functorch.get_unwrapped(tensor)
        if where is not None:
            tensor = tensor.movedim(where, 0)
    return None if functorch.is_legacy_batchedtensor(tensor) else tensor


def _check_rotations(given: Tensor) -> None:
    if torch.compiler.is_compiling() or given.is_meta:
        return  # there are no numbers yet
    rotations = _without_transforms(given.detach())
    if rotations is None:
        return
    identity = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
    tolerance = torch.finfo(rotations.dtype).eps ** 0.5
    deviation = (rotations @ rotations.mT - identity).abs().amax().item() if rotations.numel() else 0.0
    if not deviation <= tolerance:
        raise ValueError(
            f"rotations: R Rᵀ differs from the identity by {deviation:.1e}; "
            f"it must be by at most {tolerance:.1e}"
        )
    if not (torch.linalg.det(rotations) > 0).all():
        raise ValueError(
            "rotations: a determinant is -1, a reflection; every determinant must be +1; for an inversion, use the "
            "argument `inversion` of `rotate`"
        )


def _chain(lmax: int, rotations: Tensor) -> list[Tensor]:
    """Compute the matrices of degrees 0..lmax."""
    # Rotations are innermost, [row, column, rotations]: each step is then two large matrix products with sums along
    # long rows in between, in place of many small products.
    turn = rotations.reshape(-1, 3, 3).permute(1, 2, 0).contiguous()
    count = turn.shape[2]
    matrices = [torch.ones_like(turn[:1, :1]), turn]
    previous = turn
    for degree in range(2, lmax + 1):
        left, right = (matrix.to(rotations) for matrix in _recursion(degree))
        size, below = 2 * degree + 1, 2 * degree - 1
        rows = (left.view(size * 3, below) @ previous.reshape(below, -1)).view(size, 3, below, count)
        first, second, third = rows.unbind(1)
        products = [
            torch.addcmul(torch.addcmul(first * turn[0, j], second, turn[1, j]), third, turn[2, j])
            for j in range(3)
        ]
        columns = torch.cat([product.transpose(0, 1) for product in products]).view(3 * below, -1)
        # Columns come out first, which is the transpose, that is, the matrix of the inverse. So the next step takes the
        # inverse rotations, and every other matrix is transposed back.
        previous = (right.flatten(0, 1).mT @ columns).view(size, size, count)
        turn = turn.transpose(0, 1)
        matrices.append(previous if degree % 2 else previous.transpose(0, 1))
    shape = rotations.shape[:-2]
    return [matrix.permute(2, 0, 1).reshape(*shape, *matrix.shape[:2]) for matrix in matrices[: lmax + 1]]


def wigner_D(l: int, rotations: Float[Tensor, "*rows 3 3"]) -> Float[Tensor, "*rows m m"]:  # noqa: E741
    """Compute the Wigner D matrices of one degree, in e3nn's real basis.

    Y(R x) = D(R) Y(x); D(R₁ R₂) = D(R₁) D(R₂); D¹(R) = R, because the components of degree 1 are (x, y, z).

    Parameters
    ----------
    l
        The degree.
    rotations
        Rotation matrices R, x' = R x, ``[..., 3, 3]``.

    Returns
    -------
    Tensor
        Shape ``[..., 2l+1, 2l+1]``, in the dtype of the rotations; differentiable. In float64 it is accurate to 1e-12
        up to l = 14 and beyond.

    Raises
    ------
    ValueError
        If the degree is negative, or a matrix is not orthonormal (to the square root of the rounding error of its
        dtype), or is a reflection.

    Notes
    -----
    The recursion of Ivanic and Ruedenberg, J. Phys. Chem. 100, 6342 (1996), with the corrections of
    J. Phys. Chem. A 102, 9099 (1998). Their order of the components of degree 1, (y, z, x) with pole z, is
    (x, y, z) with pole y: e3nn's.

    Examples
    --------
    A half turn about y leaves the component xz of degree 2 unchanged, and reverses the sign of xy.

    >>> half_turn = torch.diag(torch.tensor([-1.0, 1.0, -1.0]))
    >>> wigner_D(2, half_turn).diagonal().round()
    tensor([ 1., -1.,  1., -1.,  1.])
    """
    if l < 0:
        raise ValueError(f"wigner_D: the degree is {l}; it must be 0 or more")
    with full_precision(rotations.device):
        _check_rotations(rotations)
        return _chain(l, rotations)[l]


def rotate(
    features: Float[Tensor, "*batch dim"],
    irreps: IrrepsLike,
    rotations: Float[Tensor, "*rows 3 3"],
    inversion: Bool[Tensor, "*some"] | bool = False,
) -> Float[Tensor, "*batch dim"]:
    """Rotate features, and optionally invert them: x' = D(R) x, times the parity of each irrep.

    Parameters
    ----------
    features
        ``[..., irreps.dim]``.
    irreps
        The irreps of the features.
    rotations
        One rotation matrix ``[3, 3]`` for all samples, or one for each, ``[..., 3, 3]``. The D matrices are computed in
        the dtype of the rotations, and cast to that of the features.
    inversion
        Whether space is also inverted through the origin, for all samples or for each, ``[...]``, which changes the
        sign of odd irreps. A reflection is a rotation followed by the inversion; its matrix is -R.

    Raises
    ------
    ValueError
        If a shape does not fit, or the matrices are not rotations (see `wigner_D`).

    Examples
    --------
    >>> quarter_turn = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    >>> rotate(torch.tensor([[7.0, 1.0, 2.0, 3.0]]), "1x0e+1x1e", quarter_turn)
    tensor([[ 7., -2.,  1.,  3.]])
    >>> rotate(torch.tensor([[7.0, 1.0, 2.0, 3.0]]), "1x0e+1x1o", quarter_turn, inversion=True)
    tensor([[ 7.,  2., -1., -3.]])
    """
    read = read_irreps(irreps)
    check_features(features, read)
    samples = tuple(features.shape[:-1])
    if rotations.shape[-2:] != (3, 3) or tuple(rotations.shape[:-2]) not in ((), samples):
        raise ValueError(
            f"rotations has shape {list(rotations.shape)}; it must be [3, 3] or {[*samples, 3, 3]}, one a sample"
        )
    if isinstance(inversion, Tensor) and tuple(inversion.shape) not in ((), samples):
        raise ValueError(
            f"inversion has shape {list(inversion.shape)}; it must be [] or {list(samples)}, one a sample"
        )
    terms, odd = terms_of(read), [term.ir.p == -1 for term in read if term.mul]
    rows = as_rows(features)
    with full_precision(rotations.device):
        _check_rotations(rotations)
        turns = rotations if rotations.ndim == 2 else rotations.reshape(rows.shape[0], 3, 3)
        matrices = _chain(max((degree for _, degree in terms), default=0), turns)
        turned = [
            piece @ matrices[degree].mT.to(piece)
            for piece, (_, degree) in zip(split_terms(rows, terms), terms, strict=True)
        ]
        if inversion is not False:
            sign = torch.where(torch.as_tensor(inversion, device=rows.device).reshape(-1, 1, 1), -1, 1)
            turned = [
                piece * sign.to(piece) if inverted else piece
                for piece, inverted in zip(turned, odd, strict=True)
            ]
        return like_input(join_terms(turned, rows), features)
