"""``holo compare``."""

# ruff: noqa: PLC0415

from pathlib import Path

from holo_types.console import OK, say
from holo_types.options import IN_LINES, Output, SummaryOptions

__all__ = ["compare_command"]

_SHOWN = 10


def compare_command(
    first: Path,
    second: Path,
    /,
    *,
    out: Output,
    model: str = "microenvironment-z128",
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Find the residues whose surroundings differ between two structures of a protein.

    Residues are matched by chain and number where the residue names agree, and by sequence alignment otherwise. Besides
    the table, a plot (.png) is written, and the first structure with the changes in place of its B-factors (.cif),
    where 100 is the distance of two random residues, with scripts that show it in PyMOL (.pml) and ChimeraX (.cxc).
    Exit status: 0, the structures were compared; 1, they could not be; 2, wrong usage.

    Parameters
    ----------
    first
        PDB, mmCIF or BinaryCIF file of the first structure, also gzipped.
    second
        File of the second structure.
    out
        CSV file for the residues of both structures and the distance of their z, also in units of the distance caused
        by noise of 0.2 Å (noise_floors) and of the distance of two random residues (of_random).
    model
        Name of a model that comes with holo-vae, folder of a model, or models:/NAME@ALIAS.
    """
    import numpy as np

    from holo_features import read_structure
    from holo_lab.comparison.changes import compare_structures
    from holo_lab.comparison.writing import view_paths, write_comparison
    from holo_vae import Model, load

    picture, colored = view_paths(out)
    structure = read_structure(first)
    found = compare_structures(structure, read_structure(second), load(model, Model))
    write_comparison(found, structure, out)
    index = found.first
    matched = np.flatnonzero(~np.isnan(found.distances))
    most = matched[np.argsort(-found.distances[matched])][:_SHOWN]
    lines = [
        f"{len(matched)} residues in both structures, {len(index['chain']) - len(matched)} only in the first, "
        f"{len(found.alone)} only in the second; noise of 0.2 Å changes z by {found.noise_floor / found.random:.2f} of "
        "the distance of two random residues",
        "largest changes, in units of that distance:",
        *(
            f"  {index['chain'][row]} {index['residue_number'][row]}{index['insertion_code'][row]} "
            f"{index['residue_name'][row]}  {found.distances[row] / found.random:.2f}"
            for row in most.tolist()
        ),
        f"{out}, {picture}, {colored}",
    ]
    say(
        *lines,
        residues=len(matched),
        only_in_first=len(index["chain"]) - len(matched),
        only_in_second=len(found.alone),
        noise_floor=found.noise_floor / found.random,
        largest=float(np.nanmax(found.distances)) / found.random,
    )
    return OK
