"""The training engine: from holograms to a trained network, resumable with identical bits.

No random decision is part of the state. The order of the rows, the noise of z and the masks are functions of the
recipe's seed and of the step number, drawn for the whole batch in its order. A run that was killed therefore continues
as if it had not been, and several processes together take the steps that one process would take.
"""

import copy
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from holo_nn import accumulate_gradients
from holo_types import HoloError
from holo_vae.data.batches import Batch, Rows
from holo_vae.data.precision import forward_precision, weights_dtype
from holo_vae.networks.network import HolographicAutoencoder
from holo_vae.recipes.recipe import Recipe, to_plain
from holo_vae.recipes.training import TrainingConfig

from .checkpoints import (
    Checkpoint,
    Epoch,
    Progress,
    has_checkpoint,
    read_checkpoint,
    read_progress,
    write_checkpoint,
)
from .distributed import ALONE, Processes
from .fitted_prior import fit_prior
from .flat import FlatParameters
from .muon import Muon
from .objectives import Draws, Objective, objective_of
from .schedules import epochs_since_best, learning_rate

__all__ = ["Epoch", "Step", "check_state", "run_digest", "train"]

_STEPS_AT_ONCE = 20  # the number of losses that are fetched together, since each fetch makes a GPU wait


@attrs.frozen(kw_only=True)
class Step:
    """The results of one training step.

    Parameters
    ----------
    number
        The number of the step, counted from 0 over the whole run.
    epoch
        The number of the epoch, counted from 0.
    total
        The number of steps of the whole run.
    loss, parts
        The loss of the batch and its parts, as in `Epoch`.
    learning_rate, gradient_norm
        The learning rate, and the norm of the gradient before clipping.
    seconds
        The duration of the step: its share of the steps that were fetched together.
    samples
        The number of samples in the batch, over all processes.
    """

    number: int
    epoch: int
    total: int
    loss: float
    parts: Mapping[str, float]
    learning_rate: float
    gradient_norm: float
    seconds: float
    samples: int


def run_digest(recipe: Recipe, training: Rows, validation: Rows, objective: Objective | None = None) -> str:
    """Return a digest of what determines the weights: the recipe, a custom objective, the data's sizes and basis."""
    decided = to_plain(recipe)
    decided["training"].pop("checkpoint_minutes")  # how often the state is written changes nothing
    plain: dict[str, object] = {
        "recipe": decided,
        "rows": [len(training), len(validation)],
        "basis": training.basis.digest,
    }
    if objective is not None:
        plain["objective"] = f"{type(objective).__module__}.{type(objective).__qualname__}"
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def check_state(state: Path, run: str) -> None:
    """Check that the state in a folder belongs to a run.

    Parameters
    ----------
    state
        Folder with a state.
    run
        The digest of the run, from `run_digest`.

    Raises
    ------
    HoloError
        If the state belongs to another run.
    FormatError
        If it cannot be read.
    """
    if read_progress(state).run != run:
        raise HoloError(
            f"{state}: holds the state of a run with another recipe or other data; "
            "resume with those, or train in another folder"
        )


def train(
    network: nn.Module,
    training: Rows,
    validation: Rows,
    recipe: Recipe,
    *,
    objective: Objective | None = None,
    state: Path | None = None,
    processes: Processes = ALONE,
    on_step: Callable[[Step], None] = lambda _: None,
) -> Iterator[Epoch]:
    """Train a network in place, and yield a record of each epoch.

    Whenever an epoch is yielded, and at the end, the network holds the weights with the lowest validation loss so far;
    for a variational model, only epochs at the full KL weight count. At the end a learned prior is fitted to z of the
    training rows, see `fit_prior`.

    Parameters
    ----------
    network
        A `HolographicAutoencoder` or a `Classifier`, according to the recipe's model.
    training, validation
        Rows from `holo_vae.data.batches.open_rows`.
    recipe
        What to train, and how.
    objective
        The objective of the training; by default reconstruction or classification, according to the recipe's model.
    state
        Folder for the state of the run. If it holds a state, the run resumes from it, and completed epochs are yielded
        again from the record.
    processes
        The processes that train; if there are several, they must be connected (see `Processes.joined`). The network is
        moved back to the CPU at the end.
    on_step
        Called for each step, a few steps at a time; with several processes, in each of them.

    Yields
    ------
    Epoch
        The record of each epoch.

    Raises
    ------
    HoloError
        If there are too few rows, the state belongs to another run, or the loss is no longer finite.
    """
    if training.epoch_rows < 2 or not len(validation):
        raise HoloError(
            f"there are {training.epoch_rows} training and {len(validation)} validation rows; "
            "at least 2 and 1 are needed"
        )
    yield from _Run(
        network=network,
        training=training,
        validation=validation,
        recipe=recipe,
        objective=objective,
        state=state,
        processes=processes,
        on_step=on_step,
    ).epochs()


