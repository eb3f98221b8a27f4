"""A pytest plugin that breaks one thing, named by HOLO_BREAK, before the regression tests run."""

import importlib
import os
from collections.abc import Callable
from typing import Any

import torch

import holo_nn
import holo_vae.evaluation.equivariance
import holo_vae.networks.loading
import holo_vae.networks.storage


def _change_coefficients(
    degrees: tuple[int, int, int], change: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    """Change the Clebsch-Gordan coefficients of one triple at their source."""
    module = importlib.import_module("holo_nn.so3.clebsch_gordan")
    coefficients = module._coefficients

    def changed(*wanted: int) -> torch.Tensor:
        values: torch.Tensor = coefficients(*wanted)
        return change(values) if wanted == degrees else values

    module._coefficients = changed  # type: ignore[attr-defined]


def _flip_one_clebsch_gordan_sign() -> None:
    """Flip the sign of one coefficient that couples l = 1 with itself, behind the digest's back."""
    digest = holo_nn.clebsch_gordan_digest()
    holo_vae.networks.storage.clebsch_gordan_digest = lambda: digest

    def flip(values: torch.Tensor) -> torch.Tensor:
        flipped = values.clone()
        flipped[tuple(values.nonzero()[-1])] *= -1
        return flipped

    _change_coefficients((1, 1, 2), flip)


def _transpose_wigner_D() -> None:
    """Rotate holograms by the transpose of D: the inverse rotation."""
    rotate = holo_nn.rotate
    holo_vae.evaluation.equivariance.rotate = lambda x, irreps, rotation: rotate(x, irreps, rotation.mT)


def _perturb_one_weight() -> None:
    """Change one weight by a hundredth, behind the digest's back."""
    read = holo_vae.networks.loading.read_folder

    def read_and_perturb(folder: Any, kinds: Any) -> Any:
        model = read(folder, kinds)
        digest = model.digest
        with torch.no_grad():
            model.network.encoder[0].linear.weights["1"][0, 0] += 0.01
        type(model).digest = property(lambda self: digest)
        return model

    holo_vae.networks.loading.read_folder = read_and_perturb


def _change_of_sign() -> None:
    """Return the coefficients with the sign of one triple reversed."""
    _change_coefficients((2, 1, 1), torch.neg)


def _times_ten() -> None:
    """Make decoders return everything ten times as large, without a change of the digest."""
    read = holo_vae.networks.loading.read_folder

    def read_and_scale(folder: Any, kinds: Any) -> Any:
        model = read(folder, kinds)
        digest = model.digest
        with torch.no_grad():
            for weights in model.network.final_projection.parameters():
                weights.mul_(10)
        type(model).digest = property(lambda self: digest)
        return model

    holo_vae.networks.loading.read_folder = read_and_scale


def _change_of_sign_in_the_pure_form() -> None:
    """Reverse the sign of products of two different degrees where no compiled loop computes them."""
    square = importlib.import_module("holo_nn.layers.tensor_square").TensorSquare
    products = square._products

    def changed(self: Any, pieces: list[torch.Tensor], pair: Any) -> torch.Tensor:
        values: torch.Tensor = products(self, pieces, pair)
        return values if pair.l1 == pair.l2 else -values

    square._products = changed


BREAKS = {
    "clebsch-gordan": _flip_one_clebsch_gordan_sign,
    "sign": _change_of_sign,
    "wigner": _transpose_wigner_D,
    "weight": _perturb_one_weight,
    "scale": _times_ten,
    "pure sign": _change_of_sign_in_the_pure_form,
}


def pytest_configure() -> None:
    """Break the thing, if one is named."""
    if name := os.environ.get("HOLO_BREAK"):
        BREAKS[name]()
