"""Train in processes that are killed with SIGKILL again and again, and print the results as JSON.

Run by test_vae_resume.py. The trainings are forked, so that torch is imported once.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

from holo_types import Basis, Holograms
from holo_vae import ModelConfig, Recipe, TrainingConfig
from holo_vae.data.batches import open_rows
from holo_vae.networks.network import HolographicAutoencoder
from holo_vae.training import checkpoints
from holo_vae.training.engine import Step, train

BASIS = Basis(lmax=2, radial=None, channels=("image",))
RECIPE = Recipe(
    model=ModelConfig(basis=BASIS, latent_dim=4, lmax=(2, 1), channels=(6, 8), variational=True),
    training=TrainingConfig(
        epochs=4,
        batch_size=10,
        learning_rate=1e-2,
        kl_weight=0.1,
        kl_warmup=2,
        masking=0.2,
        ema_decay=0.9,
        checkpoint_minutes=0.0,  # at every step
    ),
)


STEPS = 32  # of the whole run


def weights(state: Path | None, on_step: Callable[[Step], None] = lambda _: None) -> dict[str, torch.Tensor]:
    """Train, or resume training, to the end; return the weights and the losses of the history."""
    rng = np.random.default_rng(0)
    data = Holograms(rng.normal(size=(95, BASIS.dim)).astype(np.float32), BASIS)
    torch.manual_seed(0)
    network = HolographicAutoencoder(RECIPE.model)
    history = list(
        train(
            network,
            open_rows(data[:75], shuffle_rows=1000),
            open_rows(data[75:], shuffle_rows=1000),
            RECIPE,
            state=state,
            on_step=on_step,
        )
    )
    losses = [[epoch.loss, epoch.validation_loss, epoch.gradient_norm] for epoch in history]
    return {**network.state_dict(), "history": torch.tensor(losses, dtype=torch.float64)}


def killed_in_writing(state: Path, write: int) -> None:
    """Train in a process that dies when it has written half of a checkpoint."""
    save, count = safetensors.torch.save, 0

    def half(tensors: dict[str, torch.Tensor]) -> bytes:
        nonlocal count
        count += 1
        content = save(tensors)
        return content[: len(content) // 2] if count > write else content

    def write_bytes(path: Path, content: bytes) -> int:
        done = original(path, content)
        if count > write:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    original = Path.write_bytes
    checkpoints.safetensors.torch.save = half
    Path.write_bytes = write_bytes
    weights(state)


def fork(work: Callable[[], object]) -> int:
    """Do work in a new process, and return its process id."""
    process = os.fork()
    if process:
        return process
    try:
        work()
        os._exit(0)
    finally:
        os._exit(1)


def main(folder: Path, kills: int, seed: int) -> None:
    """Kill a training several times, then let it finish; compare it with an undisturbed one."""
    random.seed(seed)
    started = time.perf_counter()
    undisturbed = weights(None)
    seconds = time.perf_counter() - started
    state = folder / "state"
    report = {"killed": 0, "in_writing": 0, "half_written": 0, "finished_before": 0, "steps": []}
    for kill in range(kills):
        if kill % 3 == 0:
            process = fork(lambda: killed_in_writing(state, random.randrange(3)))
        else:
            # They are killed at any time after the first or second step: every run advances, none finishes.
            reader, writer = os.pipe()
            process = fork(lambda pipe=writer: weights(state, lambda _: os.write(pipe, b".")))
            os.read(reader, 1)
            if random.random() < 0.5:
                os.read(reader, 1)
            time.sleep(random.uniform(0, 0.5 * seconds / STEPS))
            os.kill(process, signal.SIGKILL)
            os.close(reader)
            os.close(writer)
        _, status = os.waitpid(process, 0)
        was_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        report["killed" if was_killed else "finished_before"] += 1
        report["in_writing"] += was_killed and kill % 3 == 0
        report["half_written"] += any(state.glob(".state*.tmp"))
        if checkpoints.has_checkpoint(state):
            report["steps"].append(checkpoints.read_checkpoint(state).progress.step)
    steps: list[int] = []
    resumed = weights(state, lambda step: steps.append(step.number))
    report["first_step_after"] = steps[0] if steps else None
    report["equal"] = all(torch.equal(value, resumed[name]) for name, value in undisturbed.items())
    report["left"] = sorted(path.suffix for path in state.iterdir())
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
