"""The state of a training run on disk: everything that is needed to resume it with identical bits."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import attrs
import safetensors.torch
from torch import Tensor

from holo_types import FormatError
from holo_types.contents import regular_file
from holo_types.files.atomic import replacing
from holo_types.files.json_files import read_json, write_json
from holo_types.reading import reading
from holo_vae.recipes.conversion import strict_converter

__all__ = [
    "Checkpoint",
    "Progress",
    "has_checkpoint",
    "read_checkpoint",
    "read_progress",
    "write_checkpoint",
]

FORMAT = "holo-vae training state"
FORMAT_VERSION = 1
_PROGRESS = "state.json"


@attrs.frozen(kw_only=True)
class Epoch:
    """The results of one epoch of training.

    Parameters
    ----------
    number
        The number of the epoch, counted from 0.
    loss
        The weighted sum of `parts`, on the training rows.
    parts, validation
        The quantities of the objective (such as ``mse``, ``kl``, ``cosine_loss``): means over the training samples in
        the form in which they were trained on, and over the validation rows.
    validation_loss
        The weighted sum of `validation`.
    learning_rate
        The learning rate of the epoch's last step.
    gradient_norm
        The mean over the steps, before clipping.
    seconds
        The duration of the training, without validation.
    samples_per_second
        Training samples per second.
    best
        Whether the validation loss was lower than in all epochs before; the weights are kept if so.
    """

    number: int
    loss: float
    parts: Mapping[str, float]
    validation: Mapping[str, float]
    validation_loss: float
    learning_rate: float
    gradient_norm: float
    seconds: float
    samples_per_second: float
    best: bool


@attrs.frozen(kw_only=True)
class Progress:
    """How far a run has come.

    Parameters
    ----------
    run
        Digest of everything that determines the run: recipe, data, precision.
    step
        The number of completed steps, over all epochs.
    epochs
        The records of the completed epochs.
    sums
        Sums over the samples of the current epoch: of each quantity, then of the loss, then of the gradient norm of
        each step.
    seconds
        The duration of the current epoch so far.
    """

    run: str
    step: int = 0
    epochs: tuple[Epoch, ...] = ()
    sums: tuple[float, ...] = ()
    seconds: float = 0.0


@attrs.frozen(eq=False)
class Checkpoint:
    """A run's progress, and its tensors by name: weights, optimizer, averages, and the best weights so far."""

    progress: Progress
    tensors: Mapping[str, Tensor]


_KIND = f"a {FORMAT}"
_converter = strict_converter()


def has_checkpoint(folder: Path) -> bool:
    """Return whether a folder holds the state of a run."""
    return (folder / _PROGRESS).is_file()


def write_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Write a state into an existing folder; the previous state stays intact until the last file is swapped in.

    Raises
    ------
    HoloError
        If it cannot be written, or the folder no longer exists.
    """
    tensors = f"state-{checkpoint.progress.step}.safetensors"
    content = safetensors.torch.save(dict(checkpoint.tensors))
    with replacing(folder / tensors) as new:
        new.write_bytes(content)
    description = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "tensors": tensors,
        "tensors_digest": hashlib.sha256(content).hexdigest(),
        "progress": _converter.unstructure(checkpoint.progress),
    }
    write_json(folder / _PROGRESS, description)
    _clear(folder, keep=tensors)


def read_progress(folder: Path) -> Progress:
    """Read how far the run of a state has come.

    Raises
    ------
    FormatError
        As for `read_checkpoint`.
    """
    return _read(folder)[0]


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a state from a folder.

    Raises
    ------
    FormatError
        If the folder holds no state, one of another format version, or a damaged one.
    """
    progress, tensors, digest = _read(folder)
    with reading(folder / _PROGRESS, _KIND):
        content = regular_file(tensors).read_bytes()
        if digest is not None and digest != hashlib.sha256(content).hexdigest():
            raise FormatError(f"{tensors}: is damaged; {_PROGRESS} has another digest")
        return Checkpoint(progress, safetensors.torch.load(content))


def _read(folder: Path) -> tuple[Progress, Path, str | None]:
    """Return the progress, the file with the tensors, and its digest, which is None in older states."""
    path = folder / _PROGRESS
    with reading(path, _KIND):
        description = read_json(path)
        if description["format"] != FORMAT:
            raise FormatError(f"{path}: does not describe a {FORMAT}")
        if description["format_version"] != FORMAT_VERSION:
            raise FormatError(
                f"{path}: has format version {description['format_version']!r}; this holo-vae reads "
                f"version {FORMAT_VERSION}"
            )
        for epoch in description["progress"]["epochs"]:
            _name_the_loss(epoch["parts"])
            _name_the_loss(epoch["validation"])
        progress = _converter.structure(description["progress"], Progress)
        return progress, folder / Path(description["tensors"]).name, description.get("tensors_digest")


def _name_the_loss(measured: dict[str, float]) -> None:
    """Rename the cosine loss in states that were written while it was called ``cosine``."""
    if "cosine" in measured:
        measured["cosine_loss"] = measured.pop("cosine")


def _clear(folder: Path, keep: str) -> None:
    # This includes files that a killed process left incomplete.
    for pattern in ("state-*.safetensors", ".state*.tmp"):
        for old in folder.glob(pattern):
            if old.name != keep:
                old.unlink(missing_ok=True)
