"""Approximate neighbors among millions of rows: inverted lists of faiss, stored as plain arrays (extra ``search``).

faiss can write and read its own indices, but what it reads becomes native memory without validation. Its files are
therefore never read: only the centroids and the list of each row are stored, in Holo's own format, and faiss is given
the vectors anew.
"""

from functools import cached_property
from typing import Any

import attrs
import numpy as np
from jaxtyping import Bool, Float, Int

from holo_types import HoloError
from holo_types.extras import extra

__all__ = ["EXACT_ROWS", "InvertedLists", "build_inverted_lists"]

EXACT_ROWS = 1_000_000  # an exact comparison with this many takes a tenth of a second
_ROWS_PER_CENTROID = 64  # from which the centroids are learned
_ROUNDS = 10
_PROBES = 64  # number of lists that are searched for a query


@attrs.frozen(eq=False)
class InvertedLists:
    """Rows grouped by their nearest centroid: a query searches only the lists near to it.

    Parameters
    ----------
    vectors : Float[ndarray, "n d"]
        Scaled z, in float32.
    centroids : Float[ndarray, "lists d"]
        The centroids, in float32.
    list_of_row : Int[ndarray, "n"]
        The nearest centroid of each row.
    """

    vectors: Float[np.ndarray, "n d"]
    centroids: Float[np.ndarray, "lists d"]
    list_of_row: Int[np.ndarray, "n"]

    def __attrs_post_init__(self) -> None:
        lists, fits = len(self.centroids), self.list_of_row.shape == (len(self.vectors),)
        fits = (
            fits and self.centroids.shape[1:] == self.vectors.shape[1:] and self.centroids.dtype == np.float32
        )
        if not fits or self.list_of_row.min(initial=0) < 0 or self.list_of_row.max(initial=0) >= lists:
            raise HoloError(
                f"the inverted lists do not fit the {len(self.vectors)} vectors; each must be in one of {lists} lists"
            )

    @cached_property
    def _searcher(self) -> Any:
        faiss = _faiss()
        width = self.vectors.shape[1]
        quantizer = faiss.IndexFlatL2(width)
        quantizer.add(self.centroids)
        searcher = faiss.IndexIVFFlat(quantizer, width, len(self.centroids), faiss.METRIC_L2)
        searcher.own_fields, searcher.is_trained = False, True
        lists = np.ascontiguousarray(self.list_of_row, np.int64)
        vectors = np.ascontiguousarray(self.vectors, np.float32)
        searcher.add_core(len(vectors), faiss.swig_ptr(vectors), None, faiss.swig_ptr(lists), None)
        return searcher, quantizer  # which must live equally long

    def nearest(
        self, queries: Float[np.ndarray, "q d"], allowed: Bool[np.ndarray, "n"], count: int
    ) -> Int[np.ndarray, "q count"]:
        """Return the rows that are probably nearest to each query, -1 if there are fewer."""
        faiss = _faiss()
        searcher, _ = self._searcher
        chosen = np.packbits(allowed, bitorder="little")
        selector = faiss.IDSelectorBitmap(len(allowed), faiss.swig_ptr(chosen))
        how = faiss.SearchParametersIVF(sel=selector, nprobe=min(_PROBES, len(self.centroids)))
        rows: Int[np.ndarray, "q count"] = searcher.search(np.ascontiguousarray(queries), count, params=how)[
            1
        ]
        return rows


def build_inverted_lists(vectors: Float[np.ndarray, "n d"], *, seed: int = 0) -> InvertedLists:
    """Learn centroids, and assign each row to the nearest one.

    Parameters
    ----------
    vectors : Float[ndarray, "n d"]
        Scaled z, in float32.
    seed
        The seed of the sample from which the centroids are learned.

    Raises
    ------
    HoloError
        If faiss is missing (extra ``search``).
    """
    faiss = _faiss()
    rows, width = vectors.shape
    count = max(1, 1 << int(np.log2(max(1.0, 4 * np.sqrt(rows)))))
    learned = faiss.Clustering(width, count)
    learned.niter, learned.seed, learned.verbose = _ROUNDS, seed, False
    learned.min_points_per_centroid, learned.max_points_per_centroid = 1, _ROWS_PER_CENTROID
    sample = np.random.default_rng(seed).permutation(rows)[: _ROWS_PER_CENTROID * count]
    flat = faiss.IndexFlatL2(width)
    learned.train(np.ascontiguousarray(vectors[sample], np.float32), flat)
    centroids = faiss.vector_to_array(learned.centroids).reshape(count, width)
    lists = np.empty(rows, np.int64)
    for start in range(0, rows, 1 << 16):
        part = np.ascontiguousarray(vectors[start : start + (1 << 16)], np.float32)
        lists[start : start + len(part)] = flat.search(part, 1)[1][:, 0]
    return InvertedLists(vectors, centroids, lists)


def _faiss() -> Any:
    with extra("holo-downstream[search]"):
        import faiss  # noqa: PLC0415
    return faiss
