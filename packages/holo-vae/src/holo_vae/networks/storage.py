"""Trained networks of any kind: their identity, their basis, and the folder that holds them on disk."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any, ClassVar, Generic, TypeVar

import attrs
import safetensors.torch
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor

from holo_nn import clebsch_gordan_digest
from holo_types import FormatError, HoloError, Holograms, ModelReference
from holo_types.contents import regular_file
from holo_types.display import Displayed, Summary
from holo_types.files.atomic import owned, replacing
from holo_types.files.json_files import read_json, write_json
from holo_types.reading import reads
from holo_vae.recipes.model import BlocksConfig, ClassifierConfig, ModelConfig
from holo_vae.recipes.recipe import from_plain, to_plain

from .network import HologramNetwork

__all__ = ["TrainedNetwork", "as_array", "as_tensor", "in_batches", "read_folder", "write_model"]

FORMAT = "holo-vae model"
# Version 1 supported only autoencoders, and had no `kind`.
FORMAT_VERSION = 2
_DESCRIPTION = "model.json"
_TEXTS = ("name", "version", "digest", "clebsch_gordan_digest", "weights")

# The settings of the first format. Later settings are written, and count in the digest, only where they are used:
# the digest of a model must not change because the configuration has gained a setting.
_FIRST_SETTINGS = frozenset(
    {"basis", "channel_rule", "channels", "connectivity", "initial_projection"}
    | {"latent_dim", "lmax", "variational"}
)

NetworkT = TypeVar("NetworkT", bound=HologramNetwork)


@attrs.frozen(eq=False, repr=False)
class TrainedNetwork(Displayed, Generic[NetworkT]):
    """A network with its name and version; `write_model` writes it and `read_folder` reads it.

    Parameters
    ----------
    network
        The torch module.
    name, version
        Name and version that identify the origin of all that it makes.
    """

    kind: ClassVar[str]
    config_type: ClassVar[type[Any]]
    network_type: ClassVar[type[HologramNetwork]]

    network: NetworkT
    name: str
    version: str = "0"

    @property
    def config(self) -> BlocksConfig:
        """The architecture of the network."""
        return self.network.config

    @property
    def digest(self) -> str:
        """The SHA-256 of the architecture and the weights."""
        return _digest(_settings(self.config), _tensors(self.network))

    @property
    def reference(self) -> ModelReference:
        """The reference that results carry to identify the network that made them."""
        return ModelReference(self.name, self.version, self.digest, self.config.basis.digest)

    def summary(self) -> Summary:
        """Return what is printed: the name, the basis, and the size of the network."""
        config = self.config
        weights = sum(parameter.numel() for parameter in self.network.parameters())
        blocks = (
            f"{channels} x l<={lmax}" for channels, lmax in zip(config.channels, config.lmax, strict=True)
        )
        return Summary(
            f"{self.name}, version {self.version}: {type(self.network).__name__} with {weights:,} weights",
            {
                "takes": str(config.basis),
                "encoder blocks": ", ".join(blocks),
                **{
                    name.replace("_", " "): str(value)
                    for name in ("latent_dim", "variational")
                    if (value := getattr(config, name, None)) is not None
                },
                "digest": self.digest[:12],
            },
        )

    def check_basis(self, holograms: Holograms) -> None:
        """Refuse holograms of another basis than the network's.

        Raises
        ------
        HoloError
            If the basis differs; the message names the differences.
        """
        expected, actual = self.config.basis.to_dict(), holograms.basis.to_dict()
        if expected != actual:
            differing = [key for key in expected if expected[key] != actual[key]]
            was = ", ".join(f"{key} {actual[key]!r}" for key in differing)
            must = ", ".join(f"{key} {expected[key]!r}" for key in differing)
            raise HoloError(f"holograms have the basis {was}; model {self.name!r} takes {must}")


TrainedT = TypeVar("TrainedT", bound=TrainedNetwork[Any])


def in_batches(array: NDArray[Any], size: int) -> Iterator[NDArray[Any]]:
    """Divide rows into batches; without any rows there is one empty batch."""
    for start in range(0, max(len(array), 1), size):
        yield array[start : start + size]


def as_tensor(array: NDArray[Any], network: HologramNetwork) -> Tensor:
    """Return an array in the precision of a network and on its device."""
    return torch.tensor(array, dtype=network.scale.dtype, device=network.scale.device)


def as_array(tensor: Tensor) -> NDArray[Any]:
    """Return a tensor as a numpy array."""
    array: NDArray[Any] = tensor.cpu().numpy()
    return array


def _settings(config: BlocksConfig) -> dict[str, Any]:
    """Return a configuration as plain values, without later settings that have their default."""
    assert isinstance(config, ModelConfig | ClassifierConfig)
    defaults = {field.name: field.default for field in attrs.fields(type(config))}
    return {
        name: value
        for name, value in to_plain(config).items()
        if name in _FIRST_SETTINGS or getattr(config, name) != defaults[name]
    }


def _tensors(network: HologramNetwork) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}


def _digest(settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}".encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()


def write_model(model: TrainedNetwork[Any], folder: Path | str) -> None:
    """Write a model, or a trained classifier, as a folder of ``model.json`` and one safetensors file.

    A model in the folder is replaced in one step: until `model.json` is swapped, the old one loads.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    settings, tensors = _settings(model.config), _tensors(model.network)
    digest = _digest(settings, tensors)
    weights = f"weights-{digest[:16]}.safetensors"
    description = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "kind": model.kind,
        "name": model.name,
        "version": model.version,
        "digest": digest,
        "clebsch_gordan_digest": clebsch_gordan_digest(),
        "weights": weights,
        "config": settings,
    }
    with owned(folder):
        with replacing(folder / weights) as new:
            new.write_bytes(safetensors.torch.save(tensors))
        write_json(folder / _DESCRIPTION, description, indent=2)
    for old in folder.glob("weights-*.safetensors"):
        if old.name != weights:
            old.unlink()


