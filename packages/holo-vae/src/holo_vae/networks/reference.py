"""Import of the authors' checkpoints: from their hyperparameters and state dict to a holo model.

The format is that of github gvisani/Holographic-VAE, commit 728b67c.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any, get_args

import torch
from torch import Tensor

from holo_nn import Block, connectivity
from holo_types import Basis, FormatError, HoloError, PointNormalization, Zernike
from holo_types.contents import read_content
from holo_types.reading import reads
from holo_vae.recipes.model import Connectivity, ModelConfig

from .model import Model
from .network import HolographicAutoencoder
from .state_dicts import read_state_dict

__all__ = ["import_reference"]

_WEIGHTS = "lowest_total_loss_with_final_kl_model.pt"

_MOST_CHANNELS = 1000

# The settings that holo can adopt, each with the values that it supports.
_KNOWN: Mapping[str, tuple[object, ...]] = {
    "use_additive_skip_connections": (True, False),
    "use_batch_norm": (True, False),
    # Their layer norm adds its eps twice, and their instance norm centers scalars with the statistics of the batch.
    "norm_type": ("signal", None),
}

# The settings that holo's architecture implies; another value would describe another network.
_EXPECTED: Mapping[str, object] = {
    "norm_location": "between",
    "normalization": "component",
    "norm_affine": "per_l",
    "linearity_first": False,
    "learn_frame": True,
    "norm_nonlinearity": None,
    "norm_balanced": False,
    "weights_initializer": None,
    "filter_symmetric": True,
    "x_rec_loss_fn": "mse",
    "do_final_signal_norm": False,
}


@reads("a checkpoint of the authors' implementation")
def import_reference(folder: Path | str) -> Model:
    """Read a checkpoint of the authors' implementation.

    The rows of their linear layers that act on products which are identically zero are dropped.

    Parameters
    ----------
    folder
        A folder with ``hparams.json`` and ``lowest_total_loss_with_final_kl_model.pt``.

    Returns
    -------
    Model
        A model that computes the same function; `encode` takes holograms in the authors' encoding (``floor`` radial
        functions, ``component`` harmonics).

    Raises
    ------
    FormatError
        If a file is missing or unreadable, or the two do not match.
    HoloError
        If a setting has a value that holo does not support; the message names it.
    """
    folder = Path(folder)
    path = folder / "hparams.json"
    try:
        hparams = json.loads(read_content(path))
        config = _config(hparams)
        scale = hparams["model_hparams"]["input_normalizing_constant"] if hparams["normalize_input"] else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, HoloError):
            raise HoloError(f"{path}: {error}") from None
        raise FormatError(f"{path}: cannot be read as the authors' hyperparameters ({error!r})") from None
    weights = folder / _WEIGHTS
    theirs = read_state_dict(weights)
    try:
        config.check_weights(sum(tensor.numel() for tensor in theirs.values()))
        network = HolographicAutoencoder(config)
        network.load_state_dict(_state_dict(network, theirs))
    except (KeyError, IndexError, RuntimeError, TypeError, AttributeError, HoloError) as error:
        raise FormatError(f"{weights}: does not fit hparams.json ({shorten(str(error), 300)})") from None
    if scale is not None:
        if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < math.inf:
            raise FormatError(
                f"{path}: input_normalizing_constant is {scale!r}; it must be a positive number"
            )
        network.scale.fill_(scale)
    return Model(network.eval(), name=folder.resolve().name, version="reference")


def _config(hparams: dict[str, Any]) -> ModelConfig:
    settings = hparams["model_hparams"]
    for name, expected in _EXPECTED.items():
        if settings[name] != expected:
            raise HoloError(f"{name} is {settings[name]!r}; holo supports only {expected!r}")
    for name, known in _KNOWN.items():
        if settings[name] not in known:
            raise HoloError(
                f"{name} is {settings[name]!r}; holo supports only {' and '.join(map(repr, known))}"
            )
    if settings.get("is_conditional"):
        raise HoloError("is_conditional is True; holo imports only models without a condition")
    if hparams.get("collected_lmax", hparams["lmax"]) != hparams["lmax"]:
        raise HoloError(
            f"collected_lmax is {hparams['collected_lmax']}; holo supports only lmax, {hparams['lmax']}"
        )
    blocks = len(settings["ch_size_list"])
    degrees = settings["lmax_list"] or [
        min(2 ** min(i, 10), settings["net_lmax"]) for i in reversed(range(blocks))
    ]
    for rule in settings["ls_nonlin_rule_list"]:
        if rule not in get_args(Connectivity):
            raise HoloError(
                f"ls_nonlin_rule_list has {rule!r}; holo supports only {' and '.join(get_args(Connectivity))}"
            )
    # Pairs of different channels count twice in their signal norm.
    if set(settings["ch_nonlin_rule_list"]) != {"elementwise"}:
        raise HoloError(
            f"ch_nonlin_rule_list is {settings['ch_nonlin_rule_list']}; holo imports only elementwise"
        )
    normalizations: dict[str | None, PointNormalization] = {"square": "unit", None: "none"}
    if hparams["rst_normalization"] not in normalizations:
        raise HoloError(f"rst_normalization is {hparams['rst_normalization']!r}; it must be 'square' or null")
    channels = hparams.get("channels") or [
        str(i) for i in range(min(hparams["n_channels"], _MOST_CHANNELS + 1))
    ]
    if len(channels) > _MOST_CHANNELS:
        raise HoloError(f"it has more than {_MOST_CHANNELS} channels, the most that holo imports")
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
        connectivity=_one_or_each(settings["ls_nonlin_rule_list"]),
        batch_norm=settings["use_batch_norm"],
        norm=settings["norm_type"],
        skip=settings["use_additive_skip_connections"],
        bottleneck=tuple(settings["bottleneck_hidden_dims"] or ()),
    )


def _one_or_each(rules: list[Connectivity]) -> Connectivity | tuple[Connectivity, ...]:
    return rules[0] if len(set(rules)) == 1 else tuple(rules)


def _state_dict(network: HolographicAutoencoder, theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    ours = {"scale": network.scale}
    rules = network.config.connectivities
    for coder, coder_rules in (("encoder", rules), ("decoder", rules[::-1])):
        for number, (block, rule) in enumerate(zip(getattr(network, coder), coder_rules, strict=True)):
            source = f"{coder}_cg_blocks.{number}.layers."
            for name, tensor in _block(block, rule, theirs, source).items():
                ours[f"{coder}.{number}.{name}"] = tensor
    modules = {
        "initial_linear_projection": "initial_projection",
        "final_linear_projection": "final_projection",
    }
    modules |= {"frame_learner": "frame_vectors", "first_decoder_projection": "frame_projection"}
    modules |= {"encoder_mean": "mean", "encoder_log_var": "log_variance"}
    modules |= {"encoder_bottleneck": "hidden", "decoder_bottleneck": "bottleneck"}
    for name, tensor in theirs.items():
        module, _, rest = name.partition(".")
        if module in modules:
            ours[f"{modules[module]}.{rest}"] = tensor
    return ours


def _block(block: Block, rule: Connectivity, theirs: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Return the state of a block; the authors number their layers consecutively."""
    ours = {}
    numbers = iter(range(4))
    degrees = range(block.tensor_square.irreps_out.lmax + 1)
    if block.batch_norm is not None:
        number = next(numbers)
        for name in ("weight", "bias", "running_mean", "running_var"):
            ours[f"batch_norm.{name}"] = theirs[f"{source}{number}.{name}"]
    next(numbers)  # the tensor square, which has no state
    if hasattr(block, "signal_norm"):
        number = next(numbers)
        weights = [theirs[f"{source}{number}.weights.{degree}"] for degree in degrees]
        ours["signal_norm.weight"] = torch.cat(weights)
        ours["signal_norm.bias"] = theirs[f"{source}{number}.bias"]
    number = next(numbers)
    for degree in degrees:
        weight = theirs[f"{source}{number}.weights.{degree}"]
        live = _live_rows(block, rule, degree)
        if len(live) != len(weight):
            raise RuntimeError(f"{source}{number}.weights.{degree} has {len(weight)} rows, not {len(live)}")
        ours[f"linear.weights.{degree}"] = weight[live]
    return ours


def _live_rows(block: Block, rule: Connectivity, degree: int) -> Tensor:
    """Return which rows of the authors' linear layer act on products that are not identically zero."""
    channels = block.irreps_in[0].mul
    paths = connectivity(block.irreps_in.lmax, block.tensor_square.irreps_out.lmax, rule)
    live = [not (l1 == l2 and l3 % 2) for l1, l2, l3 in paths if l3 == degree]
    return torch.tensor(live, device="cpu").repeat_interleave(channels)
