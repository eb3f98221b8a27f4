"""The similarity of two substitutions: one kernel that is odd by construction, and one for natural residues."""

from collections.abc import Mapping

import attrs
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

__all__ = ["KernelSettings", "Scaled", "natural_kernel", "odd_kernel"]


@attrs.frozen
class KernelSettings:
    """The weights of the parts of the kernels, and how fast they fall off.

    Parameters
    ----------
    sharpness
        The sharpness for each block of site features: two sites that differ by one standard deviation in each feature
        have the similarity exp(-sharpness). Blocks that are not named here are ignored.
    type_sharpness
        The same for the features of amino acids.
    type_weight, site_weight, change_weight
        The weights of the odd part: the value of an amino acid anywhere, its value at such a site, and the term that is
        linear in the changes.
    offset, natural_site_weight, natural_type_weight
        The weights of the term for natural residues: the cost of any substitution, its cost at such a site, and its
        cost for such a residue at such a site.
    noise
        Variance of the measured values around what can be predicted, in the units of the weights.
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
    """Substitutions with scaled features, so that the kernels are plain functions of them.

    Parameters
    ----------
    sites
        Scaled so that squared distances are exponents.
    wild_types, mutants
        Scaled in the same way.
    changes
        Scaled so that inner products are a kernel.
    """

    sites: Float[np.ndarray, "n s"]
    wild_types: Float[np.ndarray, "n t"]
    mutants: Float[np.ndarray, "n t"]
    changes: Float[np.ndarray, "n c"]

    def __len__(self) -> int:
        return len(self.sites)


def odd_kernel(ones: Scaled, others: Scaled, settings: KernelSettings) -> Float[np.ndarray, "ones others"]:
    """Return the covariance of g(mutant, site) - g(wild type, site), for g a Gaussian process.

    With kernels k(a, b) of amino acids and s(x, y) of sites, g(a, x) and g(b, y) have the covariance k(a, b)
    (type_weight + site_weight s(x, y)); that of two differences is a sum of four such terms. The inner product of the
    changes is added. The row of the reverse substitution is the negative of the row of the substitution.
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
    """Return the covariance of the cost of replacing a residue that evolution has selected.

    It depends only on the site and the wild type: on what is lost, whatever replaces it.
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
