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

    The values take the place of the B-factors. Beside the structure come a script for PyMOL (.pml), one for ChimeraX
    (.cxc), and the frames as arrows (.bild), which ChimeraX shows. Exit status: 0, all was written; 1, it could not
    be; 2, wrong usage.

    Parameters
    ----------
    structure
        PDB, mmCIF or BinaryCIF file, also gzipped. Its ligands are shown, its waters are not.
    embeddings
        HDF5 file, Parquet table, or folder of parts, with the embeddings of the structure, or of several with it.
    by
        What is painted: loss, 100 times the cosine loss of the reconstruction; similarity:A:57, how alike z is to that
        of the residue, 100 for the same and 0 for two random residues; cluster, one of eight in z by K-means, 1 the
        largest; or a column of the embeddings with numbers, such as b_factor.
    out
        For the structure, ending in .cif or .pdb.
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
