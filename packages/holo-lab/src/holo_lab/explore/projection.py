"""Projections of z onto a plane, and clusters of z."""

import warnings
from importlib import import_module
from types import ModuleType

import attrs
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from holo_types.extras import extra

__all__ = [
    "LEAST_FOR_UMAP",
    "PlaneMap",
    "clusters_of",
    "load_umap",
    "principal_components",
    "uniform_manifold",
]

LEAST_FOR_UMAP = 20  # rows
_NEIGHBORS = 15
_CLUSTERS = 8
_LEARNED_ROWS = 20_000  # from which the clusters are learned well enough


@attrs.frozen(eq=False)
class PlaneMap:
    """A map of rows in the plane.

    Parameters
    ----------
    key, title
        The name of the map in the address of the page, and its title on the page.
    detail
        A line that says how it was made.
    points : Float[ndarray, "n 2"]
        The position of each row, which has no unit.
    """

    key: str
    title: str
    detail: str
    points: Float[np.ndarray, "n 2"]


def principal_components(vectors: Float[np.ndarray, "n d"]) -> PlaneMap:
    """Return the map of the first two principal components.

    Parameters
    ----------
    vectors : Float[ndarray, "n d"]
        Vectors whose components have the same scale.

    Examples
    --------
    >>> principal_components(np.array([[0.0, 0.0], [3.0, 0.0], [6.0, 1.0]])).detail
    'the first two principal components of z, 100 % of its variance'
    """
    wide = vectors.astype(np.float64)
    found = PCA(min(2, *wide.shape), svd_solver="full" if min(wide.shape) < 3 else "covariance_eigh")
    points: NDArray[np.float64] = found.fit_transform(wide)
    share = float(np.nan_to_num(found.explained_variance_ratio_).sum())
    detail = f"the first two principal components of z, {100 * share:.0f} % of its variance"
    return PlaneMap("pca", "PCA", detail, _two(points))


def _two(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.pad(points, ((0, 0), (0, 2 - points.shape[1])))


def load_umap() -> ModuleType:
    """Return the module of umap-learn, which takes many seconds to import (extra ``umap``).

    Raises
    ------
    HoloError
        If it is not installed.
    """
    with extra("holo-lab[umap]"), warnings.catch_warnings():
        # It warns that TensorFlow is missing, which only a part of it needs that is not used here.
        warnings.simplefilter("ignore", ImportWarning)
        module: ModuleType = import_module("umap")
    return module


def uniform_manifold(vectors: Float[np.ndarray, "n d"], *, seed: int = 0) -> PlaneMap:
    """Return the map of UMAP, which is reproducible for a given seed because it uses one thread (extra ``umap``).

    Parameters
    ----------
    vectors : Float[ndarray, "n d"]
        At least 20 vectors whose components have the same scale.
    seed
        The seed of the random numbers.

    Raises
    ------
    HoloError
        If umap-learn is not installed.

    Notes
    -----
    L. McInnes, J. Healy, J. Melville, UMAP, arXiv:1802.03426 (2018).
    """
    found = load_umap().UMAP(n_neighbors=_NEIGHBORS, min_dist=0.15, random_state=seed, n_jobs=1)
    points: NDArray[np.float64] = found.fit_transform(vectors.astype(np.float32)).astype(np.float64)
    return PlaneMap(
        "umap", "UMAP", f"of the {_NEIGHBORS} nearest neighbors of each residue, seed {seed}", points
    )


def clusters_of(vectors: Float[np.ndarray, "n d"], *, seed: int = 0) -> Int[np.ndarray, "n"]:
    """Return the cluster of each row among at most eight k-means clusters, numbered from 0 for the largest.

    Parameters
    ----------
    vectors : Float[ndarray, "n d"]
        Vectors whose components have the same scale.
    seed
        The seed of the random numbers.

    Examples
    --------
    >>> clusters_of(np.repeat([[0.0], [9.0]], [12, 4], axis=0)).tolist()
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1]
    """
    wide = vectors.astype(np.float32)
    count = min(_CLUSTERS, max(1, len(wide) // 8), len(np.unique(wide, axis=0)))
    rows = np.random.default_rng(seed).permutation(len(wide))[:_LEARNED_ROWS]
    found = KMeans(count, n_init=3, random_state=seed).fit(wide[rows])
    clusters = found.predict(wide)
    rank = np.empty(count, np.int64)
    rank[np.argsort(-np.bincount(clusters, minlength=count), kind="stable")] = np.arange(count)
    ranked: NDArray[np.int64] = rank[clusters]
    return ranked
