"""The recipes that come with holo-vae: those of the trained models whose results the documentation shows."""

from pathlib import Path

from holo_types import HoloError
from holo_vae.recipes.recipe import Recipe, read_recipe

__all__ = ["find_recipe", "recipe_names", "recipe_text"]

_FOLDER = Path(__file__).parent


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with holo-vae.

    Examples
    --------
    >>> "mnist-hae-z16" in recipe_names()
    True
    """
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def recipe_text(name: str) -> str:
    """Return the YAML text of a recipe that comes with holo-vae, with its comments.

    Parameters
    ----------
    name
        One of `recipe_names`.

    Raises
    ------
    HoloError
        If there is no such recipe.

    Examples
    --------
    >>> recipe_text("mnist-hae-z16").startswith("#")
    True
    """
    if name not in recipe_names():
        raise HoloError(f"{name}: no such recipe; name one of {', '.join(recipe_names())}")
    return (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


def find_recipe(recipe: str) -> Recipe:
    """Read a recipe that comes with holo-vae, or one from a YAML file.

    Parameters
    ----------
    recipe
        A name or a path.

    Raises
    ------
    HoloError
        If there is no such recipe, or it cannot be read.

    Examples
    --------
    >>> find_recipe("mnist-hae-z16").model.latent_dim
    16
    """
    if recipe in recipe_names():
        return read_recipe(_FOLDER / f"{recipe}.yaml")
    if not Path(recipe).is_file():
        raise HoloError(f"{recipe}: no such recipe; name a YAML file, or one of {', '.join(recipe_names())}")
    return read_recipe(recipe)
