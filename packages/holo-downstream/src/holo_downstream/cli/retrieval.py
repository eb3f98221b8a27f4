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
