"""``holo-vae recipes``, ``describe`` and ``import``: networks before training, or trained elsewhere."""

# torch takes seconds to import: it is imported by the commands, so that --help is quick.
# ruff: noqa: PLC0415

import sys
from pathlib import Path

import cyclopts

from holo_types import HoloError
from holo_types.console import examples_shown, say
from holo_types.options import IN_LINES, SummaryOptions

__all__ = ["describe_command", "import_command", "recipes"]


recipes = cyclopts.App(
    name="recipes",
    help="List and print the recipes that come with holo-vae.",
    help_epilogue=examples_shown("holo-vae recipes"),
)


@recipes.default
def recipes_command() -> int:
    """List the recipes that come with holo-vae."""
    from holo_vae.recipes.shipped import recipe_names

    for name in recipe_names():
        say(name)
    return 0


@recipes.command(
    name="show", help_epilogue=examples_shown("holo-vae recipes show mnist-hae-z16 > recipe.yaml")
)
def show_recipe_command(name: str, /) -> int:
    """Print a recipe that comes with holo-vae, to be saved as a file and changed.

    Parameters
    ----------
    name
        Name of a recipe.
    """
    from holo_vae.recipes.shipped import recipe_text

    sys.stdout.write(recipe_text(name))
    return 0


def describe_command(source: str, /) -> int:
    """Show the size of every layer of a network, before any training.

    Parameters
    ----------
    source
        YAML file or name of a recipe, or a model: a folder, or models:/NAME@ALIAS.
    """
    from holo_vae.networks.description import describe
    from holo_vae.networks.loading import load
    from holo_vae.recipes.shipped import find_recipe, recipe_names

    is_recipe = source.endswith((".yaml", ".yml")) or source in recipe_names()
    say(str(describe(find_recipe(source).model if is_recipe else load(source).config)))
    return 0


def import_command(
    folder: Path,
    /,
    *,
    out: Path,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Read a checkpoint of the authors' implementation, and write it as a model.

    Parameters
    ----------
    folder
        Folder with hparams.json and the state dict, as written by the authors' implementation.
    out
        Folder for the model.
    """
    from holo_vae.networks.reference import import_reference
    from holo_vae.networks.storage import write_model

    if out.exists():
        raise HoloError(f"--out is {out}, which already exists; name another folder")
    model = import_reference(folder)
    write_model(model, out)
    kind = "H-VAE" if model.config.variational else "H-AE"
    say(f"{out}: {kind}, z {model.config.latent_dim}, of holograms {model.config.basis.irreps}")
    return 0
