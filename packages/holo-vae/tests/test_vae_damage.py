"""Flipped bits of what holo-vae writes: each is refused, or what is read is the same."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from holo_types import HoloError, Holograms
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
