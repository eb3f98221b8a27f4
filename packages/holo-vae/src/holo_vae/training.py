"""Training: from holograms to a model, epoch by epoch, the best on validation kept."""

import copy
import math
import time
from collections.abc import Callable, Iterator

import attrs
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from holo_nn import cosine_loss
from holo_types import HoloError, Holograms

from .config import Recipe, TrainingConfig
from .model import Model
from .network import Encoding, HolographicAutoencoder

__all__ = ["Epoch", "Split", "data_scale", "initial_model", "kl_divergence", "split_rows", "train"]


@attrs.frozen(kw_only=True)
class Epoch:
    """What one epoch of training gave.

    Losses are means over samples: `loss` the weighted sum on the training rows, `mse` and `kl` its parts,
    `validation_mse` and `validation_cosine` (s = +1) on the validation rows.
    """

    number: int
    loss: float
    mse: float
    kl: float
    validation_mse: float
    validation_cosine: float
    learning_rate: float
    gradient_norm: float
    samples_per_second: float
    best: bool


@attrs.frozen(eq=False)
class Split:
    """Row numbers of the training and of the validation part."""

    training: NDArray[np.int64]
    validation: NDArray[np.int64]


def split_rows(holograms: Holograms, config: TrainingConfig) -> Split:
    """Split rows by group, so that no group (such as a structure) is on both sides.

    Raises
    ------
    HoloError
        If the index lacks the group column, or there are fewer than two groups.
    """
    if config.group_column not in holograms.index:
        raise HoloError(
            f"the holograms' index has no column {config.group_column!r} to split by; "
            f"it has {list(holograms.index)}"
        )
    groups, members = np.unique(holograms.index[config.group_column], return_inverse=True)
    if len(groups) < 2:
        raise HoloError(
            f"the holograms hold {len(groups)} {config.group_column} value(s); splitting needs at least 2"
        )
    count = min(max(round(config.validation_fraction * len(groups)), 1), len(groups) - 1)
    chosen = np.random.default_rng(config.seed).permutation(len(groups))[:count]
    validation = np.isin(members, chosen)
    return Split(np.flatnonzero(~validation), np.flatnonzero(validation))


def data_scale(holograms: Holograms) -> float:
    """Give the constant that training data is divided by: the mean of sqrt(Σ_l Σ_c,m x² / (2l+1)).

    Raises
    ------
    HoloError
        If every hologram is zero.
    """
    total = np.zeros(len(holograms))
    for degree in range(holograms.basis.lmax + 1):
        block = holograms.degree(degree).astype(np.float64)
        total += np.square(block).sum(axis=(1, 2)) / (2 * degree + 1)
    scale = float(np.sqrt(total).mean()) if len(total) else 0.0
    if scale == 0:
        raise HoloError("every hologram of the training data is zero; there is nothing to learn")
    return scale


