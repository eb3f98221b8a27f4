"""The command line of holo-downstream."""

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import holo_types
from holo_downstream._version import __version__
from holo_downstream.probes.probes import ProbeResult, ProbeTable, probe_embeddings
from holo_downstream.probes.table import write_probes
from holo_types import Embeddings, Holograms
from holo_types.console import examples_shown, program, run, say, visible
from holo_types.options import IN_LINES, OptionalOutput, SummaryOptions

from .affinity import affinity
from .pool import pool_command
from .retrieval import retrieve_command
from .search import index_command, search_command

__all__ = ["app", "main"]

app = program(
    "holo-downstream",
    "Predictions and scores from embeddings.",
    __version__,
    [
        "holo-downstream probe embeddings.h5",
        "holo-downstream affinity study embeddings.h5 labels.csv --out study",
    ],
)
app.command(affinity)
app.command(
    index_command,
    name="index",
    help_epilogue=examples_shown(
        "holo-downstream index proteins.h5 --out proteins-index --clusters clusters.csv"
    ),
)
app.command(
    search_command,
    name="search",
    help_epilogue=examples_shown("holo-downstream search proteins-index/ query.h5 --residues A:57,102,195"),
)
app.command(
    pool_command,
    name="pool",
    help_epilogue=examples_shown("holo-downstream pool embeddings.h5 --by chain --out chains.csv"),
)
app.command(
    retrieve_command,
    name="retrieve",
    help_epilogue=examples_shown("holo-downstream retrieve z.h5 --label label --out test_perturbed/"),
)


@app.command(
    name="probe", help_epilogue=examples_shown("holo-downstream probe embeddings.h5 --holograms holograms.h5")
)
def probe_command(
    embeddings: Path,
    /,
    *,
    holograms: Path | None = None,
    target: str = "secondary_structure",
    groups: str = "structure",
    folds: int = 5,
    seed: int = 0,
    out: OptionalOutput = None,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Predict a property of each residue from its embedding, and compare with the majority class and l = 0.

    The cross-validation is by structure, never by residue; 95 % intervals are bootstraps over structures.

    Parameters
    ----------
    embeddings
        HDF5 file of embeddings, of structures that the model was not trained on.
    holograms
        HDF5 file of the holograms that were embedded, row by row, which adds the baseline of their l = 0 coefficients.
    target
        Index column to predict, such as secondary_structure or residue_name.
    groups
        Index column whose equal values stay in one fold.
    folds
        Number of folds.
    seed
        Seed of the forest and the bootstrap.
    out
        CSV file for the table.
    """
    table = probe_embeddings(
        holo_types.load(embeddings, kind=Embeddings),
        target,
        groups,
        holograms=None if holograms is None else holo_types.load(holograms, kind=Holograms),
        folds=folds,
        seed=seed,
    )
    say(
        _rendered(table),
        table.summary(),
        target=table.target,
        results=[_figures(one) for one in table.results],
    )
    if out is not None:
        write_probes(table, out)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 1 nothing useful came out, 2 wrong usage."""
    return run(app, argv)


def _figures(result: ProbeResult) -> dict[str, object]:
    accuracy = result.accuracy
    return {
        "features": result.features,
        "estimator": result.estimator,
        "accuracy": [accuracy.estimate, accuracy.lower, accuracy.upper],
        "beats_majority": result.beats_majority,
    }


def _rendered(table: ProbeTable) -> str:
    # Without lines between the columns, the table fits a terminal of 80 characters.
    title = escape(visible(f"Probe of {table.target}, {table.folds} folds by {table.groups}"))
    rendered = Table(title=title, box=SIMPLE_HEAD, padding=0, pad_edge=False)
    rendered.add_column("")
    for heading in ("accuracy [95 %]", "above majority [95 %]", "above l=0 [95 %]"):
        rendered.add_column(heading, justify="right")
    for result in table.results:
        name = result.estimator if result.features == "none" else f"{result.features} {result.estimator}"
        intervals = (result.accuracy, result.above_majority, result.above_scalars)
        rendered.add_row(name, *("" if interval is None else str(interval) for interval in intervals))
    screen = Console()
    with screen.capture() as capture:
        screen.print(rendered)
    return capture.get().rstrip("\n")
