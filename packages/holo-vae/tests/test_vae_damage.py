"""Flipped bits of what holo-vae writes: each is refused, or what is read is the same."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from holo_types import FormatError, HoloError, Holograms
from holo_vae import Recipe, initial_model, load as load_model, write_model
from holo_vae.training.checkpoints import Checkpoint, Progress, read_checkpoint, write_checkpoint


def flips_are_noticed(folder: Path, read: Callable[[], object], flips: int = 150) -> None:
    rng, expected, refused = np.random.default_rng(0), read(), 0
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for place in rng.integers(len(whole), size=flips):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << rng.integers(8)
            path.write_bytes(damaged)
            try:
                found = read()
            except HoloError:
                refused += 1
            else:
                assert found == expected, (path, place)
        path.write_bytes(whole)
    assert refused > flips


def test_no_flipped_bit_of_a_model_goes_unseen(recipe: Recipe, holograms: Holograms, tmp_path: Path) -> None:
    """A name or a version that another bit makes is noticed too, and not only what computes."""
    write_model(initial_model(recipe, 2.5, "small"), tmp_path)

    def read() -> object:
        model = load_model(tmp_path)
        return model.reference, model.encode(holograms).invariants.tobytes()

    flips_are_noticed(tmp_path, read)


def test_no_flipped_bit_of_a_state_goes_unseen(tmp_path: Path) -> None:
    tensors = {"weights": torch.arange(50.0), "steps": torch.tensor(3)}
    write_checkpoint(Checkpoint(Progress(run="0" * 64, step=3, sums=(0.25, 1e300)), tensors), tmp_path)

    def read() -> object:
        state = read_checkpoint(tmp_path)
        return state.progress, {name: tensor.numpy().tobytes() for name, tensor in state.tensors.items()}

    flips_are_noticed(tmp_path, read)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    tensors = {"weights": torch.arange(50.0)}
    write_checkpoint(Checkpoint(Progress(run="0" * 64, step=3, sums=(0.25, 1.0)), tensors), tmp_path)
    return tmp_path


WRONG = {
    "step": ("8", 7.9, True, None),
    "sums": ("1", [True], {}),
    "run": (1, None),
    "seconds": ([], None, True),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]])
def test_numbers_of_another_type_are_not_converted(state: Path, name: str, value: object) -> None:
    path = state / "state.json"
    description = json.loads(path.read_text())
    description.pop("digest", None)
    description["progress"][name] = value
    path.write_text(json.dumps(description))
    with pytest.raises(FormatError, match=r"state\.json"):
        read_checkpoint(state)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_state_whose_tensors_are_no_file(state: Path, kind: str) -> None:
    (tensors,) = state.glob("*.safetensors")
    tensors.unlink()
    if kind == "pipe":
        os.mkfifo(tensors)
    else:
        tensors.symlink_to("/dev/zero")
    with pytest.raises(FormatError, match=f"is a {kind}; it must be a regular file"):
        read_checkpoint(state)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(recipe: Recipe, tmp_path: Path, value: float) -> None:
    model = initial_model(recipe, 2.5, "small")
    name, weight = next(iter(model.network.named_parameters()))
    weight.data.view(-1)[0] = value
    write_model(model, tmp_path)
    with pytest.raises(FormatError, match=f"{name} has values that are not finite"):
        load_model(tmp_path)


def test_weights_of_another_type_are_not_converted(recipe: Recipe, tmp_path: Path) -> None:
    write_model(initial_model(recipe, 2.5, "small"), tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    tensors = safetensors.torch.load_file(path)
    name = next(iter(tensors))
    tensors[name] = tensors[name].to(torch.int8)
    path.write_bytes(safetensors.torch.save(tensors))
    with pytest.raises(FormatError, match=f"{name} has torch.int8; it must have torch.float32"):
        load_model(tmp_path)
