"""The files of an index, which is a folder.

``embeddings.h5`` holds the unchanged embeddings, ``search.h5`` everything else about them, and ``lists.h5``, which only
large indices have, the inverted lists. Each file records the digest of the embeddings that it belongs to. Files of the
library for approximate search are never read: its lists are stored as arrays like all others, which are validated, and
they are made anew if they do not belong to the embeddings.
"""

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray

import holo_types
from holo_downstream.vectors.csv_files import read_csv
from holo_downstream.vectors.scaling import Scaling
from holo_types import Embeddings, FormatError, HoloError, NamedArrays, save
from holo_types.files.locks import PathLock
from holo_types.reading import reads

from .building import Standard, build_search_index
from .chance import ChanceDistances
from .index import CLUSTER, SearchIndex, single
from .inverted_lists import EXACT_ROWS, InvertedLists, build_inverted_lists
from .site_chance import SIZES, SiteChance

__all__ = ["read_search_index", "with_clusters", "write_search_index"]

_EMBEDDINGS, _SEARCH, _LISTS = "embeddings.h5", "search.h5", "lists.h5"
_KIND, _LISTS_KIND = "SearchIndex", "InvertedLists"
_SCORES, _SCORES_OF_ANY_TYPE = "site_scores_", "site_scores_of_any_type_"
_FORMAT = 2
_PIECE = 1 << 24


def write_search_index(
    embeddings: Embeddings, folder: Path, *, standard: Standard = "standardized", seed: int = 0
) -> SearchIndex:
    """Make embeddings searchable and write the index to a folder.

    Parameters
    ----------
    embeddings, standard, seed
        As for `build_search_index`.
    folder
        A new folder; one that is empty, or in which a run was interrupted, is also accepted.

    Raises
    ------
    HoloError
        As for `build_search_index`; also if the folder is not empty or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from holo_types import ModelReference
    >>> rows = {"structure": np.repeat(["1abc", "2xyz"], 50), "chain": ["A"] * 100, "residue_number": range(100),
    ...         "insertion_code": [""] * 100, "residue_name": ["ALA"] * 100}
    >>> model, z = ModelReference("demo", "1", "0" * 64, "0" * 64), np.random.default_rng(0).normal(size=(100, 4))
    >>> folder = Path(tempfile.mkdtemp(), "proteins")
    >>> index = write_search_index(Embeddings(z, np.zeros((100, 3, 3)), model, rows), folder)
    >>> np.array_equal(read_search_index(folder).vectors, index.vectors)
    True
    """
    with PathLock(folder, folder=True) as lock:
        if (folder / _SEARCH).exists() or not _unfinished(folder):
            raise HoloError(f"{folder}: is not empty, and is not replaced; name another folder")
        index = build_search_index(embeddings, standard=standard, seed=seed)
        save(embeddings, folder / _EMBEDDINGS)
        digest = _digest(folder / _EMBEDDINGS)
        if index.lists is not None:
            _write_lists(index.lists, digest, folder)
        lock.check()
        _write_search(index, digest, folder)  # last, because it completes the index
    return index


def read_search_index(folder: Path) -> SearchIndex:
    """Read an index.

    Inverted lists that are damaged or belong to other embeddings are made anew in memory, which takes minutes.

    Parameters
    ----------
    folder
        The folder that `write_search_index` wrote.

    Raises
    ------
    FormatError
        If it is not a complete index, or is damaged.
    HoloError
        If it has more than a million rows and faiss is missing (extra ``search``).

    Examples
    --------
    >>> read_search_index(Path("absent"))
    Traceback (most recent call last):
    ...
    holo_types.errors.FormatError: absent: is not an index; it must be a folder with search.h5 that index wrote
    """
    if not (folder / _SEARCH).is_file():
        raise FormatError(f"{folder}: is not an index; it must be a folder with {_SEARCH} that index wrote")
    said = holo_types.load(folder / _SEARCH, kind=NamedArrays)
    embeddings = holo_types.load(folder / _EMBEDDINGS, kind=Embeddings)
    digest = _digest(folder / _EMBEDDINGS)
    if said.kind != _KIND or said.header.get("embeddings") != digest:
        raise FormatError(
            f"{folder}: its {_SEARCH} does not belong to its {_EMBEDDINGS}; make the index anew"
        )
    return _joined(folder / _SEARCH, said, embeddings, _lists(folder, digest))