@reads("a model")
def read_folder(folder: Path | str, kinds: tuple[type[TrainedT], ...]) -> TrainedT:
    """Read a trained network of one of several kinds from the folder that `write_model` made.

    Parameters
    ----------
    folder
        A folder of format version 1 or 2.
    kinds
        The accepted classes, such as `holo_vae.Model`.

    Raises
    ------
    FormatError
        If the folder holds no trained network, one of an unknown format version, or one that was damaged or
        changed.
    HoloError
        If the folder holds a trained network of another kind.
    """
    folder = Path(folder)
    description = _read_description(folder)
    kind = next((each for each in kinds if each.kind == description["kind"]), None)
    if kind is None:
        wanted = " or ".join(repr(each.kind) for each in kinds)
        raise HoloError(
            f"{folder}: {description['name']!r} is of the kind {description['kind']!r}; it must be {wanted}"
        )
    try:
        config = from_plain(description["config"], kind.config_type)
    except HoloError as error:
        raise FormatError(f"{folder}: {_DESCRIPTION} has a bad config ({error})") from None
    weights = folder / Path(description["weights"]).name
    try:
        tensors = safetensors.torch.load_file(regular_file(weights))
    except (OSError, SafetensorError) as error:
        raise FormatError(f"{weights}: cannot be read as safetensors ({error})") from None
    try:
        config.check_weights(sum(tensor.numel() for tensor in tensors.values()))
    except HoloError as error:
        raise FormatError(f"{weights}: does not fit the model's config ({error})") from None
    network = kind.network_type(config)
    dtypes = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
    if len(dtypes) == 1:
        network.to(dtypes.pop())
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise FormatError(
            f"{weights}: does not fit the model's config ({shorten(str(error), 300)})"
        ) from None
    for name, tensor in network.state_dict().items():
        if tensors[name].is_floating_point() != tensor.is_floating_point():
            raise FormatError(f"{weights}: {name} has {tensors[name].dtype}; it must have {tensor.dtype}")
        if not bool(torch.isfinite(tensor).all()):
            raise FormatError(f"{weights}: {name} has values that are not finite")
    # The digest is over the settings as written in the file, so that every format version can be checked.
    digest = _digest(description["config"], tensors)
    if digest != description["digest"]:
        raise FormatError(
            f"{folder}: was changed after it was written: its digest is {digest[:12]}, "
            f"{_DESCRIPTION} says {description['digest'][:12]}"
        )
    return kind(network.eval(), description["name"], description["version"])


def _read_description(folder: Path) -> dict[str, Any]:
    try:
        description = read_json(folder / _DESCRIPTION)
    except FormatError:
        raise
    except (OSError, ValueError) as error:
        raise FormatError(f"{folder}: holds no model: its {_DESCRIPTION} cannot be read ({error})") from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise FormatError(f"{folder}: {_DESCRIPTION} does not describe a {FORMAT}")
    version = description.get("format_version")
    if version not in range(1, FORMAT_VERSION + 1):
        raise FormatError(
            f"{folder}: the model has format version {version!r}; "
            f"this holo-vae reads versions 1 to {FORMAT_VERSION}"
        )
    if version == 1:
        description["kind"] = "autoencoder"
    if missing := [name for name in (*_TEXTS, "kind", "config") if name not in description]:
        raise FormatError(f"{folder}: {_DESCRIPTION} lacks {', '.join(sorted(missing))}")
    for name in (*_TEXTS, "kind"):
        if not isinstance(description[name], str):
            raise FormatError(f"{folder}: {name} in {_DESCRIPTION} is {description[name]!r}; it must be text")
    if description["clebsch_gordan_digest"] != clebsch_gordan_digest():
        raise FormatError(
            f"{folder}: the model was trained with other Clebsch-Gordan coefficients than holo-nn's; "
            "its weights would give wrong results"
        )
    return description
