"""A pytest plugin that breaks one thing, named by HOLO_BREAK, before the regression tests run."""

import os
from typing import Any

import torch

import holo_nn
import holo_nn.tensor_square
import holo_vae.evaluation
import holo_vae.loading


def _flip_one_clebsch_gordan_sign() -> None:
    """Flip the sign of one coefficient that couples l = 1 with itself, behind the digest's back."""
    pair = holo_nn.tensor_square._Pair
    coupling = pair.coupling

    def flipped(self: Any) -> torch.Tensor:
        table = coupling(self).clone()
        if (self.l1, self.l2) == (1, 1):
            row, column = table.nonzero()[-1]
            table[row, column] *= -1
        return table

    pair.coupling = flipped


def _transpose_wigner_D() -> None:
    """Rotate holograms by the transpose of D: the inverse rotation."""
    rotate = holo_nn.rotate
    holo_vae.evaluation.rotate = lambda x, irreps, rotation: rotate(x, irreps, rotation.mT)


def _perturb_one_weight() -> None:
    """Change one weight by a hundredth, behind the digest's back."""
    read = holo_vae.loading.read_model

    def read_and_perturb(folder: Any) -> Any:
        model = read(folder)
        digest = model.digest
        with torch.no_grad():
            model.network.encoder[0].linear.weights["1"][0, 0] += 0.01
        type(model).digest = property(lambda self: digest)
        return model

    holo_vae.loading.read_model = read_and_perturb


def _upstream_sign_change() -> None:
    """Let e3nn give the coefficients of one triple with the other sign."""
    from e3nn import o3

    wigner_3j = o3.wigner_3j

    def flipped(l1: int, l2: int, l3: int, *arguments: Any, **options: Any) -> torch.Tensor:
        sign = -1 if (l1, l2, l3) == (2, 1, 1) else 1
        return sign * wigner_3j(l1, l2, l3, *arguments, **options)

    o3.wigner_3j = flipped


BREAKS = {
    "clebsch-gordan": _flip_one_clebsch_gordan_sign,
    "e3nn": _upstream_sign_change,
    "wigner": _transpose_wigner_D,
    "weight": _perturb_one_weight,
}


def pytest_configure() -> None:
    """Break the thing, if one is named."""
    if name := os.environ.get("HOLO_BREAK"):
        BREAKS[name]()
