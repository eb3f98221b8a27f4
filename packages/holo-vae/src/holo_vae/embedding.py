"""Structures, or pockets of complexes, straight to embeddings (extra ``structures``)."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from holo_types import Embeddings, HoloError, Holograms, concatenate

from .evaluation import row_cosines
from .loading import load_model
from .model import Model

if TYPE_CHECKING:
    from holo_features import EncodedStructure
    from holo_features.complex_sets import ComplexSource

__all__ = ["EmbeddedStructure", "embed", "embed_complexes", "embed_holograms", "embed_structures"]

_NEEDS = "structures need holo-features; pip install 'holo-vae[structures]'"


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
    losses = row_cosines(holograms, model.decode(embeddings, model.categories(holograms.index)))
    return attrs.evolve(
        embeddings, reconstruction_cosine=losses.astype(embeddings.invariants.dtype, copy=False)
    )


def embed_structures(
    paths: Iterable[Path | str],
    model: Model,
    secondary_structure: bool = False,
    done: Collection[str] = (),
) -> Iterator[EmbeddedStructure]:
    """Embed every residue of structure files, one file after the other; a bad file stops none.

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
    try:
        from holo_features import encode_structures  # noqa: PLC0415  (an extra)
    except ImportError:
        raise HoloError(_NEEDS) from None
    return _embedded(encode_structures(paths, model.config.basis, secondary_structure, done), model)


def embed_complexes(
    sources: "Iterable[ComplexSource]", model: Model, secondary_structure: bool = False
) -> Iterator[EmbeddedStructure]:
    """Embed the pocket residues of protein-ligand complexes, the ligand's atoms among their neighbours.

    A bad complex stops none of the others. A residue is in the pocket if any of its atoms is within 6 Å of the
    ligand.

    Parameters
    ----------
    sources
        Where the complexes are, see `holo_features.find_complexes`.
    model
        Its basis decides how the neighbourhoods are encoded.
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
    try:
        from holo_features import PocketEncoding, encode_complexes  # noqa: PLC0415  (an extra)
    except ImportError:
        raise HoloError(_NEEDS) from None
    encoding = PocketEncoding(secondary_structure=secondary_structure)
    return _embedded(encode_complexes(sources, model.config.basis, encoding), model)


def _embedded(results: "Iterable[EncodedStructure]", model: Model) -> Iterator[EmbeddedStructure]:
    for encoded in results:
        embeddings = None if encoded.holograms is None else embed_holograms(model, encoded.holograms)
        yield EmbeddedStructure(encoded, embeddings)


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
    loaded = model if isinstance(model, Model) else load_model(model)
    parts = []
    for result in embed_structures(paths, loaded):
        if result.encoded.error is not None:
            raise result.encoded.error
        if result.embeddings is not None:
            parts.append(result.embeddings)
    if not parts:
        raise HoloError(f"none of {len(paths)} file(s) has a residue to embed")
    return concatenate(parts)
