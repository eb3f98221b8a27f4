"""``holo paint``."""

# ruff: noqa: PLC0415

from pathlib import Path

from holo_types.console import OK, say
from holo_types.options import IN_LINES, Output, SummaryOptions

__all__ = ["paint_command"]


def paint_command(
    structure: Path,
    embeddings: Path,
    /,
    *,
    by: str,
    out: Output,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Color a structure by its embeddings, for PyMOL and ChimeraX.

    The values replace the B-factors. Besides the structure, a script for PyMOL (.pml), a script for ChimeraX (.cxc),
    and the frames as arrows for ChimeraX (.bild) are written. Exit status: 0, all files were written; 1, they could not
    be; 2, wrong usage.

    Parameters
    ----------
    structure
        PDB, mmCIF or BinaryCIF file, also gzipped. Ligands are shown, waters are not.
    embeddings
        HDF5 file, Parquet table, or folder of parts, with the embeddings of the structure and possibly of others.
    by
        What the colors show: loss, 100 times the cosine loss of the reconstruction; similarity:A:57, the similarity of
        z to that of the residue, 100 for equal z and 0 for two random residues; cluster, one of eight clusters of z by
        K-means, where 1 is the largest; or a numeric column of the embeddings, such as b_factor.
    out
        File for the structure, ending in .cif or .pdb.
    """
    import numpy as np

    from holo_downstream import read_embeddings
    from holo_lab.painting.scripts import script_paths
    from holo_lab.painting.values import choose_values, rows_and_structure
    from holo_lab.painting.writing import write_painted

    script_paths(out)
    read = read_embeddings([embeddings])
    rows, shown = rows_and_structure(read, structure)
    found = choose_values(read, rows, by)
    written = write_painted(shown, found.by_residue, out, found.scale, read[rows])
    known = found.values[np.isfinite(found.values)]
    lacking = "" if len(known) == len(found.values) else f", {len(found.values) - len(known)} without"
    say(
        f"{len(known)} residues with a value, {known.min():.4g} to {known.max():.4g}{lacking}",
        ", ".join(map(str, written)),
        residues=len(known),
        without=len(found.values) - len(known),
        smallest=float(known.min()),
        largest=float(known.max()),
        written=list(map(str, written)),
    )
    return OK
