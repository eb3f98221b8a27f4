"""A pytest plugin that breaks one thing, named by HOLO_BREAK, before the regression tests run."""

import os
from collections.abc import Callable
from typing import Any

import torch

import holo_nn
import holo_vae.evaluation
import holo_vae.model


def _flip_one_clebsch_gordan_sign() -> None:
    """Flip the sign of one coefficient in every loaded network, behind the digest's back."""
    _after_loading(lambda network: _flip(network.encoder[0].tensor_square))


def _flip(tensor_square: torch.nn.Module) -> None:
    for name, table in tensor_square.named_buffers():
        if table.is_floating_point() and table.any():
            changed = table.clone().flatten()
            changed[changed.nonzero()[0]] *= -1
            owner, _, leaf = name.rpartition(".")
            setattr(tensor_square.get_submodule(owner), leaf, changed.view_as(table))
            return
    raise AssertionError("the tensor square has no table of coefficients")


def _transpose_wigner_D() -> None:
    """Rotate holograms by the transpose of D: the inverse rotation."""
    rotate = holo_nn.rotate
    holo_vae.evaluation.rotate = lambda x, irreps, rotation: rotate(x, irreps, rotation.mT)


def _perturb_one_weight() -> None:
    """Change one weight by a hundredth, behind the digest's back."""

    def perturb(network: torch.nn.Module) -> None:
        with torch.no_grad():
            network.encoder[0].linear.weights["1"][0, 0] += 0.01

    _after_loading(perturb)


def _after_loading(change: Callable[[Any], None]) -> None:
    read = holo_vae.model.read_model

    def read_and_change(folder: Any) -> Any:
        model = read(folder)
        digest = model.digest
        change(model.network)
        type(model).digest = property(lambda self: digest)
        return model

    holo_vae.loading.read_model = read_and_change


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
