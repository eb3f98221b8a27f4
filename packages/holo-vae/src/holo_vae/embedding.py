"""Embeddings computed directly from structures, or from the pockets of complexes (extra ``structures``)."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal

import attrs
import torch

from holo_types import Embeddings, HoloError, Holograms, concatenate
from holo_types.extras import extra

from .networks.loading import load, shipped_models
from .networks.model import Model
from .networks.row_losses import row_cosine_losses

if TYPE_CHECKING:
    from holo_features import ComplexSource, EncodedStructure, Encoding

__all__ = [
    "EmbeddedStructure",
    "embed",
    "embed_complexes",
    "embed_holograms",
    "embed_structures",
    "embed_unnamed",
    "unchanging",
]

_BLOCK = 512  # rows that a thread computes at once, as one batch of `Model.encode`
_AHEAD = 4  # structures per thread that are encoded before they are needed


@attrs.frozen(eq=False)
class EmbeddedStructure:
    """The result for one structure file, or for one complex.

    Parameters
    ----------
    encoded
        Its holograms with the residues that were skipped, or the error that explains why there are none. With several
        workers, the holograms stay in the worker processes.
    embeddings
        One row for each hologram; None if there are no holograms.
    """

    encoded: "EncodedStructure"
    embeddings: Embeddings | None


def embed_holograms(model: Model, holograms: Holograms, *, device: torch.device | str = "cpu") -> Embeddings:
    """Encode holograms, and measure the cosine loss of each reconstruction.

    Parameters
    ----------
    model, holograms
        The model, and the holograms that it encodes.
    device
        Where to compute, such as ``"cuda"``.

    Raises
    ------
    HoloError
        If the basis is not that of the model, or the model is conditional and the index lacks its column.
    """
    embeddings = model.encode(holograms, device=device)
    categories = model.categories(holograms.index)
    losses = row_cosine_losses(holograms, model.decode(embeddings, categories, device=device))
    return attrs.evolve(
        embeddings, reconstruction_cosine_loss=losses.astype(embeddings.invariants.dtype, copy=False)
    )


def embed_unnamed(model: Model, holograms: Holograms) -> Embeddings:
    """Embed holograms without an index that names them.

    This does the same as `embed_holograms`, except that a conditional model reports no cosine loss: decoding would need
    each row's category.
    """
    return embed_holograms(model, holograms) if model.config.condition is None else model.encode(holograms)


def embed_structures(
    paths: Iterable[Path | str],
    model: Model | Path | str,
    secondary_structure: bool = False,
    done: Collection[str] = (),
    *,
    encoding: "Encoding | None" = None,
    device: torch.device | str = "cpu",
    workers: int = 1,
    scheduler: str | None = None,
) -> Iterator[EmbeddedStructure]:
    """Embed every residue of structure files; a bad file does not stop the others.

    In one process, blocks of residues are spread over as many threads as torch uses. Results come in the order of
    the files. They are identical to the bit for any number of threads, processes or machines of one kind, because a
    block holds rows of a single structure and is computed by one thread.

    Parameters
    ----------
    paths, secondary_structure, done
        As for `holo_features.encode_structures`.
    model
        A model, or what `load` accepts. Its basis determines how the structures are encoded. Several workers each load
        their own copy, so they need what `load` accepts.
    encoding
        Which residues are embedded, and which parts of the files are used, see `holo_features.Encoding`; None uses all.
    device
        Where to compute, such as ``"cuda"``.
    workers, scheduler
        As for `holo_features.encode_structures`; each worker has one thread.

    Yields
    ------
    EmbeddedStructure
        One result for each file.

    Raises
    ------
    HoloError
        If holo-features is not installed (extra ``structures``), the model is one of sphere images, or several
        workers are given a loaded model, or load a model other than the one loaded here.
    """
    with extra("holo-vae[structures]"):
        from holo_features.encoding.structures import Encoding, encode_structures, map_structures  # noqa: PLC0415
    loaded = _loaded(model)
    basis, encoding = loaded.config.basis, encoding or Encoding()
    if workers == 1 and scheduler is None:
        return _embedded(
            encode_structures(paths, basis, secondary_structure, done, encoding=encoding), loaded, device
        )
    return map_structures(
        _by_worker(model, loaded, device),
        paths,
        basis,
        secondary_structure,
        done,
        encoding=encoding,
        workers=workers,
        scheduler=scheduler,
    )


def embed_complexes(
    sources: "Iterable[ComplexSource]",
    model: Model | Path | str,
    secondary_structure: bool = False,
    *,
    centers: Literal["pocket", "ligand"] = "pocket",
    device: torch.device | str = "cpu",
    workers: int = 1,
    scheduler: str | None = None,
) -> Iterator[EmbeddedStructure]:
    """Embed the pocket residues, or the ligand atoms, of protein-ligand complexes.

    A bad complex does not stop the others. A residue belongs to the pocket if any of its atoms is within 6 Å of the
    ligand. In both cases the ligand's atoms are among the neighbors.

    Parameters
    ----------
    sources
        The complexes, see `holo_features.find_complexes`.
    secondary_structure
        Whether to add the column ``secondary_structure`` to the index.
    centers
        ``"pocket"`` for the Cα of each residue of the pocket, ``"ligand"`` for each heavy atom of the ligand.
    model, device, workers, scheduler
        As for `embed_structures`.

    Yields
    ------
    EmbeddedStructure
        One result for each complex; the column ``structure`` of the index holds its id.

    Raises
    ------
    HoloError
        As for `embed_structures`.
    """
    with extra("holo-vae[structures]"):
        from holo_features import PocketEncoding  # noqa: PLC0415
        from holo_features.encoding.structures import encode_complexes, map_complexes  # noqa: PLC0415
    encoding = PocketEncoding(centers=centers, secondary_structure=secondary_structure)
    loaded = _loaded(model)
    basis = loaded.config.basis
    if workers == 1 and scheduler is None:
        return _embedded(encode_complexes(sources, basis, encoding), loaded, device)
    embed_one = _by_worker(model, loaded, device)
    return map_complexes(embed_one, sources, basis, encoding, workers=workers, scheduler=scheduler)


def _loaded(model: Model | Path | str) -> Model:
    return model if isinstance(model, Model) else load(model, Model)


@attrs.frozen(eq=False, repr=False)
class _Unchanging(Model):
    """A model whose weights do not change while it is in use, so that the digest each block asks for is kept."""

    @cached_property
    def digest(self) -> str:
        return Model(self.network, self.name, self.version).digest


def unchanging(model: Model) -> Model:
    """Return a model whose digest is computed only once, for callers that embed many small batches.

    Examples
    --------
    >>> model = load("spherical-mnist-z16", Model)
    >>> unchanging(model).digest == model.digest
    True
    """
    return _Unchanging(model.network, model.name, model.version)


# What a worker process keeps from one structure to the next: the single model that it has loaded.
_own: dict[str, Model] = {}
_loading = Lock()


def _by_worker(
    model: Model | Path | str, loaded: Model, device: torch.device | str
) -> "Callable[[EncodedStructure], EmbeddedStructure]":
    """Return the worker's task for one structure; the worker receives the name of the model, not its weights."""
    if isinstance(model, Model):
        raise HoloError(
            f"model is the loaded model {model.name!r}; for several workers it must be what `load` takes, "
            "since each loads its own"
        )
    source = str(model)
    if source not in shipped_models() and Path(model).is_dir():
        source = str(Path(model).absolute())  # workers elsewhere have their own working folders
    return partial(_embed_in_worker, source=source, digest=loaded.digest, device=str(device))


