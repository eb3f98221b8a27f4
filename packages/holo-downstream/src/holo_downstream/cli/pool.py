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
    """Pool the embeddings of residues to one vector a protein, a chain or a domain.

    Parameters
    ----------
    embeddings
        HDF5 files, Parquet tables, or folders of Parquet parts, of one model.
    by
        What has one vector: structure; chain, of its structure; or a column of the embeddings, such as one of domains
        that you added to the Parquet table: residues with the same text or number there have one, whatever structure
        they are of, and those without text none. Several columns, such as structure domain, count together.
    how
        How the residues of one are pooled: mean, sum, max of each number, or sum_count, the sum and then the number of
        residues.
    out
        CSV file, Parquet table or .npz for the vectors, with the column id, as affinity study takes them.
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
