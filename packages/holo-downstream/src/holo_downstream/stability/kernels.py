"""How alike two exchanges are: an odd part by construction, and one for natural residues."""

from collections.abc import Mapping

import attrs
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

__all__ = ["KernelSettings", "Scaled", "natural_kernel", "odd_kernel"]


@attrs.frozen
class KernelSettings:
    """Weights of the parts of the kernels and how fast they fall off.

    Parameters
    ----------
    sharpness
        The sharpness of each block of the sites: two that differ by a standard deviation in each of its numbers are
        alike by exp(-sharpness). A block that is not named here is not looked at.
    type_sharpness
        Likewise of the numbers of amino acids.
    type_weight, site_weight, change_weight
        The weights of the odd part: what an amino acid is worth anywhere, what it is worth at such a site, and what is
        linear in the changes.
    offset, natural_site_weight, natural_type_weight
        The weights of the term of natural residues: what every exchange costs, what one costs at such a site, and what
        one costs such a residue there.
    noise
        Variance of the measured values about what can be known, in the units of the weights.
    """

    sharpness: Mapping[str, float]
    type_sharpness: float
    type_weight: float
    site_weight: float
    change_weight: float
    offset: float
    natural_site_weight: float
    natural_type_weight: float
    noise: float


@attrs.frozen(eq=False)
class Scaled:
    """Exchanges whose numbers are scaled so that kernels are plain functions of them.

    Parameters
    ----------
    sites
        Squared distances are exponents.
    wild_types, mutants
        Likewise.
    changes
        Inner products are a kernel.
    """

    sites: Float[np.ndarray, "n s"]
    wild_types: Float[np.ndarray, "n t"]
    mutants: Float[np.ndarray, "n t"]
    changes: Float[np.ndarray, "n c"]

    def __len__(self) -> int:
        return len(self.sites)


def odd_kernel(ones: Scaled, others: Scaled, settings: KernelSettings) -> Float[np.ndarray, "ones others"]:
    """Return the covariance of g(mutant, site) - g(wild type, site), for g a Gaussian process.

    With k(a, b) of amino acids and s of sites, g(a, x) and g(b, y) have the covariance
    k(a, b) (type_weight + site_weight s(x, y)); that of two differences is a sum of four such terms. To it comes the
    inner product of the changes. The reverse of an exchange has the negative of its row.
    """
    types = (
        _gaussian(ones.mutants, others.mutants)
        - _gaussian(ones.mutants, others.wild_types)
        - _gaussian(ones.wild_types, others.mutants)
        + _gaussian(ones.wild_types, others.wild_types)
    )
    sites = settings.type_weight + settings.site_weight * _gaussian(ones.sites, others.sites)
    linear: NDArray[np.float64] = ones.changes @ others.changes.T
    kernel: NDArray[np.float64] = types * sites + settings.change_weight * linear
    return kernel


def natural_kernel(
    ones: Scaled, others: Scaled, settings: KernelSettings
) -> Float[np.ndarray, "ones others"]:
    """Return the covariance of what an exchange costs because evolution chose what is there.

    It looks at the site and the wild type only: what is lost, whatever comes.
    """
    kernel: NDArray[np.float64] = settings.offset + _gaussian(ones.sites, others.sites) * (
        settings.natural_site_weight
        + settings.natural_type_weight * _gaussian(ones.wild_types, others.wild_types)
    )
    return kernel


def _gaussian(
    ones: Float[np.ndarray, "ones d"], others: Float[np.ndarray, "others d"]
) -> NDArray[np.float64]:
    squares = (ones**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * ones @ others.T
    kernel: NDArray[np.float64] = np.exp(-np.maximum(squares, 0))
    return kernel
