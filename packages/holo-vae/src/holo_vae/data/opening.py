"""The data of a run, opened for training."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import attrs

import holo_types
from holo_types import Basis, HoloError, Holograms, PointClouds, concatenate
from holo_vae.recipes.model import ClassifierConfig, ModelConfig
from holo_vae.recipes.recipe import Recipe
from holo_vae.recipes.views import ViewsConfig

from .batches import Rows, Source, open_rows, split_by_group
from .clusters import ClusterColumns
from .datasets import prepare
from .encoded_clouds import EncodedClouds
from .precision import weights_dtype

__all__ = ["RunData", "basis_of", "open_data", "read_holograms"]


@attrs.frozen(eq=False)
class RunData:
    """The rows to train on and to validate on, and what could not be used of the data."""

    training: Rows
    validation: Rows
    skipped: tuple[str, ...] = ()


def basis_of(path: Path | str) -> Basis:
    """Return the basis of a file of holograms, without reading the rows.

    Raises
    ------
    HoloError
        If the file cannot be read, or holds something other than holograms.
    """
    with holo_types.open(path) as reader:
        if reader.kind != "Holograms":
            raise HoloError(f"{path}: holds {reader.kind}; Holograms are needed")
        return reader.basis


def read_holograms(path: Path | str) -> Holograms:
    """Read a file of holograms into memory.

    Raises
    ------
    HoloError
        If the file cannot be read, holds something other than holograms, or has no rows.
    """
    data = holo_types.load(path, kind=Holograms)
    if not len(data):
        raise HoloError(f"{path}: holds no holograms")
    return data


def open_data(
    recipe: Recipe, data: Sequence[Path | str], validation: Sequence[Path | str], folder: Path
) -> RunData:
    """Open the data that a recipe is trained on.

    Parameters
    ----------
    recipe
        The recipe. Where its `data` names a data set, `data` is the folder of that data set, which is encoded first.
    data
        Files of holograms, the shards of one data set.
    validation
        Files of holograms for validation; if there are none, a part of the data is set aside as the recipe says.
    folder
        The folder of the run; a data set is encoded into its subfolder ``data/``.

    Raises
    ------
    HoloError
        If the files do not match each other or the recipe.
    """
    config, model = recipe.training, recipe.model
    condition = model.classes if isinstance(model, ClassifierConfig) else model.condition
    opened_alike = partial(
        open_rows,
        condition=condition,
        heads=model.heads if isinstance(model, ModelConfig) else (),
        shuffle_rows=config.shuffle_rows,
        dtype=weights_dtype(config.precision),
    )
    skipped: tuple[str, ...] = ()
    if recipe.data is not None:
        if len(data) != 1 or validation:
            raise HoloError(
                "the recipe names a data set: name one folder with its files, and no validation files"
            )
        prepared = prepare(recipe.data, model.basis, data[0], folder / "data", recipe.views)
        data, validation, skipped = [prepared.training], [prepared.validation], prepared.skipped
    clusters = None
    if config.cluster_column is not None:
        clusters = ClusterColumns(config.cluster_column, config.group_column)
    # On a sphere, views are not made from surroundings: the rows of a group are views of one another.
    on_sphere = recipe.views is not None and recipe.views.two and model.basis.radial is None
    together = config.group_column if on_sphere else None
    opened_to_train = partial(opened_alike, clusters=clusters, alike=together)
    paths = _source(model.basis, recipe.views, data)
    if validation:
        # Validation rows are used without views, so they need no pairs.
        seen = None if recipe.views is None else attrs.evolve(recipe.views, pairs=0)
        judged = _source(model.basis, seen, validation)
        opened = RunData(opened_to_train(paths), opened_alike(judged), skipped)
    else:
        split = split_by_group(
            paths, config.cluster_column or config.group_column, config.validation_fraction, config.seed
        )
        opened = RunData(
            opened_to_train(paths, rows=split.training), opened_alike(paths, rows=split.validation), skipped
        )
    for rows in (opened.training, opened.validation):
        if rows.basis != model.basis:
            raise HoloError(f"the data has the basis {rows.basis}; the recipe's model takes {model.basis}")
    return opened


def _source(basis: Basis, views: ViewsConfig | None, paths: Sequence[Path | str]) -> Source:
    """Return files of holograms as they are, or, where there are views, the point clouds that the files hold."""
    if views is None or basis.radial is None:
        return [Path(path) for path in paths]
    clouds = [holo_types.load(path, kind=PointClouds) for path in paths]
    return EncodedClouds(concatenate(clouds), basis, views)
