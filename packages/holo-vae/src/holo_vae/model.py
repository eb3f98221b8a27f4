"""A model: a network with its configuration and identity, on typed data and on disk."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor

from holo_nn import clebsch_gordan_digest
from holo_types import Embeddings, FormatError, HoloError, Holograms, ModelReference
from holo_types.atomic import replacing

from .config import ModelConfig, structure, unstructure
from .network import HolographicAutoencoder

__all__ = ["Model", "read_model", "write_model"]

FORMAT = "holo-vae model"
FORMAT_VERSION = 1
_DESCRIPTION = "model.json"


@attrs.frozen(eq=False)
class Model:
    """A holographic autoencoder ready for use.

    Parameters
    ----------
    network
        The torch module.
    name, version
        What `Embeddings` that it makes say of their origin.

    Examples
    --------
    >>> from holo_types import Basis
    >>> basis = Basis(lmax=2, radial=None, channels=("image",))
    >>> config = ModelConfig(basis=basis, latent_dim=4, lmax=(2, 1), channels=(6, 6))
    >>> model = Model(HolographicAutoencoder(config), name="untrained")
    >>> holograms = Holograms(np.random.default_rng(0).normal(size=(5, 9)), basis)
    >>> embeddings = model.encode(holograms)
    >>> embeddings.invariants.shape, len(model.decode(embeddings))
    ((5, 4), 5)
    """

    network: HolographicAutoencoder
    name: str
    version: str = "0"

    @property
    def config(self) -> ModelConfig:
        """The architecture."""
        return self.network.config

    @property
    def digest(self) -> str:
        """SHA-256 of the architecture and the weights."""
        return _digest(self.config, _tensors(self.network))

    @property
    def reference(self) -> ModelReference:
        """What embeddings carry to say which model made them."""
        return ModelReference(self.name, self.version, self.digest, self.config.basis.digest)

    def check_basis(self, holograms: Holograms) -> None:
        """Refuse holograms of another basis than the model's.

        Raises
        ------
        HoloError
            Naming what differs.
        """
        expected, actual = self.config.basis.to_dict(), holograms.basis.to_dict()
        if expected != actual:
            differing = [key for key in expected if expected[key] != actual[key]]
            was = ", ".join(f"{key} {actual[key]!r}" for key in differing)
            must = ", ".join(f"{key} {expected[key]!r}" for key in differing)
            raise HoloError(f"holograms have the basis {was}; model {self.name!r} takes {must}")

    def encode(
        self, holograms: Holograms, batch_size: int = 512, device: torch.device | str = "cpu"
    ) -> Embeddings:
        """Give invariant embeddings and frames; of a variational model the means.

        Computed and returned in the precision of the network's weights.

        Raises
        ------
        HoloError
            If the holograms' basis is not the model's.
        """
        self.check_basis(holograms)
        network = self.network.to(device).eval()
        encodings = []
        with torch.inference_mode():
            for batch in _batches(holograms.coefficients, batch_size):
                encodings.append(network.encode(_tensor(batch, network)))
        if not encodings:
            with torch.inference_mode():
                encodings.append(network.encode(_tensor(holograms.coefficients, network)))
        frames = _array(torch.cat([encoding.frame for encoding in encodings]))
        log_variances = [e.log_variance for e in encodings if e.log_variance is not None]
        return Embeddings(
            _array(torch.cat([encoding.mean for encoding in encodings])),
            frames,
            self.reference,
            holograms.index,
            log_variances=_array(torch.cat(log_variances)) if log_variances else None,
            degenerate=(frames == 0).all(axis=2).any(axis=1),
        )

    def decode(
        self, embeddings: Embeddings, batch_size: int = 512, device: torch.device | str = "cpu"
    ) -> Holograms:
        """Give the holograms that embeddings stand for, in the data's own scale.

        Raises
        ------
        HoloError
            If another model made the embeddings.
        """
        if embeddings.model.digest != self.digest:
            raise HoloError(
                f"embeddings were made by model {embeddings.model.name!r} ({embeddings.model.digest[:12]}); "
                f"this is {self.name!r} ({self.digest[:12]})"
            )
        network = self.network.to(device).eval()
        decoded = np.empty((len(embeddings), self.config.basis.dim), dtype=embeddings.invariants.dtype)
        with torch.inference_mode():
            for start in range(0, len(embeddings), batch_size):
                rows = slice(start, start + batch_size)
                z = _tensor(embeddings.invariants[rows], network)
                frame = _tensor(embeddings.frames[rows], network)
                decoded[rows] = _array(network.decode(z, frame) * network.scale)
        return Holograms(decoded, self.config.basis, embeddings.index)


def _batches(array: NDArray[Any], size: int) -> Iterator[NDArray[Any]]:
    for start in range(0, len(array), size):
        yield array[start : start + size]


def _tensor(array: NDArray[Any], network: HolographicAutoencoder) -> Tensor:
    return torch.tensor(array, dtype=network.scale.dtype, device=network.scale.device)


def _array(tensor: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.cpu().numpy()
    return array


def _tensors(network: HolographicAutoencoder) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}


def _digest(config: ModelConfig, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(unstructure(config), sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}".encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()


def write_model(model: Model, folder: Path | str) -> None:
    """Write a model as a folder of ``model.json`` and one safetensors file.

    A model that stands there is replaced in one step: until `model.json` is swapped, the old one loads.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights = f"weights-{model.digest[:16]}.safetensors"
    description = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": model.name,
        "version": model.version,
        "digest": model.digest,
        "clebsch_gordan_digest": clebsch_gordan_digest(),
        "weights": weights,
        "config": unstructure(model.config),
    }
    with replacing(folder / weights) as new:
        new.write_bytes(safetensors.torch.save(_tensors(model.network)))
    with replacing(folder / _DESCRIPTION) as new:
        new.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    for old in folder.glob("weights-*.safetensors"):
        if old.name != weights:
            old.unlink()


