"""The program ``holo``."""

from collections.abc import Sequence
from copy import copy

from cyclopts import App

from holo_downstream.cli.program import app as downstream
from holo_features.cli.program import app as features
from holo_lab._version import __version__
from holo_types.console import examples_shown, program, run
from holo_vae.cli.program import app as vae

from .affinity import affinity
from .compare import compare_command
from .evaluate import evaluate_command
from .explore import explore_command
from .mutations import mutations
from .paint import paint_command
from .sampling import interpolate_command, sample_command, traverse_command
from .search import search_command

__all__ = ["app", "main"]

_ENCODE, _MODELS, _USE = "Encode data as holograms", "Train, judge and use models", "Work with embeddings"

app = program(
    "holo",
    "From files to holograms, embeddings, predictions and reports.",
    __version__,
    [
        "holo embed my-structures/ --out embeddings.parquet",
        "holo train my-proteins/ --recipe microenvironment-z128 --out run",
        "holo affinity fit complexes/ --out predictor",
        "holo mutations predict predictor/ my-protein.pdb --scan --out scan.csv",
    ],
)
app.command(
    evaluate_command,
    name="evaluate",
    group=_MODELS,
    help_epilogue=examples_shown(
        "holo evaluate run/model run/data/test.h5 --label secondary_structure --report report.html"
    ),
)
for _name, _command, _examples in (
    (
        "sample",
        sample_command,
        (
            "holo sample run/model --count 30 --out samples.h5",
            "holo sample run/model --class 7 --count 30 --out sevens.h5",
            "holo sample run/model --fitted-to run/data/training.h5 --out samples.h5",
        ),
    ),
    (
        "interpolate",
        interpolate_command,
        ("holo interpolate run/model digits.h5:3 digits.h5:17 --out between.h5",),
    ),
    ("traverse", traverse_command, ("holo traverse run/model digits.h5:3 --out around.h5",)),
):
    app.command(_command, name=_name, group=_MODELS, help_epilogue=examples_shown(*_examples))
_affinity = copy(affinity)
_affinity.group = _USE
app.command(_affinity)
mutations.group = _USE
app.command(mutations)
app.command(
    compare_command,
    name="compare",
    group=_USE,
    help_epilogue=examples_shown("holo compare wild-type.pdb mutant.pdb --out changes.csv"),
)
app.command(
    paint_command,
    name="paint",
    group=_USE,
    help_epilogue=examples_shown("holo paint 1abc.pdb embeddings.h5 --by similarity:A:57 --out painted.cif"),
)
app.command(
    explore_command,
    name="explore",
    group=_USE,
    help_epilogue=examples_shown("holo explore embeddings.h5 my-structures/ --out page.html"),
)
app.command(
    search_command,
    name="search",
    group=_USE,
    help_epilogue=examples_shown("holo search proteins-index/ 1abc.pdb A:57,102,195 --out hits.csv"),
)


def _rename(command: App, before: str) -> None:
    """Replace the name of the program in the examples of a command and its subcommands by that of this program."""
    command.help_epilogue = (command.help_epilogue or "").replace(before, "holo ")
    for name in command:
        if not name.startswith("-"):
            _rename(command[name], before)


def _mount(mounted: App, group: str, own: frozenset[str]) -> None:
    """Mount the commands of a package's program, except those of which holo-lab has one of the same name."""
    for name in mounted:
        if not name.startswith("-") and name not in own:
            command = copy(mounted[name])  # because its group is one of this program
            command.group = group
            _rename(command, f"{mounted.name[0]} ")
            app.command(command, name=name)


_OWN = frozenset(app)
_mount(features, _ENCODE, _OWN)
_mount(vae, _MODELS, _OWN)
_mount(downstream, _USE, _OWN)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 1 no result, 2 wrong usage, 3 some files failed."""
    return run(app, argv)
