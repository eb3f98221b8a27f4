"""What training may do with surroundings before they are encoded, and what is asked of z beside reconstruction."""

import attrs

from holo_types import HoloError

from .bounds import at_least

__all__ = ["ViewsConfig"]


@attrs.frozen(kw_only=True)
class ViewsConfig:
    """How a network is trained on views of point clouds, which are drawn and encoded anew in every epoch.

    The target is the whole surroundings as they are; the network is given a view of them. If one of the three weights
    is above 0, it is given two, and what is asked of z is VICReg's: that z of the two be alike (invariance), that each
    of its numbers vary among the rows of a batch by a standard deviation of 1 at least (variance), and that no two of
    its numbers say the same (covariance).

    Parameters
    ----------
    noise
        Standard deviation of the moves of every atom along each axis, the origin's too, in Å.
    without_own_atoms, without_side_chain
        Shares of the samples whose views lack their residue's own atoms, or its side chain. Both views of a sample lack
        the same.
    invariance, variance, covariance
        Weights of the three terms in the loss.
    pairs
        How many pairs of rows each batch has beside its own rows: a pair's two views are of two rows that stand for one
        residue, in crystals of one protein or in relatives, see `StructureData.alike`.
    whitened
        Whether, when training has ended, z of images on a sphere is brought to the mean 0, and to the covariance 1
        within rows that are views of one another, see `holo_vae.training.whitening`. What is decoded does not change.
    margin
        How much wider than the cutoff surroundings are cut, in Å, so that noise brings atoms in as well as out.

    Raises
    ------
    HoloError
        If a value is out of range, or pairs are given and none of the three weights.

    Notes
    -----
    Bardes, Ponce, LeCun, *VICReg: Variance-Invariance-Covariance Regularization*, ICLR (2022).
    """

    noise: float = attrs.field(default=0.0, validator=at_least(0.0))
    without_own_atoms: float = attrs.field(default=0.0, validator=at_least(0.0))
    without_side_chain: float = attrs.field(default=0.0, validator=at_least(0.0))
    invariance: float = attrs.field(default=0.0, validator=at_least(0.0))
    variance: float = attrs.field(default=0.0, validator=at_least(0.0))
    covariance: float = attrs.field(default=0.0, validator=at_least(0.0))
    pairs: int = attrs.field(default=0, validator=at_least(0))
    whitened: bool = False
    margin: float = attrs.field(default=1.5, validator=at_least(0.0))

    def __attrs_post_init__(self) -> None:
        left_out = self.without_own_atoms + self.without_side_chain
        if left_out > 1:
            raise HoloError(
                f"ViewsConfig: without_own_atoms and without_side_chain are shares of {left_out:g} together; "
                "they must be at most 1"
            )
        if self.pairs and not self.two:
            raise HoloError(
                f"ViewsConfig.pairs is {self.pairs}, and nothing is asked of them; one of invariance, variance and "
                "covariance must be above 0"
            )

    @property
    def two(self) -> bool:
        """Whether there are two views of each sample."""
        return bool(self.invariance or self.variance or self.covariance)
