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
_LEAST = 3  # residues of a pocket, for which a hit has partners at least
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
    """Find residues or sites that resemble those of a structure, with E, the number of equally good hits by chance.

    The structure is embedded by the model of the index. If that model does not come with holo-vae, name it by --model.

    For one residue, its nearest neighbors in z are found; for several residues, at most 20, sites that have
    partners for three of them or more, similar in z and in space.

    For a ligand, sites are found that resemble its pocket, at most the 20 residues that are nearest to it, with
    residues of any type. The ligand itself is not embedded.

    Parameters
    ----------
    index
        Folder that index wrote.
    structure
        PDB, mmCIF or BinaryCIF file, also gzipped.
    residues
        Residues of the query, such as A:57,102,195, or A:57 B:12 for several chains.
    ligand
        Name of a ligand of the structure, such as GDP, or one of its residues, such as A:201, in place of residues.
    distance
        Largest distance of an atom of a pocket residue from an atom of the ligand, in Å.
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
    """Return the residues of a pocket to be searched for, and print all residues of the pocket."""
    from holo_downstream.search.site_chance import MOST_RESIDUES
    from holo_features import ligand_pocket

    found = ligand_pocket(structure, ligand, distance)
    if len(found.residues) < _LEAST:
        raise HoloError(
            f"{structure}: the pocket of {ligand} has {len(found.residues)} residues within {distance:g} Å; a search "
            f"needs {_LEAST}: give a larger --distance, or name residues"
        )
    chosen = tuple(map(str, found.residues[:MOST_RESIDUES]))
    say(
        *(remark.reason for remark in found.ligand.remarks),
        f"pocket of {found.ligand.name}, {len(found.residues)} residues within {distance:g} Å, nearest first: "
        f"{' '.join(map(str, found.residues))}",
        f"searched for: {' '.join(chosen)}",
        pocket=[str(residue) for residue in found.residues],
    )
    return chosen
