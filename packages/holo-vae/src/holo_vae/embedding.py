"""Structures, or pockets of complexes, straight to embeddings (extra ``structures``)."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import torch

from holo_types import Embeddings, HoloError, Holograms, concatenate
from holo_types.extras import extra

from .networks.loading import load
from .networks.model import Model
from .networks.row_losses import row_cosine_losses

if TYPE_CHECKING:
    from holo_features import ComplexSource, EncodedStructure

__all__ = ["EmbeddedStructure", "embed", "embed_complexes", "embed_holograms", "embed_structures"]

_BLOCK = 512  # rows that a thread computes at a time, a batch of `Model.encode`
_AHEAD = 4  # structures for each thread that are encoded before they are asked for


@attrs.frozen(eq=False)
class EmbeddedStructure:
    """What one structure file gave, or one complex.

    Parameters
    ----------
    encoded
        Its holograms, with the residues that were skipped, or the error that says why there are none.
    embeddings
        One row for each hologram; None if there are none.
    """

    encoded: "EncodedStructure"
    embeddings: Embeddings | None


def embed_holograms(model: Model, holograms: Holograms) -> Embeddings:
    """Encode holograms, with the cosine loss of each one's reconstruction.

    Raises
    ------
    HoloError
        If the basis is not the model's; or the model is conditional and the index does not have its column.
    """
    embeddings = model.encode(holograms)
    losses = row_cosine_losses(holograms, model.decode(embeddings, model.categories(holograms.index)))
    return attrs.evolve(
        embeddings, reconstruction_cosine_loss=losses.astype(embeddings.invariants.dtype, copy=False)
    )


def embed_structures(
    paths: Iterable[Path | str],
    model: Model,
    secondary_structure: bool = False,
    done: Collection[str] = (),
) -> Iterator[EmbeddedStructure]:
    """Embed every residue of structure files; a bad file stops none.

    Blocks of residues are spread over as many threads as torch uses; results come in the order of the files, and do
    not depend on the number of threads.

    Parameters
    ----------
    paths, secondary_structure, done
        As for `holo_features.encode_structures`.
    model
        Its basis decides how the structures are encoded.

    Yields
    ------
    EmbeddedStructure
        One for each file.

    Raises
    ------
    HoloError
        If holo-features is not installed (extra ``structures``), or the model is one of sphere images.
    """
    with extra("holo-vae[structures]"):
        from holo_features import encode_structures  # noqa: PLC0415
    return _embedded(encode_structures(paths, model.config.basis, secondary_structure, done), model)


def embed_complexes(
    sources: "Iterable[ComplexSource]", model: Model, secondary_structure: bool = False
) -> Iterator[EmbeddedStructure]:
    """Embed the pocket residues of protein-ligand complexes, the ligand's atoms among their neighbors.

    A bad complex stops none of the others. A residue is in the pocket if any of its atoms is within 6 Å of the
    ligand.

    Parameters
    ----------
    sources
        Where the complexes are, see `holo_features.find_complexes`.
    model
        Its basis decides how the neighborhoods are encoded.
    secondary_structure
        Add the column ``secondary_structure`` to the index.

    Yields
    ------
    EmbeddedStructure
        One for each complex; the index calls it by its id in the column ``structure``.

    Raises
    ------
    HoloError
        If holo-features is not installed (extra ``structures``), or the model is one of sphere images.
    """
    with extra("holo-vae[structures]"):
        from holo_features import PocketEncoding, encode_complexes  # noqa: PLC0415
    encoding = PocketEncoding(secondary_structure=secondary_structure)
    return _embedded(encode_complexes(sources, model.config.basis, encoding), model)


@attrs.frozen(eq=False)
class _Unchanging(Model):
    """A model whose weights do not change while it is in use: their digest, asked for by each block, is kept."""

    @cached_property
    def digest(self) -> str:
        return Model(self.network, self.name, self.version).digest


def _embedded(results: "Iterable[EncodedStructure]", model: Model) -> Iterator[EmbeddedStructure]:
    """Embed as many blocks of rows at a time as torch has threads, and meanwhile encode the next structures."""
    used = _Unchanging(model.network, model.name, model.version)
    waiting: deque[tuple[EncodedStructure, list[Future[Embeddings]]]] = deque()
    with _threads() as pool:
        for encoded in results:
            blocks = [pool.submit(embed_holograms, used, block) for block in _blocks(encoded.holograms)]
            waiting.append((encoded, blocks))
            if len(waiting) > _AHEAD * torch.get_num_threads():
                yield _finished(*waiting.popleft())
        while waiting:
            yield _finished(*waiting.popleft())


def _blocks(holograms: Holograms | None) -> Iterator[Holograms]:
    if holograms is not None:
        for start in range(0, len(holograms), _BLOCK):
            yield holograms[start : start + _BLOCK]


def _finished(encoded: "EncodedStructure", blocks: list[Future[Embeddings]]) -> EmbeddedStructure:
    parts = [block.result() for block in blocks]
    return EmbeddedStructure(encoded, concatenate(parts) if parts else None)


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """Lend as many threads as torch uses, each of which computes alone.

    Threads that share each small operation wait for each other most of the time; where others want the
    processors too, nearly all of it.
    """
    count = torch.get_num_threads()
    pool = ThreadPoolExecutor(count, "holo-embed", _compute_alone)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(count)  # of threads that start from now on; it never changed in this one


def _compute_alone() -> None:
    torch.get_num_threads()  # a thread takes over the number of all at its first call, and only then has its own
    torch.set_num_threads(1)


def embed(paths: Sequence[Path | str], model: Model | Path | str) -> Embeddings:
    """Embed every residue of structure files.

    Parameters
    ----------
    paths
        PDB, mmCIF or BinaryCIF files, also gzipped.
    model
        A model, or what `load` takes.

    Raises
    ------
    HoloError
        If a file cannot be read, or no file has a residue to embed. To go on after a bad file, use
        `embed_structures`.
    """
    loaded = model if isinstance(model, Model) else load(model, Model)
    parts = []
    for result in embed_structures(paths, loaded):
        if result.encoded.error is not None:
            raise result.encoded.error
        if result.embeddings is not None:
            parts.append(result.embeddings)
    if not parts:
        raise HoloError(f"none of {len(paths)} file(s) has a residue to embed")
    return concatenate(parts)