class _Run:
    """A training run in progress: the network, the optimizer, and how far the run has come."""

    def __init__(
        self,
        *,
        network: nn.Module,
        training: Rows,
        validation: Rows,
        recipe: Recipe,
        objective: Objective | None,
        state: Path | None,
        processes: Processes,
        on_step: Callable[[Step], None],
    ) -> None:
        self.training, self.validation = training, validation
        self.recipe, self.config = recipe, recipe.training
        self.objective = objective_of(recipe) if objective is None else objective
        self.state, self.processes, self.device, self.on_step = state, processes, processes.device, on_step
        self.dtype = weights_dtype(self.config.precision)
        self.network = network.to(self.device, self.dtype)
        self.flat = FlatParameters(self.network)
        self.optimizer = _optimizer(self.config, self.flat)
        self.stepped: nn.Module = torch.compile(network) if self.config.compile else network  # type: ignore[assignment]
        self.steps_per_epoch = training.steps(self.config.batch_size)
        self.rows_per_epoch = training.epoch_rows + self.steps_per_epoch * training.pairs
        self.average = copy.deepcopy(network) if self.config.ema_decay is not None else None
        self.best: dict[str, Tensor] = {}
        self.progress = Progress(
            run=run_digest(recipe, training, validation, objective), sums=self._no_sums()
        )
        self.written = time.monotonic()
        if state is not None and has_checkpoint(state):
            check_state(state, self.progress.run)
            self._resume(read_checkpoint(state))
        elif state is not None and processes.first:
            state.mkdir(parents=True, exist_ok=True)
        processes.check_same(self.progress.run, "what determines the run")
        processes.check_same(self.progress.step, "the step at which the run resumes")

    def _no_sums(self) -> tuple[float, ...]:
        return (0.0,) * (len(self.objective.names) + 2)

    @property
    def judged(self) -> nn.Module:
        """The network that is validated and kept."""
        return self.network if self.average is None else self.average

    def epochs(self) -> Iterator[Epoch]:
        """Yield the epochs that are completed, then those that follow."""
        with self._best_weights():
            yield from self.progress.epochs
        averages = () if self.average is None else (self.average,)
        with self.processes.sharing(self.network, *averages):
            while len(self.progress.epochs) < self.config.epochs and not self._stops_early():
                self._train_epoch()
                epoch = self._finish_epoch()
                with self._best_weights():
                    yield epoch
        self.network.load_state_dict(self.best or self.judged.state_dict())
        self.flat.release()
        self.network.eval().to("cpu")
        if isinstance(self.network, HolographicAutoencoder) and self.network.prior is not None:
            fit_prior(self.network, self.training, self.config.seed)

    @contextmanager
    def _best_weights(self) -> Iterator[None]:
        """Let the network hold the best weights so far while the caller uses it."""
        if not self.best:
            yield
            return
        current = copy.deepcopy(self.network.state_dict())
        self.network.load_state_dict(self.best)
        yield
        self.network.load_state_dict(current)

    def _losses(self) -> list[float]:
        """Return the validation losses that can be compared with each other."""
        done = self.progress.epochs
        return [each.validation_loss for each in done if self.objective.comparable(each.number)]

    def _stops_early(self) -> bool:
        patience = self.config.early_stopping
        return patience is not None and epochs_since_best(self._losses()) >= patience

    def _train_epoch(self) -> None:
        number, losses = len(self.progress.epochs), self._losses()
        weights = torch.tensor(self.objective.weights(number), dtype=torch.float64, device=self.device)
        first = self.progress.step - number * self.steps_per_epoch
        waiting: list[tuple[Tensor, int, float]] = []
        since = time.perf_counter()

        def fetch() -> None:
            nonlocal since
            if not waiting:
                return
            table = torch.stack([values for values, _, _ in waiting]).tolist()
            now = time.perf_counter()
            share, since = (now - since) / len(waiting), now
            for row, (_, samples, rate) in zip(table, waiting, strict=True):
                self._record(number, row, samples, rate, share)
            waiting.clear()

        self.network.train()
        batches = self.training.epoch(
            self.config.seed,
            number,
            self.config.batch_size,
            start=first,
            rank=self.processes.rank,
            world=self.processes.count,
        )
        for offset, batch in enumerate(batches):
            step = self.progress.step + len(waiting)
            rate = learning_rate(self.config, step, self.steps_per_epoch, losses)
            samples = self.rows_per_epoch // self.steps_per_epoch
            samples += first + offset < self.rows_per_epoch % self.steps_per_epoch
            waiting.append((self._step(batch, step, rate, weights, samples), samples, rate))
            due = time.monotonic() - self.written >= 60 * self.config.checkpoint_minutes
            last = first + offset + 1 == self.steps_per_epoch
            if due or last or len(waiting) == _STEPS_AT_ONCE:
                fetch()
            if due and not last:
                self._write()
                since = time.perf_counter()

    def _step(
        self, batch: Batch, step: int, rate: float, weights: Float[Tensor, " k"], samples: int
    ) -> Float[Tensor, " k2"]:
        """Take a step; return the sums over the batch of the quantities and of the loss, and the gradient norm."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        holograms = batch.coefficients.to(self.device, self.dtype, non_blocking=True)
        labels = None if batch.labels is None else batch.labels.to(self.device, non_blocking=True)
        draws = {**self._draws(step, samples, holograms), **self._told(batch)}
        with forward_precision(self.config.precision, self.device):
            values = self.objective.values(self.stepped, holograms, labels, draws)
        loss = (values * weights.to(values.dtype)).sum() / samples
        gradient = self.flat.gradient.zero_()
        accumulate_gradients(loss)
        self.processes.sum_gradients(gradient)
        norm = self.flat.clip(self.config.gradient_clip)
        self.optimizer.step()
        if self.average is not None:
            _follow(self.average, self.network, self.config, step)
        sums = self.processes.sum(values.detach().double().sum(dim=0))
        return torch.cat([sums, (sums @ weights)[None], norm.detach().double()[None]])

    def _draws(self, step: int, samples: int, holograms: Tensor) -> Draws:
        seed = np.random.SeedSequence((self.config.seed, step)).generate_state(1, np.uint64)
        generator = torch.Generator("cpu").manual_seed(int(seed[0] >> np.uint64(1)))
        drawn, part = self.objective.draw(generator, samples), self.processes.part(samples)
        return {
            name: values[part].to(holograms.device, holograms.dtype if values.is_floating_point() else None)
            for name, values in drawn.items()
        }

    def _told(self, batch: Batch) -> Draws:
        """Return the contents of a batch other than its rows: views of them, and categories for the heads."""
        views = {name: rows.to(self.device, self.dtype) for name, rows in batch.views.items()}
        return views if batch.heads is None else {**views, "heads": batch.heads.to(self.device)}

    def _record(self, epoch: int, row: Sequence[float], samples: int, rate: float, seconds: float) -> None:
        """Record a completed step."""
        *parts, loss, norm = row
        if not math.isfinite(loss) or not math.isfinite(norm):
            raise HoloError(
                f"the loss is {loss / samples} and its gradient {norm} at step {self.progress.step} (epoch {epoch}); "
                "lower the learning rate"
            )
        self.progress = attrs.evolve(
            self.progress,
            step=self.progress.step + 1,
            sums=tuple(total + value for total, value in zip(self.progress.sums, row, strict=True)),
            seconds=self.progress.seconds + seconds,
        )
        self.on_step(
            Step(
                number=self.progress.step - 1,
                epoch=epoch,
                total=self.config.epochs * self.steps_per_epoch,
                loss=loss / samples,
                parts={n: part / samples for n, part in zip(self.objective.names, parts, strict=True)},
                learning_rate=rate,
                gradient_norm=norm,
                seconds=seconds,
                samples=samples,
            )
        )

    def _finish_epoch(self) -> Epoch:
        """Validate, keep the weights if they are the best, and write the state."""
        progress, number = self.progress, len(self.progress.epochs)
        *parts, loss, norm = progress.sums
        validation = self._validate()
        names, validated = self.objective.names, self.objective.validated
        weights = self.objective.weights(number)[: len(validated)]
        score = sum(w * value for w, value in zip(weights, validation, strict=True))
        losses = self._losses()
        best = self.objective.comparable(number) and (not losses or score < min(losses))
        if best:
            self.best = copy.deepcopy(self.judged.state_dict())
        epoch = Epoch(
            number=number,
            loss=loss / self.rows_per_epoch,
            parts={name: part / self.rows_per_epoch for name, part in zip(names, parts, strict=True)},
            validation=dict(zip(validated, validation, strict=True)),
            validation_loss=score,
            learning_rate=learning_rate(self.config, progress.step - 1, self.steps_per_epoch, losses),
            gradient_norm=norm / self.steps_per_epoch,
            seconds=progress.seconds,
            samples_per_second=self.rows_per_epoch / max(progress.seconds, 1e-9),
            best=best,
        )
        self.progress = attrs.evolve(
            progress, epochs=(*progress.epochs, epoch), sums=self._no_sums(), seconds=0.0
        )
        self._write()
        return epoch

    def _validate(self) -> list[float]:
        network = self.judged.eval()
        count = len(self.objective.validated)
        totals = torch.zeros(count, dtype=torch.float64, device=self.device)
        with torch.inference_mode():
            for batch in self.validation.in_order(max(self.config.batch_size, 256)):
                holograms = batch.coefficients.to(self.device, self.dtype)
                labels = None if batch.labels is None else batch.labels.to(self.device)
                values = self.objective.values(network, holograms, labels, {})[:, :count]
                totals += values.double().sum(dim=0)
        means: list[float] = (totals / len(self.validation)).tolist()
        return means

    def _write(self) -> None:
        if self.state is not None and self.processes.first:
            write_checkpoint(Checkpoint(self.progress, self._tensors()), self.state)
        self.written = time.monotonic()

    def _tensors(self) -> dict[str, Tensor]:
        """Return all tensors of the run by name."""
        parts: dict[str, Mapping[str, Tensor]] = {"network": self.network.state_dict(), "best": self.best}
        if self.average is not None:
            parts["average"] = self.average.state_dict()
        parts |= {f"optimizer.{name}": state for name, state in self.flat.state(self.optimizer).items()}
        # Clones, as tensors that share memory cannot be stored, such as the best weights just after they were kept.
        return {
            f"{part}/{name}": tensor.detach().cpu().clone().contiguous()
            for part, tensors in parts.items()
            for name, tensor in tensors.items()
        }

    def _resume(self, checkpoint: Checkpoint) -> None:
        parts: dict[str, dict[str, Tensor]] = {}
        for name, tensor in checkpoint.tensors.items():
            part, _, rest = name.partition("/")
            parts.setdefault(part, {})[rest] = tensor
        self.network.load_state_dict(parts["network"])
        self.best = {name: tensor.to(self.device) for name, tensor in parts.get("best", {}).items()}
        if self.average is not None:
            self.average.load_state_dict(parts["average"])
        self.flat.load_state(
            self.optimizer,
            {
                name.removeprefix("optimizer."): state
                for name, state in parts.items()
                if name.startswith("optimizer.")
            },
        )
        self.progress = checkpoint.progress


def _optimizer(config: TrainingConfig, flat: FlatParameters) -> torch.optim.Optimizer:
    if config.optimizer == "muon":
        return Muon(flat, config.learning_rate)
    if config.optimizer == "adamw":
        return torch.optim.AdamW(
            [flat.values], lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
    return torch.optim.Adam([flat.values], lr=config.learning_rate, fused=True)


def _follow(average: nn.Module, network: nn.Module, config: TrainingConfig, step: int) -> None:
    """Move the averaged weights, and the statistics of norms, one step towards those of the network."""
    assert config.ema_decay is not None
    # The average in the first steps must not retain the initial weights.
    decay = min(config.ema_decay, (1 + step) / (10 + step))
    ours, theirs = [], []
    for mine, its in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mine.is_floating_point():
            ours.append(mine)
            theirs.append(its)
    torch._foreach_lerp_(ours, theirs, 1 - decay)
