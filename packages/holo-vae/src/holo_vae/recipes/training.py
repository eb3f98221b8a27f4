"""How a network is trained."""

from typing import Literal

import attrs

from holo_types import HoloError

from .bounds import at_least

__all__ = ["TrainingConfig"]


@attrs.frozen(kw_only=True)
class TrainingConfig:
    """The settings with which a network is trained.

    Parameters
    ----------
    epochs, batch_size, seed
        The number of epochs, the rows per batch and the seed; the same seed on the same machine gives the same weights.
    optimizer, learning_rate, weight_decay
        Adam, AdamW or Muon (see `holo_vae.training.muon`), its peak learning rate, and the weight decay of AdamW. Muon
        takes larger learning rates than Adam, and gets farther with the same samples.
    schedule
        How the learning rate changes after the warm-up, step by step: ``"cosine"`` falls to zero at the end;
        ``"exponential"`` falls tenfold over `decay_epochs` epochs and then stays constant; ``"plateau"`` is divided by
        ten when the validation loss has not fallen for `plateau_patience` epochs; ``"constant"`` does not change.
    warmup_steps, decay_epochs, plateau_patience
        See `schedule`.
    gradient_clip
        The gradient norm above which gradients are clipped.
    reconstruction_weight
        α, the weight of the mean squared error.
    channel_weights
        The weight of each of the basis' channels in that mean, in their order: a rare element is hardly reconstructed
        if it has the same weight as carbon. None for weights of 1.
    frame_weight
        γ, the weight of the mean squared difference between a row's frame and the coordinate axes. It is for training
        rows that all have the same pose (digits that are not rotated, residues in the pose of their backbone); use 0
        where poses have no meaning.
    head_weight
        The weight of the cross-entropy of the model's heads: one for all heads, or one for each.
    kl_weight
        β, the final weight of KL / latent_dim (variational models only).
    kl_start, kl_warmup
        β is 0 for `kl_start` epochs, and then rises linearly over `kl_warmup` epochs.
    masking
        The share of (channel, degree) blocks of the input that are set to zero, all orders m together, while the
        complete input is to be reconstructed (denoising). The two views of a row lose different blocks.
    ema_decay
        Decay, per step, of the exponential moving average of the weights. The average is then what is validated and
        kept; None for no average.
    early_stopping
        Training ends after this many epochs without a lower validation loss; None to never end early.
    precision
        ``"mixed"``: matrix products in bfloat16, weights and norms in float32.
    compile
        Whether the network is compiled with `torch.compile`.
    checkpoint_minutes
        How often the state of the run is written, in addition to the end of each epoch.
    shuffle_rows
        Number of rows that are shuffled together in memory; larger data is streamed.
    validation_fraction, group_column
        If there is no validation data: the share of the groups (rows with the same value in this index column) that is
        set aside to choose the best weights. Rows of one group are never in both parts.
    cluster_column
        The index column that says which groups are alike, so that they count no more than one: an epoch then takes from
        each cluster a sample of as many rows as its groups have on average, see `holo_vae.data.clusters`. No cluster is
        in both parts of a split. None if all rows count alike.

    Raises
    ------
    HoloError
        If a value is out of range.
    """

    epochs: int = attrs.field(default=30, validator=at_least(1))
    batch_size: int = attrs.field(default=128, validator=at_least(2))
    optimizer: Literal["adam", "adamw", "muon"] = "adam"
    learning_rate: float = attrs.field(default=1e-3, validator=at_least(0.0))
    weight_decay: float = attrs.field(default=0.0, validator=at_least(0.0))
    schedule: Literal["cosine", "exponential", "plateau", "constant"] = "cosine"
    warmup_steps: int = attrs.field(default=50, validator=at_least(0))
    decay_epochs: int = attrs.field(default=25, validator=at_least(1))
    plateau_patience: int = attrs.field(default=5, validator=at_least(1))
    gradient_clip: float = attrs.field(default=5.0, validator=at_least(1e-12))
    reconstruction_weight: float = attrs.field(default=50.0, validator=at_least(0.0))
    channel_weights: tuple[float, ...] | None = attrs.field(default=None)
    frame_weight: float = attrs.field(default=0.0, validator=at_least(0.0))
    head_weight: float | tuple[float, ...] = attrs.field(default=1.0)
    kl_weight: float = attrs.field(default=0.0, validator=at_least(0.0))
    kl_start: int = attrs.field(default=0, validator=at_least(0))
    kl_warmup: int = attrs.field(default=0, validator=at_least(0))
    masking: float = attrs.field(default=0.0)
    ema_decay: float | None = attrs.field(default=None)
    early_stopping: int | None = attrs.field(default=None, validator=attrs.validators.optional(at_least(1)))
    precision: Literal["float32", "float64", "mixed"] = "float32"
    compile: bool = False
    checkpoint_minutes: float = attrs.field(default=10.0, validator=at_least(0.0))
    shuffle_rows: int = attrs.field(default=500_000, validator=at_least(2))
    validation_fraction: float = attrs.field(default=0.15)
    group_column: str = "structure"
    cluster_column: str | None = None
    seed: int = attrs.field(default=0, validator=at_least(0))

    @validation_fraction.validator
    @masking.validator
    @ema_decay.validator
    def _check_share(self, attribute: "attrs.Attribute[float]", value: float | None) -> None:
        least = 0.0 if attribute.name == "masking" else 1e-12
        if value is not None and not least <= value < 1:
            raise HoloError(f"TrainingConfig.{attribute.name} is {value}; it must lie between 0 and 1")

    @channel_weights.validator
    @head_weight.validator
    def _check_weights(
        self, attribute: "attrs.Attribute[float]", value: float | tuple[float, ...] | None
    ) -> None:
        for weight in value if isinstance(value, tuple) else () if value is None else (value,):
            at_least(0.0)(self, attribute, weight)

    def head_weights(self, count: int) -> tuple[float, ...]:
        """Return the weight of each of `count` heads."""
        weights = self.head_weight
        return weights if isinstance(weights, tuple) else (weights,) * count

    def kl_weight_at(self, epoch: int) -> float:
        """Return β in an epoch; epochs are counted from 0."""
        rise = (epoch + 1 - self.kl_start) / max(self.kl_warmup, 1)
        return self.kl_weight * min(max(rise, 0.0), 1.0)
