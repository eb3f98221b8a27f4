"""The architecture of a network: its basis, its blocks and its outputs."""

from collections.abc import Iterator
from itertools import pairwise, starmap
from operator import mul
from typing import Literal

import attrs

from holo_types import Basis, HoloError

from .bounds import at_least

__all__ = [
    "BlockNorm",
    "BlocksConfig",
    "ChannelRule",
    "ClassifierConfig",
    "Condition",
    "Connectivity",
    "ModelConfig",
]

# A network that couples all pairs of 20 degrees takes a minute to make; the published ones have at most ten degrees.
_HIGHEST_DEGREE = {"efficient": 64, "full": 20}
_MOST_BLOCKS = 64
_MOST_WEIGHTS = 1 << 28

Connectivity = Literal["efficient", "full"]
ChannelRule = Literal["elementwise", "full"]
BlockNorm = Literal["signal", "layer", "instance"]


@attrs.frozen(kw_only=True)
class Condition:
    """What a conditional model receives in addition to z: the category of each row.

    Parameters
    ----------
    column
        The index column that holds the category.
    categories
        The column's values, in the order of the one-hot vector.

    Raises
    ------
    HoloError
        If there are fewer than two categories, or one is repeated.
    """

    column: str
    categories: tuple[int | str, ...]

    def __attrs_post_init__(self) -> None:
        if len(self.categories) < 2 or len(set(self.categories)) < len(self.categories):
            raise HoloError(
                f"Condition.categories are {self.categories}; they must be at least 2, each given once"
            )


