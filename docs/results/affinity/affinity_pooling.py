"""Vectors and kernels of sets of atoms: sums and histograms by element, Fisher vectors, sums of a kernel over pairs."""

from collections.abc import Callable

import attrs
import numpy as np
from affinity_kinds import KINDS
from affinity_learned import Atoms
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]
# From atoms and the complexes that are learned from to a vector for every complex.
Pooling = Callable[[Atoms, Mask], Values]

_ELEMENTS = (
    "C",
    "N",
    "O",
    "S",
    "",
)  # the last: what the model of atoms does not know, and what is bonded to metals
_MOST = 10_000  # atoms that a mixture is fitted to
_ROWS = 500  # of a block of the kernel


def elements(atoms: Atoms) -> NDArray[np.int64]:
    """Return the element of each atom, a number of C, N, O, S and all others."""
    of_kinds = [next(word for word in kind.split() if word in _ELEMENTS) for kind in KINDS]
    numbers = [_ELEMENTS.index(element) for element in (*of_kinds, "")]
    return np.array(numbers)[atoms.kinds]


@attrs.frozen
class SumsByElement:
    """The number of atoms of each element, and their sums of the first principal components of z.

    Parameters
    ----------
    components
        Number of principal components.
    """

    components: int

    def __call__(self, atoms: Atoms, train: Mask) -> Values:
        """Return a vector for each complex."""
        z = _principal(atoms, train, self.components)
        return _by_element(atoms, np.column_stack([np.ones(len(z)), z]))


@attrs.frozen
class HistogramsByElement:
    """How many atoms of each element have a principal component between two quantiles of the training atoms.

    Parameters
    ----------
    components
        Number of principal components.
    bins
        Number of bins, which hold equally many training atoms.
    """

    components: int
    bins: int

    def __call__(self, atoms: Atoms, train: Mask) -> Values:
        """Return a vector for each complex."""
        z = _principal(atoms, train, self.components)
        inner = np.quantile(z[train[atoms.rows]], np.linspace(0, 1, self.bins + 1)[1:-1], axis=0)
        places = np.stack([np.searchsorted(*each) for each in zip(inner.T, z.T, strict=True)], axis=1)
        within = places[:, :, None] == np.arange(self.bins)
        return _by_element(atoms, within.reshape(len(z), -1).astype(np.float64))


@attrs.frozen
class FisherVectors:
    """The gradient of a Gaussian mixture's log-likelihood, in units of its Fisher information.

    Perronnin and Dance, CVPR 2007; the mixture is of principal components of z.

    Parameters
    ----------
    components
        Number of principal components.
    gaussians
        Number of Gaussians, with diagonal covariances.
    root
        Whether atoms are averaged, and the signed square root is taken (Perronnin et al., ECCV 2010), or summed.
    """

    components: int
    gaussians: int
    root: bool

    def __call__(self, atoms: Atoms, train: Mask) -> Values:
        """Return a vector for each complex."""
        z = _principal(atoms, train, self.components)
        known = np.flatnonzero(train[atoms.rows])
        some = np.random.default_rng(0).choice(known, min(_MOST, len(known)), replace=False)
        mixture = GaussianMixture(self.gaussians, covariance_type="diag", reg_covar=1e-3, random_state=0)
        found = _sums(atoms, fisher_scores(mixture.fit(z[some]), z))
        if not self.root:
            return found
        means = found / np.bincount(atoms.rows, minlength=len(found))[:, None]
        return np.asarray(np.sign(means) * np.sqrt(np.abs(means)))


def fisher_scores(mixture: GaussianMixture, points: Values) -> Values:
    """Return the normalized gradient of each point's log-likelihood: by weights, means and standard deviations."""
    shares, root = mixture.predict_proba(points), np.sqrt(mixture.weights_)
    deviations = (points[:, None] - mixture.means_) / np.sqrt(mixture.covariances_)
    by_weights = (shares - mixture.weights_) / root
    by_means = shares[:, :, None] * deviations / root[:, None]
    by_scales = shares[:, :, None] * (deviations**2 - 1) / (root * np.sqrt(2))[:, None]
    parts = (by_weights, by_means.reshape(len(points), -1), by_scales.reshape(len(points), -1))
    return np.concatenate(parts, axis=1)


def set_kernel(atoms: Atoms, sharpness: float) -> Values:
    """Return the kernel between all complexes: a sum over pairs of atoms of one element.

    Of two atoms it is exp(-sharpness |z - z'|² / d), d the width of z. A Gaussian process with this kernel is a sum of
    terms of single atoms.
    """
    count = len(atoms.ids)
    found = np.zeros((count, count))
    of = elements(atoms)
    for element in np.unique(of):
        some = np.flatnonzero(of == element)
        z, rows = atoms.z[some].astype(np.float32), atoms.rows[some]
        squares, scale = (z**2).sum(axis=1), np.float32(sharpness / z.shape[1])
        complexes, starts = np.unique(rows, return_index=True)
        for first in range(0, len(z), _ROWS):
            block = slice(first, first + _ROWS)
            distances = squares[block, None] + squares - 2 * z[block] @ z.T
            near = np.exp(-scale * np.maximum(distances, 0))
            np.add.at(found, np.ix_(rows[block], complexes), np.add.reduceat(near, starts, axis=1))
    return (found + found.T) / 2  # rounding apart, it is symmetric already


def _principal(atoms: Atoms, train: Mask, components: int) -> Values:
    learned = PCA(components, random_state=0).fit(atoms.z[train[atoms.rows]])
    scale = np.sqrt(learned.explained_variance_[0])
    return np.asarray(learned.transform(atoms.z) / scale)


def _by_element(atoms: Atoms, values: Values) -> Values:
    of = elements(atoms)
    parts = [_sums(atoms, np.where((of == number)[:, None], values, 0.0)) for number in range(len(_ELEMENTS))]
    return np.concatenate(parts, axis=1)


def _sums(atoms: Atoms, values: Values) -> Values:
    """Return the sum over each complex's atoms, which lie one after the other."""
    return np.asarray(np.add.reduceat(values, np.unique(atoms.rows, return_index=True)[1], axis=0))
