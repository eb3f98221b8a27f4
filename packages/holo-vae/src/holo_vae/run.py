"""A training run as a user starts it: a file of holograms to a folder with all that came of it."""

import csv
import importlib.util
import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import attrs

import holo_types
from holo_types import Basis, HoloError, Holograms

from .config import ModelConfig, Recipe, TrainingConfig, write_recipe
from .evaluation import Evaluation, evaluate
from .model import Model, write_model
from .pictures import degree_bars, learning_curves
from .training import Epoch, Split, data_scale, initial_model, split_rows, train

__all__ = ["TrainingRun", "basis_of", "default_recipe", "read_holograms", "run_training"]


@attrs.frozen(eq=False)
class TrainingRun:
    """What a run gave.

    Parameters
    ----------
    model
        With the best weights on validation.
    history
        A record of each epoch.
    evaluation
        On the validation rows.
    split
        Which rows were which.
    folder
        Holds ``model/``, ``recipe.yaml``, ``history.csv``, ``evaluation.json`` and the pictures.
    store, registered_version
        Of MLflow, where it is installed; the version only where registration was asked for.
    """

    model: Model
    history: tuple[Epoch, ...]
    evaluation: Evaluation
    split: Split
    folder: Path
    store: str | None
    registered_version: str | None


def default_recipe(basis: Basis) -> Recipe:
    """Give a small model and a short training for a basis: minutes on two cores for a few thousand rows.

    Examples
    --------
    >>> from holo_types import Zernike
    >>> recipe = default_recipe(Basis(6, Zernike(20, 10.0), ("C", "N", "O", "S")))
    >>> recipe.model.lmax, recipe.model.channels, recipe.model.latent_dim
    ((4, 2, 1), (24, 32, 64), 64)
    """
    lmax = [degree for degree in (32, 16, 8, 4, 2) if degree < basis.lmax] + [1]
    return Recipe(
        model=ModelConfig(
            basis=basis,
            latent_dim=64,
            lmax=tuple(lmax),
            channels=(*([24, 32] + [48] * len(lmax))[: len(lmax) - 1], 64),
            initial_projection=24,
        ),
        training=TrainingConfig(),
    )


def basis_of(path: Path | str) -> Basis:
    """Give the basis of a file of holograms, without reading the rows.

    Raises
    ------
    HoloError
        If the file cannot be read or holds something else.
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
        If the file cannot be read, holds something else, or holds no rows.
    """
    data = holo_types.load(path)
    if not isinstance(data, Holograms):
        raise HoloError(f"{path}: holds {type(data).__name__}; Holograms are needed")
    if not len(data):
        raise HoloError(f"{path}: holds no holograms")
    return data


def run_training(
    data: Path | str,
    recipe: Recipe,
    folder: Path | str,
    *,
    name: str,
    register: bool = False,
    alias: str = "champion",
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> TrainingRun:
    """Train, keep the best, evaluate, track; with `register` also register under `name` and move the alias.

    Parameters
    ----------
    data
        A file of `Holograms`.
    recipe
        What to train and how.
    folder
        Made if there is none.
    name
        Of the model, the MLflow experiment and the registered model.
    register
        Whether to register (extra ``mlflow``).
    alias
        Moved to the new version.
    on_epoch
        Called after each epoch.

    Raises
    ------
    HoloError
        If the data does not fit the recipe, or registration is asked for without mlflow.
    """
    folder = Path(folder)
    holograms = read_holograms(data)
    split = split_rows(holograms, recipe.training)
    model = initial_model(recipe, data_scale(holograms[split.training]), name)
    model.check_basis(holograms)
    tracked = importlib.util.find_spec("mlflow") is not None
    if register and not tracked:
        raise HoloError("registering needs mlflow; pip install 'holo-vae[mlflow]'")
    if not name or set(name) & set("/:"):
        raise HoloError(f"the model's name is {name!r}; it must be text without / and :")
    folder.mkdir(parents=True, exist_ok=True)
    write_recipe(recipe, folder / "recipe.yaml")
    history: list[Epoch] = []
    store = version = None
    if tracked:
        from . import tracking  # noqa: PLC0415  (mlflow is an extra)

        store = tracking.tracking_uri(folder)
        context = tracking.start_run(folder, name, recipe, holograms, str(data))
    with context if tracked else nullcontext() as run:
        for epoch in train(model, holograms, recipe, split):
            history.append(epoch)
            _write_history(history, folder / "history.csv")
            if epoch.best:
                write_model(model, folder / "model")
            if run is not None:
                run.log_epoch(epoch)
            on_epoch(epoch)
        write_model(model, folder / "model")
        evaluation = evaluate(model, holograms[split.validation])
        (folder / "evaluation.json").write_text(json.dumps(attrs.asdict(evaluation), indent=2) + "\n")
        figures = {
            "learning_curves": learning_curves(history),
            "cosine_per_degree": degree_bars({"validation": evaluation.reconstruction.cosine_per_degree}),
        }
        for title, figure in figures.items():
            figure.savefig(folder / f"{title}.png", dpi=150)
            if run is not None:
                run.log_figure(figure, title)
        if run is not None:
            run.log_evaluation(evaluation)
            uri = run.log_model(model, folder / "model")
            if register:
                version = tracking.register(uri, name, [alias])
                model = attrs.evolve(model, version=version)
    return TrainingRun(model, tuple(history), evaluation, split, folder, store, version)


def _write_history(history: list[Epoch], path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in attrs.fields(Epoch)])
        writer.writeheader()
        writer.writerows(attrs.asdict(epoch) for epoch in history)
