"""``holo-downstream retrieve``."""

from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np

from holo_downstream.probes.retrieval import Average, Distance, retrieval_scores
from holo_downstream.probes.shrec17 import write_ranked_lists
from holo_downstream.vectors.embedding_files import read_embeddings
from holo_types import HoloError
from holo_types.console import OK, say
from holo_types.options import IN_LINES, SummaryOptions

__all__ = ["retrieve_command"]

_AVERAGES: tuple[Average, ...] = ("micro", "macro")
_HEADINGS = ("P@N", "R@N", "F1@N", "mAP", "NDCG")


def retrieve_command(
    embeddings: Path,
    /,
    *,
    label: str = "label",
    metric: Distance = "cosine",
    out: Path | None = None,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Let every row search all rows for those of its own class, and score the results as SHREC17 does.

    Each row is a query and returns all rows, beginning with itself, at most 1,000. Rows without a class are in the
    lists, but not in the scores; if no row has a class, only the lists are written.

    Parameters
    ----------
    embeddings
        HDF5 file of embeddings, a Parquet table, or a folder of Parquet parts.
    label
        Index column of the classes.
    metric
        Distance between rows: cosine or euclidean.
    out
        Folder for the lists, one file for each query, in the format of SHREC17's evaluator.
    """
    read = read_embeddings([embeddings])
    classes = read.index.column(label).astype(str)
    z = read.invariants
    known = np.flatnonzero(classes != "")
    if len(known) and len(np.unique(classes[known])) < 2:
        raise HoloError(
            f"{embeddings}: all rows have the {label} {classes[known][0]!r}; there must be two classes"
        )
    if not len(known) and out is None:
        raise HoloError(
            f"{embeddings}: no row has a {label}; there is nothing to score, and no folder for lists"
        )
    scores = {
        average: retrieval_scores(z[known], classes[known], metric=metric, average=average)
        for average in _AVERAGES
        if len(known)
    }
    lines = [_line("average", _HEADINGS)] if scores else []
    lines += [
        _line(name, [f"{value:.3f}" for value in attrs.astuple(found)]) for name, found in scores.items()
    ]
    if out is not None:
        names = [name.rsplit("/", 1)[-1] for name in read.index.column("structure").tolist()]
        write_ranked_lists(out, names, z, metric=metric)
        lines.append(f"{out}: the lists of {len(names)} queries")
    say(*lines, scores={name: attrs.asdict(found) for name, found in scores.items()})
    return OK


def _line(name: str, cells: Sequence[str]) -> str:
    return name.ljust(8) + "".join(cell.rjust(7) for cell in cells)
