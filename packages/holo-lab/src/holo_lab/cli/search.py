"""``holo search``."""

# ruff: noqa: PLC0415

from pathlib import Path
from typing import Annotated

from holo_downstream.cli.search import SearchOptions, search_and_show
from holo_types import HoloError
from holo_types.console import OK
from holo_types.options import Together

__all__ = ["search_command"]

_NO_OPTIONS = SearchOptions()


def search_command(
    index: Path,
    structure: Path,
    /,
    *residues: str,
    model: str = "",
    options: Annotated[SearchOptions, Together] = _NO_OPTIONS,
) -> int:
    """Find residues, or sites of several, that are like those of a structure, with E, how many chance gives as good.

    The index's own model embeds the structure; one that does not come with holo-vae is to be named by --model.
    One residue: its nearest neighbors by z. Several: sites that have a partner for each, alike in z and in space.

    Parameters
    ----------
    index
        Folder that index wrote.
    structure
        PDB, mmCIF or BinaryCIF file, also gzipped.
    residues
        Which residues, such as A:57,102,195; of several chains A:57 B:12.
    model
        Name of a model that comes with holo-vae, folder of a model, or models:/NAME@ALIAS.
    """
    from holo_downstream import read_search_index
    from holo_vae import embed, shipped_models

    if not residues:
        raise HoloError("say which residues, such as A:57,102,195")
    searched = read_search_index(index)
    if not model and searched.model.name not in shipped_models():
        raise HoloError(
            f"{index}: its model, {searched.model.name} {searched.model.version}, does not come with holo-vae; say "
            "where it is by --model"
        )
    embeddings = embed([structure], model or searched.model.name)
    search_and_show(searched, embeddings, residues, None, options)
    return OK
