"""A colored structure, and the files beside it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from holo_features import ResidueId, Structure, values_of_atoms, write_structure
from holo_types import Embeddings
from holo_types.folders import no_link

from .arrows import write_arrows
from .scales import ColorScale
from .scripts import script_paths, write_scripts

__all__ = ["write_painted"]


def write_painted(
    structure: Structure,
    values: Mapping[ResidueId, float],
    path: Path,
    scale: ColorScale,
    frames: Embeddings | None = None,
) -> tuple[Path, ...]:
    """Write a structure with values of its residues as B-factors, and the scripts that show it.

    Parameters
    ----------
    structure
        The structure.
    values
        The values of some of its residues; NaN means no value.
    path
        The file for the structure, see `write_structure`.
    scale
        The colors of the values.
    frames
        The embeddings of the residues, with centers, whose frames are to be shown.

    Returns
    -------
    tuple of Path
        The files that were written: the structure, the script for PyMOL, the script for ChimeraX, and the arrows of the
        frames.

    Raises
    ------
    HoloError
        If a name or a value does not fit into a file, or a file cannot be written.
    """
    script_paths(path)
    of_atoms = values_of_atoms(structure, values)
    of_atoms[~structure.atoms.amino_acid] = np.nan  # because a ligand may have the number of a residue
    write_structure(structure, path, of_atoms)
    arrows = None
    if frames is not None and frames.centers is not None:
        arrows = no_link(path.with_suffix(".bild"))
        write_arrows(arrows, frames.centers, frames.frames)
    scripts = write_scripts(path, of_atoms, scale, arrows)
    return (path, *scripts, *(() if arrows is None else (arrows,)))