def read_model(folder: Path | str) -> Model:
    """Read a model from the folder that `write_model` made.

    Raises
    ------
    FormatError
        If the folder holds no model, one of another format version, or one that was damaged or changed.
    """
    folder = Path(folder)
    try:
        description = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FormatError(f"{folder}: holds no model, its {_DESCRIPTION} cannot be read ({error})") from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise FormatError(f"{folder}: {_DESCRIPTION} does not describe a {FORMAT}")
    if description.get("format_version") != FORMAT_VERSION:
        raise FormatError(
            f"{folder}: the model has format version {description.get('format_version')!r}; "
            f"this holo-vae reads version {FORMAT_VERSION}"
        )
    missing = {"name", "version", "digest", "clebsch_gordan_digest", "weights", "config"} - set(description)
    if missing:
        raise FormatError(f"{folder}: {_DESCRIPTION} lacks {', '.join(sorted(missing))}")
    if description["clebsch_gordan_digest"] != clebsch_gordan_digest():
        raise FormatError(
            f"{folder}: the model was trained with other Clebsch-Gordan coefficients than the installed e3nn's; "
            "its weights would give wrong results"
        )
    try:
        network = HolographicAutoencoder(structure(description["config"], ModelConfig))
    except HoloError as error:
        raise FormatError(f"{folder}: {_DESCRIPTION} has a bad config ({error})") from None
    weights = folder / Path(description["weights"]).name
    try:
        tensors = safetensors.torch.load_file(weights)
    except (OSError, SafetensorError) as error:
        raise FormatError(f"{weights}: cannot be read as safetensors ({error})") from None
    dtypes = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
    if len(dtypes) == 1:
        network.to(dtypes.pop())
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise FormatError(f"{weights}: does not fit the model's config ({error})") from None
    model = Model(network.eval(), description["name"], description["version"])
    if model.digest != description["digest"]:
        raise FormatError(
            f"{weights}: was changed after it was written: its digest is {model.digest[:12]}, "
            f"{_DESCRIPTION} says {description['digest'][:12]}"
        )
    return model
