"""How good z of shapes is for classes that the model has not seen.

python docs/results/shapes/shapes_study.py --help
"""

import sys
from pathlib import Path

import numpy as np
from cyclopts import App
from figures import Figures
from gallery import gallery_figure
from halvings import MODES, Rotation, halvings, learned
from page import write_page
from shape_sets import encoded, shape_set

import holo_types
from holo_types import HoloError, Holograms
from holo_types.console import run
from holo_vae import Model, Recipe, ShapeData, embed_holograms, load
from holo_vae.recipes.shipped import find_recipe

app = App(
    name="shapes", help="Retrieve meshes of classes that were not used for training, and write the tables."
)


@app.default
def study(
    meshes: Path,
    *,
    others: Path | None = None,
    out: Path,
    recipe: str = "shapes-z40",
    count: int = 10,
    seeds: int = 3,
) -> int:
    """Train on half of the classes of a folder of meshes, and retrieve meshes of the other half, repeatedly.

    Finished parts stay in OUT, so that a study that was stopped can be continued. The order is one seed of all halvings
    of NR/R, then R/R, then further seeds.

    Parameters
    ----------
    meshes
        Folder of meshes in folders of their classes.
    others
        Another such folder, with classes of a few meshes each, which are retrieved by one another.
    out
        Folder for the encoded meshes, the models, the tables and the picture.
    recipe
        Name of a recipe that comes with holo-vae, or a YAML file.
    count
        Number of halvings of the classes.
    seeds
        Number of trainings of each.
    """
    chosen = find_recipe(recipe)
    shapes = shape_set(meshes, chosen, out / "meshes")
    drawn = halvings(shapes.labels, count)
    second = None if others is None else shape_set(others, chosen, out / "others")
    figures = Figures()
    for seed in range(seeds):
        for mode, rotation in MODES.items():
            copies = _copies(meshes, chosen, out / "meshes", rotation)
            for halving in drawn:
                folder = out / "runs" / f"{rotation}-{halving.number}-seed{seed}"
                known = shapes.names[halving.known]
                z = learned(chosen, copies, shapes.turned, known, folder, seed=seed)
                figures.add_halving(mode, shapes, copies, halving, z)
                write_page(out, figures)
            if second is not None:
                folder = out / "runs" / f"{rotation}-all-seed{seed}"
                learned(chosen, copies, shapes.turned, shapes.names, folder, seed=seed)
                figures.add_partners(mode, shapes, second, _model(folder))
                write_page(out, figures)
    model = _model(out / "runs" / f"{MODES['NR/R']}-0-seed0")
    copies = _copies(meshes, chosen, out / "meshes", MODES["NR/R"])
    as_found = embed_holograms(model, copies[np.flatnonzero(copies.index["copy"] == 0)])
    gallery_figure(meshes, shapes, drawn[0], as_found).savefig(out / "gallery.png", dpi=140)
    return 0


def _copies(meshes: Path, recipe: Recipe, folder: Path, rotation: Rotation) -> Holograms:
    if not isinstance(recipe.data, ShapeData):
        raise HoloError("the recipe's data is not of the kind 'shapes'; it must be")
    path = encoded(meshes, recipe, folder, rotation=rotation, copies=recipe.data.copies)
    return holo_types.load(path, kind=Holograms)


def _model(folder: Path) -> Model:
    model = load(folder / "model")
    assert isinstance(model, Model)
    return model


if __name__ == "__main__":
    sys.exit(run(app))
