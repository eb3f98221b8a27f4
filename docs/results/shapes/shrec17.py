"""SHREC17, from its folder of meshes to the lists that its evaluator reads.

python docs/results/shapes/shrec17.py --help
"""

import sys
from pathlib import Path

from cyclopts import App

from holo_lab.cli.program import main
from holo_types.console import OK, SOME_FILES_FAILED, run

app = App(name="shrec17", help="Train on SHREC17's meshes and retrieve among those of its test.")


@app.default
def shrec17(source: Path, *, out: Path, recipe: str = "shapes-z40") -> int:
    """Train, embed the meshes of the test, and let each retrieve the others.

    Parameters
    ----------
    source
        Folder with ``train.csv``, ``val.csv``, ``test.csv``, and the folders of the meshes beside them.
    out
        Folder for the run, ``z.h5``, and the lists, ``test_perturbed/``. A run that was stopped goes on.
    recipe
        Name of a recipe that comes with holo-vae, or a YAML file.
    """
    place = out / "run"
    steps = [
        [
            *("train", f"{source}", "--recipe", recipe, "--out", f"{place}"),
            *(["--resume"] if place.exists() else []),
        ],
        ["embed", f"{place / 'data/test.h5'}", "--model", f"{place / 'model'}", "--out", f"{out / 'z.h5'}"],
        ["retrieve", f"{out / 'z.h5'}", "--out", f"{out / 'test_perturbed'}"],
    ]
    worst = OK
    for step in steps:
        status = main(step)
        if status not in (OK, SOME_FILES_FAILED):
            return status
        worst = max(worst, status)
    return worst


if __name__ == "__main__":
    sys.exit(run(app))
