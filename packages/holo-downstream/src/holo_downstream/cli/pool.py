"""``holo-downstream pool``."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from holo_downstream.vectors.embedding_files import read_embeddings
from holo_downstream.vectors.grouping import pool_groups
from holo_downstream.vectors.pooling import Pooling
from holo_downstream.vectors.writing import check_vectors_path, write_vectors
from holo_types.console import OK, say
from holo_types.options import IN_LINES, Output, SummaryOptions

__all__ = ["pool_command"]


def pool_command(
    embeddings: Annotated[tuple[Path, ...], Parameter(negative="")],
    /,
    *,
    by: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = ("structure",),
    how: Pooling = "mean",
    out: Output,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Pool the embeddings of residues to one vector per protein, chain or domain.

    Parameters
    ----------
    embeddings
        HDF5 files, Parquet tables, or folders of Parquet parts, all from one model.
    by
        What the residues are pooled by: structure; chain, of its structure; or an index column, such as one of domains
        that you added to the Parquet table. Residues with the same text or number in that column are pooled, whatever
        structure they belong to, and those without text are left out. Several columns, such as structure domain, are
        combined.
    how
        How the residues are pooled: sum, mean or max of each number, or sum_count, the sum followed by the number of
        residues.
    out
        CSV file, Parquet table or .npz for the vectors, with the column id, as affinity study reads them.
    """
    check_vectors_path(out)
    read = read_embeddings(embeddings)
    table = pool_groups(read, by, how)
    write_vectors(table, out)
    say(
        f"{out}: {len(table)} vectors of {table.vectors.shape[1]} numbers, from {len(read)} residues",
        vectors=len(table),
        residues=len(read),
        out=out,
    )
    return OK
