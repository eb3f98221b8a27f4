"""Building an index of embeddings, including the statistics of unrelated residues."""

from collections.abc import Mapping
from typing import Literal

import attrs
import numpy as np
from numpy.typing import NDArray

from holo_downstream.vectors.scaling import standardization, whitening
from holo_types import Embeddings, HoloError

from .calibration import site_chance_of
from .chance import chance_distances
from .index import NEEDED, SearchIndex, groups_of, single
from .inverted_lists import EXACT_ROWS, build_inverted_lists

__all__ = ["Standard", "build_search_index"]

Standard = Literal["standardized", "whitened"]

_SCALING_ROWS = 200_000  # enough to estimate means and covariances
_SCALINGS = {"standardized": standardization, "whitened": whitening}


def build_search_index(
    embeddings: Embeddings, *, standard: Standard = "standardized", seed: int = 0
) -> SearchIndex:
    """Build an index in which residues and sites can be searched.

    Parameters
    ----------
    embeddings
        Embeddings of at least two structures. Pairs of residues from different structures show what is found by chance;
        if the index has the column ``cluster``, pairs from different clusters are used.
    standard
        How distances are measured: ``"standardized"``, each dimension of z by its variance, or ``"whitened"``, by the
        covariance of all dimensions.
    seed
        The seed of the samples from which scales and chance are estimated.

    Returns
    -------
    SearchIndex
        The index in memory; `write_search_index` writes it to disk.

    Raises
    ------
    HoloError
        If a residue is repeated, a column is missing, or there is only one structure.

    Examples
    --------
    >>> from holo_types import ModelReference
    >>> rng = np.random.default_rng(0)
    >>> rows = {"structure": np.repeat(["1abc", "2xyz"], 50), "chain": ["A"] * 100, "residue_number": range(100),
    ...         "insertion_code": [""] * 100, "residue_name": ["ALA"] * 100}
    >>> model = ModelReference("demo", "1", "0" * 64, "0" * 64)
    >>> index = build_search_index(Embeddings(rng.normal(size=(100, 4)), np.zeros((100, 3, 3)), model, rows))
    >>> len(index), index.chance.of("ALA", np.array([0.0])).round(9).tolist()  # less than one of 5,000 pairs
    (100, [0.0002])
    """
    columns = {name: embeddings.index.column(name) for name in NEEDED}
    _check_once_each(columns)
    z = single(embeddings.invariants)
    generator = np.random.default_rng(seed)
    sample = z if len(z) <= _SCALING_ROWS else z[np.sort(generator.choice(len(z), _SCALING_ROWS, False))]
    scaling = _SCALINGS[standard](sample)
    vectors = scaling.of(z)
    chance = chance_distances(vectors, columns["residue_name"], groups_of(embeddings.index), seed=seed)
    index = SearchIndex(
        vectors,
        embeddings.frames.astype(np.float32, copy=False),
        embeddings.centers,
        embeddings.index,
        embeddings.model,
        scaling,
        chance,
        lists=build_inverted_lists(vectors, seed=seed) if len(vectors) > EXACT_ROWS else None,
    )
    if index.centers is None:
        return index
    return attrs.evolve(index, site_chance=site_chance_of(index, seed=seed))


def _check_once_each(columns: Mapping[str, NDArray[np.generic]]) -> None:
    rows = np.lexsort([columns[name] for name in NEEDED[3::-1]])
    same = np.ones(max(len(rows) - 1, 0), bool)
    for name in NEEDED[:4]:
        ordered = columns[name][rows]
        same &= ordered[1:] == ordered[:-1]
    if same.any():
        row = int(rows[np.flatnonzero(same)[0]])
        what = f"{columns['structure'][row]} {columns['chain'][row]}:{columns['residue_number'][row]}"
        raise HoloError(f"the residue {what} comes twice; each must come once")