def initial_model(recipe: Recipe, scale: float, name: str) -> Model:
    """Give the model from which training begins; the recipe's seed decides its weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.training.seed)
        network = HolographicAutoencoder(recipe.model)
    network.scale.fill_(scale)
    return Model(network.eval(), name)


def kl_divergence(encoding: Encoding) -> Float[Tensor, " n"]:
    """Give KL(q(z|x) ‖ N(0, 1)), summed over the latent dimensions; 0 for an H-AE."""
    mean, log_variance = encoding.mean, encoding.log_variance
    if log_variance is None:
        return torch.zeros_like(mean[:, 0])
    return 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(dim=-1)


def _learning_rate(config: TrainingConfig, steps: int) -> Callable[[int], float]:
    warmup = min(config.warmup_steps, steps // 2)

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(steps - warmup, 1)))

    return factor


def train(
    model: Model,
    holograms: Holograms,
    recipe: Recipe,
    split: Split,
    device: torch.device | str = "cpu",
) -> Iterator[Epoch]:
    """Train a model in place, giving a record after each epoch.

    After the last epoch the model holds the weights that had the lowest validation loss; of a variational
    model only epochs at the full KL weight count.

    Parameters
    ----------
    model
        From `initial_model`, or an earlier training.
    holograms
        Training and validation rows.
    recipe
        What to train and how.
    split
        Which rows are which.
    device
        Where to train; the model comes back to the CPU.

    Yields
    ------
    Epoch
        After each epoch.

    Raises
    ------
    HoloError
        If the basis is not the model's, or the loss is no longer finite.
    """
    config = recipe.training
    model.check_basis(holograms)
    if len(split.training) < 2:
        raise HoloError(f"there are {len(split.training)} training rows; at least 2 are needed")
    network = model.network.to(device)
    data = torch.from_numpy(holograms.coefficients).to(device, network.scale.dtype)
    generator = torch.Generator().manual_seed(config.seed)
    steps_per_epoch = math.ceil(len(split.training) / config.batch_size)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, _learning_rate(config, config.epochs * steps_per_epoch)
    )
    rows = torch.from_numpy(split.training)
    best, best_weights = math.inf, copy.deepcopy(network.state_dict())
    validation_data = data[torch.from_numpy(split.validation).to(data.device)]
    for number in range(config.epochs):
        beta = config.kl_weight_at(number)
        started = time.perf_counter()
        order = rows[torch.randperm(len(rows), generator=generator)]
        # Equal batches: a last batch of one or two rows would give batch norm nothing to average.
        steps = []
        learning_rate = float(schedule.get_last_lr()[0])
        for chosen in order.tensor_split(steps_per_epoch):
            batch = data[chosen.to(data.device)]
            noise = torch.randn(len(batch), recipe.model.latent_dim, generator=generator).to(batch)
            steps.append(_step(network, batch, noise, optimizer, config, beta=beta))
            schedule.step()
        means = np.mean([attrs.astuple(step) for step in steps], axis=0)
        if not math.isfinite(means[0]):
            raise HoloError(f"the loss is {means[0]} in epoch {number}; lower the learning rate")
        seconds = time.perf_counter() - started
        validation = _validate(network, validation_data, config)
        score = config.reconstruction_weight * validation.mse + beta * validation.kl / recipe.model.latent_dim
        comparable = beta == config.kl_weight or not recipe.model.variational
        improved = comparable and score < best
        if improved:
            best, best_weights = score, copy.deepcopy(network.state_dict())
        yield Epoch(
            number=number,
            loss=float(means[0]),
            mse=float(means[1]),
            kl=float(means[2]),
            validation_mse=validation.mse,
            validation_cosine=validation.cosine,
            learning_rate=learning_rate,
            gradient_norm=float(means[3]),
            samples_per_second=len(rows) / seconds,
            best=improved,
        )
    if best < math.inf:
        network.load_state_dict(best_weights)
    network.eval().to("cpu")


@attrs.frozen
class _Step:
    loss: float
    mse: float
    kl: float
    gradient_norm: float


def _step(
    network: HolographicAutoencoder,
    batch: Float[Tensor, "batch dim"],
    noise: Float[Tensor, "batch d"],
    optimizer: torch.optim.Optimizer,
    config: TrainingConfig,
    *,
    beta: float,
) -> _Step:
    network.train()
    decoded, encoding = network(batch, noise)
    mse = (decoded - batch / network.scale).square().mean()
    kl = kl_divergence(encoding).mean()
    loss = config.reconstruction_weight * mse + beta * kl / network.config.latent_dim
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), config.gradient_clip)
    optimizer.step()
    return _Step(loss.item(), mse.item(), kl.item(), norm.item())


@attrs.frozen
class _Validation:
    mse: float
    kl: float
    cosine: float


def _validate(network: HolographicAutoencoder, data: Tensor, config: TrainingConfig) -> _Validation:
    network.eval()
    totals = torch.zeros(3, dtype=torch.float64)
    with torch.inference_mode():
        for batch in torch.split(data, config.batch_size):
            decoded, encoding = network(batch)
            target = batch / network.scale
            cosine = cosine_loss(decoded, target, str(network.config.basis.irreps))
            parts = ((decoded - target).square().mean(dim=1), kl_divergence(encoding), cosine)
            totals += torch.stack([part.double().sum().cpu() for part in parts])
    mse, kl, cosine_mean = (totals / len(data)).tolist()
    return _Validation(mse, kl, cosine_mean)