@attrs.frozen(kw_only=True)
class BlocksConfig:
    """The settings that all networks of blocks share: the sizes after each block, and the parts of a block.

    Parameters
    ----------
    basis
        The basis of the holograms that the network takes.
    lmax
        Highest degree after each block; it never rises and at most halves (rounded up).
    channels
        Multiplicity of every degree after each block.
    initial_projection
        Multiplicity to which a first linear layer brings every degree; None for no such layer.
    connectivity
        Which pairs of degrees the tensor squares couple: one rule for all blocks, or one for each.
    channel_rule
        Whether the tensor squares couple each channel with itself or all pairs of channels: one rule for all blocks,
        or one for each.
    batch_norm
        Whether each block begins with a batch norm.
    norm
        The norm between a block's tensor square and its linear layer; None for none.
    skip
        Whether a block's input is added to its output.

    Raises
    ------
    HoloError
        If a value is out of range or the lists do not match.
    """

    basis: Basis
    lmax: tuple[int, ...]
    channels: tuple[int, ...]
    initial_projection: int | None = None
    connectivity: Connectivity | tuple[Connectivity, ...] = "efficient"
    channel_rule: ChannelRule | tuple[ChannelRule, ...] = "elementwise"
    batch_norm: bool = True
    norm: BlockNorm | None = "signal"
    skip: bool = True

    def __attrs_post_init__(self) -> None:
        name = type(self).__name__
        connectivity: Connectivity = "full" if "full" in self.connectivity else "efficient"
        if self.basis.lmax > _HIGHEST_DEGREE[connectivity] or len(self.lmax) > _MOST_BLOCKS:
            raise HoloError(
                f"{name} has a basis of lmax {self.basis.lmax} and {len(self.lmax)} blocks; with {connectivity} "
                f"connectivity it may have lmax {_HIGHEST_DEGREE[connectivity]} and {_MOST_BLOCKS} blocks"
            )
        if not self.lmax or len(self.lmax) != len(self.channels):
            raise HoloError(
                f"{name}: lmax has {len(self.lmax)} entries and channels {len(self.channels)}; "
                "both must have one per block, at least one"
            )
        before = self.basis.lmax
        for after in self.lmax:
            if not after <= before <= 2 * max(after, 1):
                raise HoloError(
                    f"{name}.lmax goes from {before} to {after}; a block may keep it or lower it to half"
                )
            before = after
        if min(self.channels) < 1 or (self.initial_projection is not None and self.initial_projection < 1):
            raise HoloError(
                f"{name}: channels {self.channels} and initial_projection {self.initial_projection} "
                "must be at least 1"
            )
        for field in ("connectivity", "channel_rule"):
            rules = getattr(self, field)
            if isinstance(rules, tuple) and len(rules) != len(self.lmax):
                raise HoloError(
                    f"{name}.{field} has {len(rules)} rules; there must be one, or one for each of the "
                    f"{len(self.lmax)} blocks"
                )
        multiplicities = {multiplicity for multiplicity, _ in self.basis.irreps}
        if (
            self.initial_projection is None
            and self.channel_rules[0] == "elementwise"
            and len(multiplicities) > 1
        ):
            raise HoloError(
                f"{name}.initial_projection is None; elementwise channels need the same multiplicity in "
                f"every degree, and the basis has {self.basis.irreps}"
            )
        first = self.initial_projection or self.basis.irreps.blocks[0][0]
        if self.norm == "layer" and (0, 1) in zip(
            (self.basis.lmax, *self.lmax[:-1]), (first, *self.channels[:-1]), strict=True
        ):
            raise HoloError(
                f"{name}.norm is 'layer' and a block takes one channel of degree 0 alone, which a layer norm "
                "would center to zero; there must be two or more"
            )

    def check_weights(self, most: int = _MOST_WEIGHTS) -> None:
        """Refuse a network with more weights than allowed, before any weight is made.

        Only a lower bound is counted, which any network of these sizes reaches: one path for each degree.

        Parameters
        ----------
        most
            The number of weights that is allowed.

        Raises
        ------
        HoloError
            If the network has more.
        """
        count = sum(self._widths())
        if count > most:
            raise HoloError(f"{type(self).__name__} has {count} weights or more; it may have at most {most}")

    def _widths(self) -> Iterator[int]:
        """Return the minimum number of weights of each layer."""
        first = self.initial_projection
        if first is not None:
            yield sum(multiplicity * first for multiplicity, _ in self.basis.irreps)
        widths = (first or min(multiplicity for multiplicity, _ in self.basis.irreps), *self.channels)
        for (before, after), degree, rule in zip(
            pairwise(widths), self.lmax, self.channel_rules, strict=True
        ):
            yield (before if rule == "elementwise" else before * (before - 1) // 2) * after * (degree + 1)

    @property
    def connectivities(self) -> tuple[Connectivity, ...]:
        """The connectivity rule of each block."""
        rules = self.connectivity
        return rules if isinstance(rules, tuple) else (rules,) * len(self.lmax)

    @property
    def channel_rules(self) -> tuple[ChannelRule, ...]:
        """The channel rule of each block."""
        rules = self.channel_rule
        return rules if isinstance(rules, tuple) else (rules,) * len(self.lmax)


@attrs.frozen(kw_only=True)
class ModelConfig(BlocksConfig):
    """The architecture of a holographic autoencoder.

    The encoder has one block per entry of `lmax` and `channels`; the decoder mirrors it. Settings that all networks of
    blocks share are described in `BlocksConfig`.

    Parameters
    ----------
    latent_dim
        Length of the invariant embedding z.
    variational
        Whether z is drawn from a learned normal distribution (H-VAE) or is a point (H-AE).
    bottleneck
        Widths of hidden layers between the last block's scalars and z; the decoder mirrors them.
    spectrum
        Whether z is computed from the power spectrum of the hologram in addition to the scalars of the last block: from
        the l = 0 coefficients and the norm of each channel in each higher degree.
    condition
        The category that the decoder receives in addition to z (conditional H-VAE); None for none.
    heads
        What z is trained to predict in addition to the hologram: for each head, an index column and its categories,
        which a linear layer on z predicts. Rows with another value, or with none, are skipped.
    prior_components
        The prior of z: 0 for the standard normal distribution; otherwise a mixture of this many normal distributions,
        which is trained with the network and fitted to z of the training rows at the end. A conditional model has one
        mixture for each category.

    Raises
    ------
    HoloError
        If a value is out of range or the lists do not match.

    Examples
    --------
    >>> from holo_types import Zernike
    >>> from holo_vae.recipes.recipe import from_plain, to_plain
    >>> basis = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N"))
    >>> config = ModelConfig(basis=basis, latent_dim=8, lmax=(2, 1), channels=(6, 8), initial_projection=6)
    >>> from_plain(to_plain(config), ModelConfig) == config
    True
    """

    latent_dim: int = attrs.field(validator=at_least(1))
    variational: bool = False
    bottleneck: tuple[int, ...] = ()
    spectrum: bool = False
    condition: Condition | None = None
    heads: tuple[Condition, ...] = ()
    prior_components: int = attrs.field(default=0, validator=at_least(0))

    def __attrs_post_init__(self) -> None:
        BlocksConfig.__attrs_post_init__(self)  # attrs remakes slotted classes, which breaks super()
        columns = [head.column for head in self.heads]
        if len(set(columns)) < len(columns):
            raise HoloError(f"ModelConfig.heads are of {', '.join(columns)}; each column must come once")
        if self.lmax[-1] != 1:
            raise HoloError(f"ModelConfig.lmax ends in {self.lmax[-1]}; it must end in 1, the frame's degree")
        if self.bottleneck and min(self.bottleneck) < 1:
            raise HoloError(f"ModelConfig.bottleneck is {self.bottleneck}; widths must be at least 1")
        if self.prior_components and not self.variational:
            raise HoloError(
                f"ModelConfig.prior_components is {self.prior_components}; it must be 0 where variational is false"
            )
        self.check_weights()

    @property
    def spectrum_width(self) -> int:
        """The number of values of the power spectrum from which z is computed."""
        return sum(multiplicity for multiplicity, _ in self.basis.irreps) if self.spectrum else 0

    @property
    def prior_weights(self) -> int:
        """The number of weights of the learned prior: those of a mean, a covariance and a share for each component."""
        mixtures = len(self.condition.categories) if self.condition else 1
        covariance = self.latent_dim * (self.latent_dim + 1) // 2
        return mixtures * self.prior_components * (self.latent_dim + covariance + 1)

    def _widths(self) -> Iterator[int]:
        yield from BlocksConfig._widths(self)
        yield from starmap(mul, pairwise((self.channels[-1], *self.bottleneck, self.latent_dim)))
        yield self.spectrum_width * self.latent_dim
        yield self.prior_weights
        told = [self.condition] if self.condition else []
        yield from (self.latent_dim * len(each.categories) for each in (*told, *self.heads))


@attrs.frozen(kw_only=True)
class ClassifierConfig(BlocksConfig):
    """The architecture of the supervised network: blocks, their invariants and a dense head.

    Settings that all networks of blocks share are described in `BlocksConfig`.

    Parameters
    ----------
    classes
        The index column that is learned, and its categories.
    hidden
        Widths of the head's hidden layers.

    Raises
    ------
    HoloError
        If a value is out of range or the lists do not match.
    """

    classes: Condition
    hidden: tuple[int, ...] = ()

    def __attrs_post_init__(self) -> None:
        BlocksConfig.__attrs_post_init__(self)  # attrs remakes slotted classes, which breaks super()
        if self.hidden and min(self.hidden) < 1:
            raise HoloError(f"ClassifierConfig.hidden is {self.hidden}; widths must be at least 1")
        self.check_weights()

    def _widths(self) -> Iterator[int]:
        yield from BlocksConfig._widths(self)
        yield from starmap(mul, pairwise((self.channels[-1], *self.hidden, len(self.classes.categories))))
