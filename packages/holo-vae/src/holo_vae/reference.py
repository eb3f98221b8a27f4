"""The authors' checkpoints: their hyperparameters and state dict to a holo model.

The form is that of github gvisani/Holographic-VAE, commit 728b67c.
"""

import json
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from e3nn.o3 import Irreps
from torch import Tensor

from holo_nn import Block, connectivity
from holo_types import Basis, FormatError, HoloError, PointNormalization, Zernike

from .config import ModelConfig
from .model import Model
from .network import HolographicAutoencoder

__all__ = ["import_reference"]

_WEIGHTS = "lowest_total_loss_with_final_kl_model.pt"

# The settings that holo's architecture stands for; another value would be another network.
_EXPECTED: Mapping[str, object] = {
    "use_additive_skip_connections": True,
    "use_batch_norm": True,
    "norm_type": "signal",
    "norm_location": "between",
    "normalization": "component",
    "norm_affine": "per_l",
    "linearity_first": False,
    "learn_frame": True,
    "norm_nonlinearity": None,
    "norm_balanced": False,
    "bottleneck_hidden_dims": None,
    "weights_initializer": None,
    "filter_symmetric": True,
    "x_rec_loss_fn": "mse",
    "do_final_signal_norm": False,
}


def import_reference(folder: Path | str) -> Model:
    """Read a checkpoint of the authors' implementation.

    Rows of their linear layers that act on products that are identically zero are dropped.

    Parameters
    ----------
    folder
        Holds ``hparams.json`` and ``lowest_total_loss_with_final_kl_model.pt``.

    Returns
    -------
    Model
        Computes the same function; `encode` takes holograms in the authors' encoding (``floor`` radial
        functions, ``component`` harmonics).

    Raises
    ------
    FormatError
        If a file is missing, unreadable, or does not fit the other.
    HoloError
        If a setting has a value that holo does not know, naming it.
    """
    folder = Path(folder)
    path = folder / "hparams.json"
    try:
        hparams = json.loads(path.read_text(encoding="utf-8"))
        config = _config(hparams)
        scale = hparams["model_hparams"]["input_normalizing_constant"] if hparams["normalize_input"] else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, HoloError):
            raise HoloError(f"{path}: {error}") from None
        raise FormatError(f"{path}: cannot be read as the authors' hyperparameters ({error!r})") from None
    weights = folder / _WEIGHTS
    if not zipfile.is_zipfile(weights):
        raise FormatError(f"{weights}: is missing, or no state dict that torch.save has written")
    try:
        theirs = torch.load(weights, weights_only=True, map_location="cpu")
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0]
        raise FormatError(f"{weights}: cannot be read as a state dict ({reason})") from None
    network = HolographicAutoencoder(config)
    try:
        network.load_state_dict(_state_dict(network, theirs))
    except (KeyError, IndexError, RuntimeError, TypeError, AttributeError) as error:
        raise FormatError(f"{weights}: does not fit hparams.json ({error})") from None
    if scale is not None:
        network.scale.fill_(scale)
    return Model(network.eval(), name=folder.resolve().name, version="reference")


def _config(hparams: dict[str, Any]) -> ModelConfig:
    settings = hparams["model_hparams"]
    for name, expected in _EXPECTED.items():
        if settings[name] != expected:
            raise HoloError(f"{name} is {settings[name]!r}; holo knows {expected!r} only")
    if hparams.get("collected_lmax", hparams["lmax"]) != hparams["lmax"]:
        raise HoloError(
            f"collected_lmax is {hparams['collected_lmax']}; holo knows lmax, {hparams['lmax']}, only"
        )
    blocks = len(settings["ch_size_list"])
    degrees = settings["lmax_list"] or [min(2**i, settings["net_lmax"]) for i in reversed(range(blocks))]
    rules = {name: set(settings[name]) for name in ("ls_nonlin_rule_list", "ch_nonlin_rule_list")}
    for name, values in rules.items():
        if len(values) != 1:
            raise HoloError(f"{name} is {settings[name]}; holo knows one rule for all blocks only")
    if rules["ch_nonlin_rule_list"] != {"elementwise"}:
        raise HoloError(
            f"ch_nonlin_rule_list is {settings['ch_nonlin_rule_list']}; holo imports elementwise only"
        )
    normalizations: dict[str | None, PointNormalization] = {"square": "unit", None: "none"}
    if hparams["rst_normalization"] not in normalizations:
        raise HoloError(f"rst_normalization is {hparams['rst_normalization']!r}; it must be 'square' or null")
    channels = hparams.get("channels") or [str(i) for i in range(hparams["n_channels"])]
    sphere = hparams["rmax"] is None
    return ModelConfig(
        basis=Basis(
            lmax=hparams["lmax"],
            radial=None if sphere else Zernike(hparams["rmax"], hparams["rcut"], "floor"),
            channels=channels,
            angular_normalization="component",
            point_normalization="none" if sphere else normalizations[hparams["rst_normalization"]],
        ),
        latent_dim=settings["latent_dim"],
        lmax=tuple(degrees),
        channels=tuple(settings["ch_size_list"]),
        initial_projection=(
            settings["ch_initial_linear_projection"] if settings["do_initial_linear_projection"] else None
        ),
        variational=settings["is_vae"],
        connectivity=rules["ls_nonlin_rule_list"].pop(),
    )


def _state_dict(network: HolographicAutoencoder, theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    ours = {"scale": network.scale}
    for coder in ("encoder", "decoder"):
        for number, block in enumerate(getattr(network, coder)):
            source, target = f"{coder}_cg_blocks.{number}.layers.", f"{coder}.{number}."
            for name in ("weight", "bias", "running_mean", "running_var"):
                ours[f"{target}batch_norm.{name}"] = theirs[f"{source}0.{name}"]
            degrees = range(block.tensor_square.irreps_out.lmax + 1)
            ours[f"{target}signal_norm.weight"] = torch.cat(
                [theirs[f"{source}2.weights.{degree}"] for degree in degrees]
            )
            ours[f"{target}signal_norm.bias"] = theirs[f"{source}2.bias"]
            for degree in degrees:
                weight = theirs[f"{source}3.weights.{degree}"]
                live = _live_rows(block, network.config.connectivity, degree)
                if len(live) != len(weight):
                    raise RuntimeError(f"{source}3.weights.{degree} has {len(weight)} rows, not {len(live)}")
                ours[f"{target}linear.weights.{degree}"] = weight[live]
    linear = {
        "initial_linear_projection": "initial_projection",
        "final_linear_projection": "final_projection",
    }
    linear |= {"frame_learner": "frame_vectors", "first_decoder_projection": "frame_projection"}
    linear |= {"encoder_mean": "mean", "encoder_log_var": "log_variance", "decoder_bottleneck": "bottleneck"}
    for name, tensor in theirs.items():
        module, _, rest = name.partition(".")
        if module in linear:
            ours[f"{linear[module]}.{rest}"] = tensor
    return ours


def _live_rows(block: Block, rule: str, degree: int) -> Tensor:
    """Say which rows of the authors' linear act on products that are not identically zero."""
    irreps: Irreps = block.irreps_in
    channels = irreps[0].mul
    paths = connectivity(irreps.lmax, block.tensor_square.irreps_out.lmax, rule)
    live = [not (l1 == l2 and l3 % 2) for l1, l2, l3 in paths if l3 == degree]
    return torch.tensor(live).repeat_interleave(channels)
