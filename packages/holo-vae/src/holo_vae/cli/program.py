"""The program ``holo-vae``."""

import os
from collections.abc import Callable, Sequence

from holo_types.console import examples_shown, program, run
from holo_vae._version import __version__

from .architecture import describe_command, import_command, recipes
from .embedding import embed_command
from .evaluation import evaluate_command, worth_command
from .registry import history_command, promote_command, rollback_command, track_command
from .sampling import interpolate_command, sample_command, traverse_command
from .serving import serve_command
from .training import train_command

# By default, the threads of OpenMP spin for milliseconds after each piece of work, and take the processors from other
# work on the machine; 0.1 ms is enough. The value is read when torch is imported, and users may set another.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

__all__ = ["app", "main"]

_COMMANDS: dict[str, tuple[Callable[..., int], tuple[str, ...]]] = {
    "train": (
        train_command,
        (
            "holo-vae train holograms.h5 --out run",
            "holo-vae train my-proteins/ --recipe microenvironment-z128 --out run --register",
            "holo-vae train my-proteins/ --recipe microenvironment-z128 --out run --resume",
        ),
    ),
    "describe": (describe_command, ("holo-vae describe recipe.yaml",)),
    "import": (import_command, ("holo-vae import authors-checkpoint/ --out model",)),
    "promote": (promote_command, ("holo-vae promote residues 3 --gate-data held-out/ --dry-run",)),
    "rollback": (rollback_command, ("holo-vae rollback residues",)),
    "history": (history_command, ("holo-vae history residues",)),
    "track": (track_command, ("holo-vae track run",)),
    "evaluate": (
        evaluate_command,
        ("holo-vae evaluate run/model run/data/test.h5 --label secondary_structure",),
    ),
    "worth": (worth_command, ("holo-vae worth run/model my-structures/ --out worth",)),
    "embed": (
        embed_command,
        (
            "holo-vae embed my-structures/ --out embeddings.parquet",
            "holo-vae embed 1abc.cif.gz --residues A:57,102 --out site.h5",
            "holo-vae embed complexes.csv --pocket --model run/model --out pockets.h5",
        ),
    ),
    "sample": (
        sample_command,
        (
            "holo-vae sample run/model --count 30 --out samples.h5",
            "holo-vae sample run/model --class 7 --count 30 --out sevens.h5",
            "holo-vae sample run/model --fitted-to run/data/training.h5 --out samples.h5",
        ),
    ),
    "interpolate": (
        interpolate_command,
        ("holo-vae interpolate run/model digits.h5:3 digits.h5:17 --out between.h5",),
    ),
    "traverse": (
        traverse_command,
        (
            "holo-vae traverse run/model digits.h5:3 --out around.h5",
            "holo-vae traverse run/model digits.h5:3 --dimensions 0 5 --steps 5 --out around.h5",
        ),
    ),
    "serve": (serve_command, ("holo-vae serve --model models:/residues@champion --port 5001",)),
}

app = program(
    "holo-vae",
    "Train, evaluate and use holographic autoencoders.",
    __version__,
    ["holo-vae embed my-structures/ --out embeddings.parquet", "holo-vae train holograms.h5 --out run"],
)
for _name, (_command, _examples) in _COMMANDS.items():
    app.command(_command, name=_name, help_epilogue=examples_shown(*_examples))
app.command(recipes)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    return run(app, argv)