def _embed_in_worker(
    encoded: "EncodedStructure", *, source: str, digest: str, device: str
) -> EmbeddedStructure:
    _compute_alone()
    with _loading:  # the first of Dask's threads loads the model for all of them
        if source not in _own or _own[source].digest != digest:
            _own.clear()
            _own[source] = unchanging(load(source, Model))
        model = _own[source]
    if model.digest != digest:
        raise HoloError(
            f"model {source}: a worker loads one with the digest {model.digest[:12]}; it must be the one that the "
            f"run began with, {digest[:12]}"
        )
    parts = [embed_holograms(model, block, device=device) for block in _blocks(encoded.holograms)]
    return _joined(attrs.evolve(encoded, holograms=None), parts)


def _embedded(
    results: "Iterable[EncodedStructure]", model: Model, device: torch.device | str
) -> Iterator[EmbeddedStructure]:
    """Embed as many blocks of rows at once as torch has threads, while the next structures are encoded."""
    one_block = partial(embed_holograms, unchanging(model), device=device)
    waiting: deque[tuple[EncodedStructure, list[Future[Embeddings]]]] = deque()

    def finished() -> EmbeddedStructure:
        encoded, blocks = waiting.popleft()
        return _joined(encoded, [block.result() for block in blocks])

    with _threads() as pool:
        for encoded in results:
            blocks = [pool.submit(one_block, block) for block in _blocks(encoded.holograms)]
            waiting.append((encoded, blocks))
            if len(waiting) > _AHEAD * torch.get_num_threads():
                yield finished()
        while waiting:
            yield finished()


def _blocks(holograms: Holograms | None) -> Iterator[Holograms]:
    if holograms is not None:
        for start in range(0, len(holograms), _BLOCK):
            yield holograms[start : start + _BLOCK]


def _joined(encoded: "EncodedStructure", parts: list[Embeddings]) -> EmbeddedStructure:
    return EmbeddedStructure(encoded, concatenate(parts) if parts else None)


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """Lend as many threads as torch uses, each of which computes alone.

    Threads that share each small operation spend most of their time waiting for each other, and nearly all of it
    where other processes need the processors too.
    """
    count = torch.get_num_threads()
    pool = ThreadPoolExecutor(count, "holo-embed", _compute_alone)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(count)  # for threads that start from now on; it never changed in this one


def _compute_alone() -> None:
    torch.get_num_threads()  # at its first call a thread takes over the global number; only then can it set its own
    torch.set_num_threads(1)


def embed(paths: Sequence[Path | str] | Path | str, model: Model | Path | str) -> Embeddings:
    """Embed every residue of structure files.

    Parameters
    ----------
    paths
        PDB, mmCIF or BinaryCIF files, which may be gzipped; or a single file.
    model
        A model, or what `load` accepts.

    Raises
    ------
    HoloError
        If a file cannot be read, or no file has a residue to embed. Use `embed_structures` to continue after a
        bad file.
    """
    loaded = _loaded(model)
    paths = [paths] if isinstance(paths, str | Path) else paths
    parts = []
    for result in embed_structures(paths, loaded):
        if result.encoded.error is not None:
            raise result.encoded.error
        if result.embeddings is not None:
            parts.append(result.embeddings)
    if not parts:
        raise HoloError(f"none of {len(paths)} file(s) has a residue to embed")
    return concatenate(parts)
