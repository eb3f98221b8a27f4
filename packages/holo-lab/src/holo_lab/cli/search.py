"""``holo search``."""

# ruff: noqa: PLC0415

from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter
from cyclopts.validators import Number

from holo_downstream.cli.search import SearchOptions, search_and_show
from holo_types import HoloError
from holo_types.console import OK, say
from holo_types.options import IN_LINES, SummaryOptions, Together

__all__ = ["search_command"]

_NO_OPTIONS = SearchOptions()
_SITE = 3  # residues of a pocket: more seldom have a partner each in another family
Distance = Annotated[float, Parameter(validator=Number(gt=0))]


def search_command(
    index: Path,
    structure: Path,
    /,
    *residues: str,
    ligand: str = "",
    distance: Distance = 4.0,
    model: str = "",
    options: Annotated[SearchOptions, Together] = _NO_OPTIONS,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Find residues, or sites of several, that are like those of a structure, with E, how many chance gives as good.

    The index's own model embeds the structure; one that does not come with holo-vae is to be named by --model.
    One residue: its nearest neighbors by z. Several: sites that have a partner for each, alike in z and in space.
    A ligand: sites like the three residues of its pocket that are nearest to it, of any type; the ligand itself has no
    part in what is embedded.

    Parameters
    ----------
    index
        Folder that index wrote.
    structure
        PDB, mmCIF or BinaryCIF file, also gzipped.
    residues
        Which residues, such as A:57,102,195; of several chains A:57 B:12.
    ligand
        Name of a ligand of the structure, such as GDP, or one of its residues, such as A:201, in place of residues.
    distance
        How near an atom of a pocket's residue is to one of the ligand at most, in Å.
    model
        Name of a model that comes with holo-vae, folder of a model, or models:/NAME@ALIAS.
    """
    from holo_downstream import read_search_index
    from holo_vae import embed, shipped_models

    if bool(residues) == bool(ligand):
        raise HoloError("say which residues, such as A:57,102,195, or --ligand NAME; one of the two")
    searched = read_search_index(index)
    if not model and searched.model.name not in shipped_models():
        raise HoloError(
            f"{index}: its model, {searched.model.name} {searched.model.version}, does not come with holo-vae; say "
            "where it is by --model"
        )
    if ligand:
        residues = _pocket(structure, ligand, distance)
        options = attrs.evolve(options, any_type=True)
    embeddings = embed([structure], model or searched.model.name)
    search_and_show(searched, embeddings, residues, None, options)
    return OK


def _pocket(structure: Path, ligand: str, distance: float) -> tuple[str, ...]:
    """Return the residues of a pocket that are searched for, and say which there are."""
    from holo_features import ligand_pocket

    found = ligand_pocket(structure, ligand, distance)
    if len(found.residues) < _SITE:
        raise HoloError(
            f"{structure}: the pocket of {ligand} has {len(found.residues)} residues within {distance:g} Å; a search "
            f"needs {_SITE}: give a larger --distance, or name residues"
        )
    chosen = tuple(map(str, found.residues[:_SITE]))
    say(
        *(remark.reason for remark in found.ligand.remarks),
        f"pocket of {found.ligand.name}, {len(found.residues)} residues within {distance:g} Å, nearest first: "
        f"{' '.join(map(str, found.residues))}",
        f"searched for: {' '.join(chosen)}",
        pocket=[str(residue) for residue in found.residues],
    )
    return chosen
