"""Learning rates and early stopping, as functions of the step and of past losses, without any state."""

import math
from collections.abc import Sequence

from holo_vae.recipes.training import TrainingConfig

__all__ = ["epochs_since_best", "learning_rate"]


def epochs_since_best(losses: Sequence[float]) -> int:
    """Return how many epochs ago the lowest validation loss was; 0 if it is the last, or there is none.

    Examples
    --------
    >>> epochs_since_best([3.0, 1.0, 2.0, 2.0])
    2
    """
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0


def _plateaus(losses: Sequence[float], patience: int) -> int:
    """Count how often the loss did not fall for `patience` epochs, where counting restarts each time."""
    count, waited, lowest = 0, 0, math.inf
    for loss in losses:
        waited = 0 if loss < lowest else waited + 1
        lowest = min(loss, lowest)
        if waited == patience:
            count, waited = count + 1, 0
    return count


def learning_rate(
    config: TrainingConfig, step: int, steps_per_epoch: int, validation_losses: Sequence[float]
) -> float:
    """Return the learning rate of a step.

    Parameters
    ----------
    config
        Determines the schedule.
    step
        The number of the step, counted from 0 over the whole run.
    steps_per_epoch
        The number of steps per epoch.
    validation_losses
        The validation losses so far that can be compared with each other; only ``"plateau"`` uses them.

    Examples
    --------
    >>> config = TrainingConfig(epochs=2, warmup_steps=10, learning_rate=1.0)
    >>> [round(learning_rate(config, step, 50, []), 3) for step in (0, 9, 10, 55, 99)]
    [0.1, 1.0, 1.0, 0.5, 0.0]
    """
    steps = config.epochs * steps_per_epoch
    warmup = min(config.warmup_steps, steps // 2)
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    match config.schedule:
        case "cosine":
            factor = 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(steps - warmup, 1)))
        case "exponential":
            factor = 0.1 ** min(step / (config.decay_epochs * steps_per_epoch), 1.0)
        case "plateau":
            factor = 0.1 ** _plateaus(validation_losses, config.plateau_patience)
        case "constant":
            factor = 1.0
    return config.learning_rate * factor
