"""z in the plane, and in clusters."""

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
    """Where each row lies in the plane.

    Parameters
    ----------
    key, title
        What the address of the page calls it, and what its reader.
    detail
        A line on how it was made.
    points : Float[ndarray, "n 2"]
        In no unit.
    """

    key: str
    title: str
    detail: str
    points: Float[np.ndarray, "n 2"]


def principal_components(vectors: Float[np.ndarray, "n d"]) -> PlaneMap:
    """Return the first two principal components.

    Parameters
    ----------
    vectors : Float[ndarray, "n d"]
        On one scale.

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
        # It tells of TensorFlow, which only a part of it needs that is not used here.
        warnings.simplefilter("ignore", ImportWarning)
        module: ModuleType = import_module("umap")
    return module


def uniform_manifold(vectors: Float[np.ndarray, "n d"], *, seed: int = 0) -> PlaneMap:
    """Return the map of UMAP, the same for the same seed: it has one thread (extra ``umap``).

    Parameters
    ----------
    vectors : Float[ndarray, "n d"]
        On one scale, at least 20 rows.
    seed
        Of what is drawn at random.

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
    """Return which of at most eight k-means clusters each row is in, from 0, the largest first.

    Parameters
    ----------
    vectors : Float[ndarray, "n d"]
        On one scale.
    seed
        Of what is drawn at random.

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
