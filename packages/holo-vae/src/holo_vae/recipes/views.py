"""How training changes surroundings before they are encoded, and which terms on z it adds to the loss."""

import attrs

from holo_types import HoloError

from .bounds import at_least

__all__ = ["ViewsConfig"]


@attrs.frozen(kw_only=True)
class ViewsConfig:
    """How a network is trained on views of point clouds, which are drawn and encoded anew in every epoch.

    The target is the unchanged surroundings; the input of the network is a view of them. If one of the three weights is
    above 0, the network receives two views, and the terms of VICReg are added to the loss: z of the two views should be
    alike (invariance), each dimension of z should have a standard deviation of at least 1 among the rows of a batch
    (variance), and no two dimensions should be correlated (covariance).

    Parameters
    ----------
    noise
        Standard deviation of the displacement of every atom, and of the origin, along each axis, in Å.
    without_own_atoms, without_side_chain
        The shares of samples whose views lack the residue's own atoms, or its side chain. Both views of a sample lack
        the same atoms.
    invariance, variance, covariance
        Weights of the three terms in the loss.
    pairs
        Number of pairs of rows that are added to each batch: the two views of a pair are of two rows that represent one
        residue, in crystals of one protein or in relatives, see `StructureData.alike`.
    whitened
        Whether the last layer before z is fitted anew after the training, so that the unit of z is the variation
        between rows that are views of one another, see `holo_vae.training.whitening`. For images on a sphere. The
        decoder takes the best linear prediction of the former z.
    margin
        How much wider than the cutoff surroundings are cut, in Å, so that noise can bring atoms in as well as out.

    Raises
    ------
    HoloError
        If a value is out of range, or there are pairs while all three weights are 0.

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
                f"ViewsConfig.pairs is {self.pairs}, and no term uses them; one of invariance, variance and "
                "covariance must be above 0"
            )

    @property
    def two(self) -> bool:
        """Whether there are two views of each sample."""
        return bool(self.invariance or self.variance or self.covariance)
