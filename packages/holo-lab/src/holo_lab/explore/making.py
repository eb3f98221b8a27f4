"""From embeddings and structures to the contents of a page."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from holo_downstream import standardization
from holo_downstream.search.nearest import nearest_rows
from holo_types import Embeddings
from holo_vae import Model

from .columns import color_columns
from .contents import Contents
from .density import densities_of, named_rows
from .projection import (
    LEAST_FOR_UMAP,
    PlaneMap,
    clusters_of,
    load_umap,
    principal_components,
    uniform_manifold,
)
from .residues import find_residues

__all__ = ["NEIGHBORS", "Projection", "make_contents"]

Projection = Literal["umap", "pca"]

NEIGHBORS = 10
_PAIRS = 20_000


def make_contents(
    embeddings: Embeddings,
    paths: Sequence[Path],
    title: str,
    *,
    projection: Projection = "umap",
    density: Sequence[str] = (),
    model: Model | None = None,
    seed: int = 0,
    advance: Callable[..., None] = lambda: None,
) -> Contents:
    """Compute the contents of a page for exploring residues.

    Parameters
    ----------
    embeddings
        The embeddings of 2 to 100,000 residues.
    paths
        The structure files from which they were made.
    title
        The heading of the page.
    projection
        ``"umap"`` for UMAP and principal components, or ``"pca"`` for principal components alone.
    density
        Residues whose density is shown, such as ``"1abc A:57"``.
    model
        The model that made the embeddings, which only densities need.
    seed
        The seed of UMAP and of the clusters.
    advance
        A function that is called after each structure has been read.

    Returns
    -------
    Contents
        The contents, in which neighbors are residues of other structures, or of the same structure if it is the only
        one.

    Raises
    ------
    HoloError
        If the structures are not those of the embeddings, there are no residues, or a library is missing.

    Examples
    --------
    >>> from holo_features import datasets
    >>> from holo_vae import embed
    >>> paths = datasets.example_structures()[:2]
    >>> contents = make_contents(embed(paths, "microenvironment-z128"), paths, "two", projection="pca")
    >>> [plane.title for plane in contents.maps], contents.neighbors.shape
    (['PCA'], (320, 10))
    """
    if density:
        named_rows(embeddings, density)  # before any work, because a name may be wrong or a library missing
    if projection == "umap":
        load_umap()
    residues = find_residues(embeddings, paths, advance)
    ordered = residues.embeddings
    rows = named_rows(ordered, density) if density else None
    vectors = _standardized(ordered)
    maps: list[PlaneMap] = [principal_components(vectors)]
    note = ""
    if projection == "umap" and len(vectors) >= LEAST_FOR_UMAP:
        maps.insert(0, uniform_manifold(vectors, seed=seed))
    elif projection == "umap":
        note = f"UMAP needs {LEAST_FOR_UMAP} residues; the map is that of PCA."
    groups = residues.structure_of_row if len(residues.structures) > 1 else np.arange(len(residues))
    neighbors, distances = nearest_rows(vectors, groups, NEIGHBORS)
    return Contents(
        title=title,
        residues=residues,
        maps=tuple(maps),
        columns=color_columns(residues, clusters_of(vectors, seed=seed)),
        neighbors=neighbors,
        distances=distances / _random_distance(vectors),
        densities=None if rows is None or model is None else densities_of(ordered, rows, paths, model),
        note=note,
    )


def _standardized(embeddings: Embeddings) -> NDArray[np.float32]:
    z = embeddings.invariants.astype(np.float32)
    scaled: NDArray[np.float32] = standardization(z).of(z)
    return scaled


def _random_distance(vectors: Float[np.ndarray, "n d"]) -> float:
    """Return the median distance of two random rows, which is the unit of distances."""
    one, other = np.random.default_rng(0).integers(len(vectors), size=(2, _PAIRS))
    apart = np.linalg.norm((vectors[one] - vectors[other])[one != other], axis=1)
    return float(np.median(apart)) or 1.0
