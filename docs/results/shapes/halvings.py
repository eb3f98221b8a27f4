"""Random halves of the classes, and models trained on one half without its labels."""

from pathlib import Path

import attrs
import numpy as np
import torch
from jaxtyping import Int, Shaped

import holo_types
from holo_types import Embeddings, Holograms
from holo_types.console import progress
from holo_vae import Recipe, Step, data_scale, embed_holograms, initial_model, open_rows, train, write_model
from holo_vae.training.whitening import whiten_within

__all__ = ["MODES", "Halving", "halvings", "learned", "untrained"]

# The orientation of the training meshes: that of their files, or rotated at random. Test meshes are always rotated.
MODES = ("NR/R", "R/R")


@attrs.frozen(eq=False)
class Halving:
    """The division of the meshes into those for training and those for retrieval.

    Parameters
    ----------
    number
        The number of the halving, counted from 0, which is also its seed.
    known
        The rows of the training classes.
    held_out
        The rows of all other classes.
    """

    number: int
    known: Int[np.ndarray, "known"]
    held_out: Int[np.ndarray, "held_out"]


def halvings(labels: Shaped[np.ndarray, "n"], count: int) -> list[Halving]:
    """Draw a number of halvings of the classes; if their number is odd, the training half is the smaller one."""
    classes = np.unique(labels)
    drawn = []
    for number in range(count):
        order = np.random.default_rng(number).permutation(classes)
        half = len(classes) // 2 + number % 2 * (len(classes) % 2)
        known = np.isin(labels, order[:half])
        drawn.append(Halving(number, np.flatnonzero(known), np.flatnonzero(~known)))
    return drawn


def learned(
    recipe: Recipe,
    copies: Holograms,
    turned: Holograms,
    meshes: Shaped[np.ndarray, "known"],
    folder: Path,
    *,
    seed: int,
) -> Embeddings:
    """Train on meshes and their copies, and embed all rotated meshes, unless the run is finished already.

    Parameters
    ----------
    recipe
        The recipe, whose data are ignored.
    copies
        The rows of all meshes and their copies.
    turned
        A row for each mesh.
    meshes
        The names of the training meshes, of which 15 % are held out to choose the best weights.
    folder
        The folder for the model and ``z.h5``.
    seed
        The seed of the weights, the batches, and the choice of the meshes that are held out.
    """
    path = folder / "z.h5"
    if path.exists():
        return holo_types.load(path, kind=Embeddings)
    recipe = _seeded(recipe, seed)
    order = np.random.default_rng(seed).permutation(meshes)
    aside = order[: max(round(recipe.training.validation_fraction * len(order)), 1)]
    to_train = copies[np.flatnonzero(np.isin(copies.index["structure"], np.setdiff1d(meshes, aside)))]
    to_judge = turned[np.flatnonzero(np.isin(turned.index["structure"], aside))]
    views, group = recipe.views, recipe.training.group_column
    paired = group if views is not None and views.two else None
    training = open_rows(to_train, alike=paired, shuffle_rows=len(to_train))
    validation = open_rows(to_judge, shuffle_rows=len(to_judge))
    model = initial_model(recipe, data_scale(training), "shapes")
    with progress(
        recipe.training.epochs * training.steps(recipe.training.batch_size), folder.name
    ) as advance:

        def on_step(_: Step) -> None:
            advance(1)

        for _ in train(model.network, training, validation, recipe, on_step=on_step):
            pass
    if views is not None and views.whitened:
        whiten_within(model.network, training, group)
    write_model(model, folder / "model")
    found = embed_holograms(model, turned)
    holo_types.save(found, path)
    return found


def untrained(recipe: Recipe, copies: Holograms, turned: Holograms, *, seed: int) -> Embeddings:
    """Embed all rotated meshes with a network of initial weights, of which only the last layer before z is fitted.

    Parameters
    ----------
    recipe
        The recipe, whose data are ignored.
    copies
        The rows of the training meshes and their copies, to which the batch norms and the last layer are fitted.
    turned
        A row for each mesh.
    seed
        The seed of the weights.
    """
    recipe = _seeded(recipe, seed)
    rows = open_rows(copies, shuffle_rows=len(copies))
    model = initial_model(recipe, data_scale(rows), "untrained")
    model.network.train()
    with torch.inference_mode():
        for batch in rows.epoch(seed=seed, epoch=0, batch_size=recipe.training.batch_size):
            model.network.encode(batch.coefficients)
    whiten_within(model.network, rows, recipe.training.group_column)
    return embed_holograms(model, turned)


def _seeded(recipe: Recipe, seed: int) -> Recipe:
    return attrs.evolve(recipe, training=attrs.evolve(recipe.training, seed=seed), data=None)