def with_clusters(embeddings: Embeddings, table: Path) -> Embeddings:
    """Return embeddings with the column ``cluster``, looked up by structure.

    Parameters
    ----------
    embeddings
        Embeddings of structures that are all in the table.
    table
        CSV file with the columns structure and cluster.

    Raises
    ------
    HoloError
        If the table lacks a column or a structure, or a structure is repeated.
    """
    columns = read_csv(table)
    if lacking := [name for name in ("structure", CLUSTER) if name not in columns]:
        raise FormatError(f"{table}: has no column {lacking[0]!r}; it has {', '.join(columns)}")
    clusters = dict(zip(columns["structure"], columns[CLUSTER], strict=True))
    if len(clusters) < len(columns["structure"]):
        raise FormatError(f"{table}: has a structure twice; each must come once")
    names = embeddings.index.column("structure").tolist()
    if missing := sorted(set(names) - set(clusters)):
        raise HoloError(f"{table}: lacks the structure {missing[0]!r}; it must say the cluster of each")
    index = embeddings.index.assign(**{CLUSTER: [clusters[name] for name in names]})
    return attrs.evolve(embeddings, index=index)


def _unfinished(folder: Path) -> bool:
    """Return whether a folder contains only what an interrupted run leaves."""
    return {path.name for path in folder.iterdir() if path.name[0] != "."} <= {_EMBEDDINGS, _LISTS}


def _write_search(index: SearchIndex, digest: str, folder: Path) -> None:
    chance, sites = index.chance, index.site_chance
    arrays = {
        "mean": index.scaling.mean,
        "factors": index.scaling.factors,
        "chance_types": chance.types,
        "chance_distances": chance.distances,
        "chance_p_values": chance.p_values,
        "chance_pairs": chance.pairs,
        **({} if sites is None else _named(_SCORES, sites.scores)),
        **({} if sites is None else _named(_SCORES_OF_ANY_TYPE, sites.scores_of_any_type)),
    }
    header = {"format": _FORMAT, "embeddings": digest, "sites": None if sites is None else sites.sites}
    save(NamedArrays(_KIND, arrays, header), folder / _SEARCH)


def _named(prefix: str, scores: Mapping[int, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    return {f"{prefix}{size}": each for size, each in scores.items()}


def _site_chance(arrays: Mapping[str, NDArray[np.generic]], sites: float) -> SiteChance:
    of_type, of_any_type = (
        {size: arrays[f"{prefix}{size}"].astype(np.float64, copy=False) for size in SIZES}
        for prefix in (_SCORES, _SCORES_OF_ANY_TYPE)
    )
    return SiteChance(of_type, of_any_type, sites)


@reads("a search index")
def _joined(path: Path, said: NamedArrays, embeddings: Embeddings, lists: NamedArrays | None) -> SearchIndex:
    if said.header["format"] != _FORMAT:
        raise FormatError(
            f"{path}: has the format {said.header['format']}; it must be {_FORMAT}: make the index anew"
        )
    arrays, of_sites = said.arrays, said.header["sites"]
    try:
        scaling = Scaling(arrays["mean"], arrays["factors"])
        chance = ChanceDistances(
            *(arrays[f"chance_{name}"] for name in ("types", "distances", "p_values", "pairs"))
        )
        sites = None if of_sites is None else _site_chance(arrays, float(of_sites))
        vectors = scaling.of(single(embeddings.invariants))
        index = SearchIndex(
            vectors,
            embeddings.frames.astype(np.float32, copy=False),
            embeddings.centers,
            embeddings.index,
            embeddings.model,
            scaling,
            chance,
            sites,
        )
    except HoloError as error:
        raise FormatError(f"{path}: {error}") from None
    return attrs.evolve(index, lists=_inverted(vectors, lists)) if len(vectors) > EXACT_ROWS else index


def _inverted(vectors: NDArray[np.float32], lists: NamedArrays | None) -> InvertedLists:
    if lists is not None:
        with contextlib.suppress(HoloError, KeyError):
            return InvertedLists(vectors, lists.arrays["centroids"], lists.arrays["list_of_row"])
    return build_inverted_lists(vectors)


def _write_lists(lists: InvertedLists, digest: str, folder: Path) -> None:
    arrays = {"centroids": lists.centroids, "list_of_row": lists.list_of_row}
    save(NamedArrays(_LISTS_KIND, arrays, {"embeddings": digest}), folder / _LISTS)


def _lists(folder: Path, digest: str) -> NamedArrays | None:
    """Return the lists of an index; None if there are none that belong to its embeddings."""
    try:
        lists = holo_types.load(folder / _LISTS, kind=NamedArrays)
    except FormatError:
        return None
    return lists if lists.kind == _LISTS_KIND and lists.header.get("embeddings") == digest else None


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
