"""Structures straight to embeddings (extra ``structures``)."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
from holo_types import Embeddings, Holograms, HoloError, concatenate

from .evaluation import row_cosines
from .loading import load
from .model import Model

__all__ = ["EmbeddedStructure", "SkippedResidue", "embed", "embed_holograms", "embed_structures"]


@attrs.frozen
class SkippedResidue:
    """A residue that gave no embedding, and why."""

    residue: str
    reason: str


@attrs.frozen
class EmbeddedStructure:
    """What one structure file gave: embeddings, or the error that says why there are none.

    `skipped` names the residues that gave no row.
    """

    path: Path
    embeddings: Embeddings | None
    skipped: tuple[SkippedResidue, ...]
    error: HoloError | None


def embed_holograms(model: Model, holograms: Holograms) -> Embeddings:
    """Encode holograms, with the cosine loss of each one's reconstruction."""
    embeddings = model.encode(holograms)
    losses = row_cosines(holograms, model.decode(embeddings))
    return attrs.evolve(
        embeddings, reconstruction_cosine=losses.astype(embeddings.invariants.dtype, copy=False)
    )


def embed_structures(
    paths: Sequence[Path | str], model: Model, *, secondary_structure: bool = False
) -> Iterator[EmbeddedStructure]:
    """Embed every residue of structure files, one file after the other; a bad file stops none.

    Raises
    ------
    HoloError
        If holo-features is not installed (extra ``structures``).
    """
    try:
        from holo_features import encode_structures  # noqa: PLC0415  (an extra)
    except ImportError:
        raise HoloError("embedding structures needs holo-features; pip install 'holo-vae[structures]'") from None
    for encoded in encode_structures(paths, model.config.basis, secondary_structure=secondary_structure):
        embeddings = None if encoded.holograms is None else embed_holograms(model, encoded.holograms)
        yield EmbeddedStructure(encoded.path, embeddings, encoded.skipped, encoded.error)


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
    loaded = model if isinstance(model, Model) else load(model)
    parts = []
    for result in embed_structures(paths, loaded):
        if result.error is not None:
            raise result.error
        if result.embeddings is not None:
            parts.append(result.embeddings)
    if not parts:
        raise HoloError(f"none of {len(paths)} file(s) has a residue to embed")
    return concatenate(parts)
