"""How good z of shapes is for classes that the model has not seen.

python docs/results/shapes/shapes_study.py --help
"""

import sys
from pathlib import Path

import numpy as np
from cyclopts import App
from figures import Figures
from gallery import gallery_figure
from halvings import MODES, halvings, learned, untrained
from page import write_page
from shape_sets import encoded, shape_set, turned

from holo_types import HoloError
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
    fixed = encoded(meshes, chosen, out / "meshes", rotation="fixed", copies=_count_of_copies(chosen))
    copies = {"NR/R": fixed, "R/R": turned(fixed)}
    figures = Figures()
    for halving in drawn:
        to_learn = fixed[np.flatnonzero(np.isin(fixed.index["structure"], shapes.names[halving.known]))]
        figures.add_descriptors(shapes, to_learn, halving, untrained(chosen, to_learn, shapes.turned, seed=0))
    if second is not None:
        initial = [untrained(chosen, fixed, part.turned, seed=0) for part in (shapes, second)]
        figures.add_partner_descriptors(shapes, fixed, second, (initial[0], initial[1]))
    write_page(out, figures)
    for seed in range(seeds):
        for mode in MODES:
            runs = out / "runs" / f"{mode.replace('/', '-')}-seed{seed}"
            for halving in drawn:
                known = shapes.names[halving.known]
                z = learned(chosen, copies[mode], shapes.turned, known, runs / f"{halving.number}", seed=seed)
                figures.add_halving(mode, shapes, halving, z)
                write_page(out, figures)
            if second is not None:
                z = learned(chosen, copies[mode], shapes.turned, shapes.names, runs / "all", seed=seed)
                other = embed_holograms(_model(runs / "all"), second.turned)
                figures.add_partners(mode, shapes, second, (z, other))
                write_page(out, figures)
            if (mode, seed) == ("NR/R", 0):
                as_found = embed_holograms(
                    _model(runs / "0"), fixed[np.flatnonzero(fixed.index["copy"] == 0)]
                )
                gallery_figure(meshes, shapes, drawn[0], as_found).savefig(out / "gallery.png", dpi=140)
    return 0


def _count_of_copies(recipe: Recipe) -> int:
    if not isinstance(recipe.data, ShapeData):
        raise HoloError("the recipe's data is not of the kind 'shapes'; it must be")
    return recipe.data.copies


def _model(folder: Path) -> Model:
    model = load(folder / "model")
    assert isinstance(model, Model)
    return model


if __name__ == "__main__":
    sys.exit(run(app))
