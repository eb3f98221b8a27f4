"""``holo-downstream retrieve``."""

from pathlib import Path

import attrs
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from holo_downstream.probes.retrieval import Average, Distance, retrieval_scores
from holo_downstream.probes.shrec17 import write_ranked_lists
from holo_downstream.vectors.embedding_files import read_embeddings
from holo_types import HoloError
from holo_types.console import visible

__all__ = ["retrieve_command"]

_AVERAGES: tuple[Average, ...] = ("micro", "macro")


def retrieve_command(
    embeddings: Path, /, *, label: str = "label", metric: Distance = "cosine", out: Path | None = None
) -> int:
    """Let every row look for the rows of its own class among all rows, and score what it finds as SHREC17 does.

    Each row is a query and gives back all rows, itself first, 1,000 at most. Rows without a class are in the
    lists and not in the scores; where no row has one, only the lists are written.

    Parameters
    ----------
    embeddings
        HDF5 file of embeddings, a Parquet table, or a folder of Parquet parts.
    label
        Index column of the classes.
    metric
        By which rows are near: cosine or euclidean.
    out
        Folder for the lists, a file for each query, in the form that SHREC17's evaluator reads.
    """
    read = read_embeddings([embeddings])
    classes = read.index.column(label).astype(str)
    z = read.invariants
    known = np.flatnonzero(classes != "")
    screen = Console()
    if len(known):
        if len(np.unique(classes[known])) < 2:
            raise HoloError(
                f"{embeddings}: all rows have the {label} {classes[known][0]!r}; there must be two classes"
            )
        table = Table(box=SIMPLE_HEAD, padding=0, pad_edge=False)
        for heading in ("average", "P@N", "R@N", "F1@N", "mAP", "NDCG"):
            table.add_column(heading, justify="left" if heading == "average" else "right")
        for average in _AVERAGES:
            scores = retrieval_scores(z[known], classes[known], metric=metric, average=average)
            table.add_row(average, *(f"{value:.3f}" for value in attrs.astuple(scores)))
        screen.print(table)
    elif out is None:
        raise HoloError(
            f"{embeddings}: no row has a {label}; there is nothing to score, and no folder for lists"
        )
    if out is not None:
        names = [name.rsplit("/", 1)[-1] for name in read.index.column("structure").tolist()]
        write_ranked_lists(out, names, z, metric=metric)
        screen.print(
            visible(f"{out}: the lists of {len(names)} queries"),
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    return 0
