"""A training run as a user starts it, from files of holograms to a folder with all of the results."""

import importlib.util
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

import attrs
import numpy as np
import torch

from holo_types import Basis, HoloError, Holograms
from holo_types.extras import extra
from holo_types.files.atomic import replacing, write_errors
from holo_types.files.csv_files import write_csv
from holo_types.files.locks import PathLock, remove_unfinished
from holo_vae.data.batches import Rows, data_scale
from holo_vae.data.clusters import group_columns
from holo_vae.evaluation.evaluate import Evaluation, evaluate
from holo_vae.networks.classifier import Classifier, TrainedClassifier
from holo_vae.networks.model import Model
from holo_vae.networks.network import HolographicAutoencoder
from holo_vae.networks.storage import write_model
from holo_vae.networks.stores import shown
from holo_vae.networks.training_z import ROWS, write_training_z
from holo_vae.recipes.model import ClassifierConfig, ModelConfig
from holo_vae.recipes.recipe import Recipe, write_recipe
from holo_vae.recipes.training import TrainingConfig
from holo_vae.tracking.plots import degree_bars, learning_curves
from holo_vae.training.checkpoints import has_checkpoint
from holo_vae.training.distributed import ALONE, Processes
from holo_vae.training.engine import Epoch, Step, check_state, run_digest, train
from holo_vae.training.whitening import whiten_within

if TYPE_CHECKING:
    from .tracking import run as tracking
from holo_vae.data.opening import RunData, open_data

__all__ = ["TrainingRun", "default_recipe", "initial_classifier", "initial_model", "run_training"]

NetworkT = TypeVar("NetworkT", HolographicAutoencoder, Classifier)
STATE = "state"  # the subfolder of a run's folder that holds what is needed to resume it
_EVALUATED_ROWS = 10_000  # validation rows at most; they determine its scores to about a percent


@attrs.frozen(eq=False)
class TrainingRun:
    """The results of a training run.

    Parameters
    ----------
    model
        The model with the weights that were best on validation.
    history
        One record for each epoch.
    evaluation
        The evaluation of an autoencoder on the (first 10,000) validation rows; None for a classifier.
    folder
        The run's folder, with ``model/``, ``recipe.yaml``, ``history.csv``, ``evaluation.json`` and the pictures.
    store, registered_version
        The MLflow store, where MLflow is installed, and the registered version, where registration was requested.
    promoted
        Whether the alias now points at that version.
    notes
        What failed without stopping the run: a store that did not answer, or a refused promotion.
    skipped
        A sentence for each group of data files that yielded no rows.
    """

    model: Model | TrainedClassifier
    history: tuple[Epoch, ...]
    evaluation: Evaluation | None
    folder: Path
    store: str | None = attrs.field(repr=lambda store: repr(store and shown(store)))
    registered_version: str | None
    promoted: bool
    notes: tuple[str, ...]
    skipped: tuple[str, ...] = ()


def default_recipe(basis: Basis) -> Recipe:
    """Return a recipe for a basis: a small model, trained in minutes on two cores for a few thousand rows.

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


def initial_model(recipe: Recipe, scale: float, name: str) -> Model:
    """Return the untrained autoencoder; the recipe's seed determines its initial weights.

    Raises
    ------
    HoloError
        If the recipe describes a classifier; see `initial_classifier`.
    """
    if isinstance(recipe.model, ClassifierConfig):
        raise HoloError("the recipe's model is a classifier; an autoencoder is needed")
    network = _seeded(partial(HolographicAutoencoder, recipe.model), recipe.training.seed)
    network.scale.fill_(scale)
    return Model(network.eval(), name)


def initial_classifier(recipe: Recipe, scale: float, name: str) -> TrainedClassifier:
    """Return the untrained supervised network; the recipe's seed determines its initial weights.

    Raises
    ------
    HoloError
        If the recipe describes an autoencoder; see `initial_model`.
    """
    if isinstance(recipe.model, ModelConfig):
        raise HoloError("the recipe's model is an autoencoder; a classifier is needed")
    network = _seeded(partial(Classifier, recipe.model), recipe.training.seed)
    network.scale.fill_(scale)
    return TrainedClassifier(network.eval(), name)


def _seeded(make: Callable[[], NetworkT], seed: int) -> NetworkT:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def run_training(
    recipe: Recipe,
    data: Path | str | Sequence[Path | str],
    folder: Path | str,
    *,
    name: str,
    validation: Sequence[Path | str] = (),
    resume: bool = False,
    processes: Processes = ALONE,
    register: bool = False,
    alias: str = "champion",
    on_step: Callable[[Step], None] = lambda _: None,
) -> TrainingRun:
    """Train a model, keep its best weights, evaluate and track it; with `register`, also register and promote it.

    Parameters
    ----------
    recipe
        What to train, and how.
    data, validation
        Files of `Holograms`, see `open_data`; or the folder of the data set that the recipe names.
    folder
        The folder of the run; it is created if it does not exist.
    name
        The name of the model, of the MLflow experiment and of the registered model.
    resume
        Whether to resume the run in `folder`, if there is one. A finished run remains as it is.
    processes
        The processes that train; the first of them writes the files.
    register
        Whether to register the model (extra ``mlflow``) and move the alias if the promotion gate passes.
    alias
        The alias that is moved to the new version.
    on_step
        Called for each step.

    Raises
    ------
    HoloError
        If the data does not fit the recipe; `folder` holds a run and `resume` is not set, or the run is a different
        one; another process trains in the folder, or the folder is removed during the run; registration is requested
        without mlflow; or another process is lost.
    """
    folder, paths = Path(folder), [data] if isinstance(data, Path | str) else list(data)
    state, run = folder / STATE, None
    tracked = importlib.util.find_spec("mlflow") is not None
    if register:
        with extra("holo-vae[mlflow]"):
            from .promotion.registry_access import check_alias  # noqa: PLC0415
        check_alias(alias)
    _check_request(name, None if resume else state)
    with ExitStack() as stack:
        stack.enter_context(processes.joined())
        if processes.first:
            place = stack.enter_context(_owned(folder))
            _check_request(
                name, None if resume else state
            )  # again, as another process may have trained meanwhile
        rows = _opened_by_turns(recipe, paths, validation, folder, processes)
        initial = initial_classifier if isinstance(recipe.model, ClassifierConfig) else initial_model
        model: Model | TrainedClassifier = initial(recipe, data_scale(rows.training), name)
        if not processes.first:
            followed = train(
                model.network, rows.training, rows.validation, recipe, state=state, processes=processes
            )
            return TrainingRun(model, tuple(followed), None, folder, None, None, False, ())
        if has_checkpoint(state):  # a refused request must not change anything
            check_state(state, run_digest(recipe, rows.training, rows.validation))
        if tracked:
            run = stack.enter_context(
                _tracking().start_run(
                    folder,
                    name,
                    recipe,
                    rows,
                    source=", ".join(map(str, paths)),
                    device=processes.device,
                    resume=resume,
                )
            )
        write_recipe(recipe, folder / "recipe.yaml")

        def take_step(step: Step) -> None:
            if run is not None:
                run.log_step(step)
            on_step(step)

        history: list[Epoch] = []
        for epoch in train(
            model.network,
            rows.training,
            rows.validation,
            recipe,
            state=state,
            processes=processes,
            on_step=take_step,
        ):
            history.append(epoch)
            _write_history(history, place)
            if epoch.best:
                _keep(model, place)
            if run is not None:
                run.log_epoch(epoch)
        _end_training(model, recipe, rows.training, place)
        evaluation = _finish(model, history, rows, place, run=run, config=recipe.training)
        version, promoted = None, False
        notes: list[str] = []
        if run is not None:
            run.log_model(
                model,
                folder / "model",
                _first_rows(rows.validation, model, recipe.training) if isinstance(model, Model) else None,
            )
            if register:
                version, promoted, refused = _register(run, name, alias)
                notes += refused
            if version is not None:
                model = attrs.evolve(model, version=version)
    # Only now is it known what the store holds, since closing a run sends its last records.
    if run is not None and run.note is not None:
        notes.append(run.note)
    store = None if run is None else run.store.uri
    return TrainingRun(
        model, tuple(history), evaluation, folder, store, version, promoted, tuple(notes), rows.skipped
    )


def _owned(folder: Path) -> PathLock:
    """Lock a run's folder against other processes, and remove what a killed run left unfinished."""
    place = PathLock(folder, folder=True)
    for part in ("model", "data", STATE):
        if (folder / part).is_symlink():
            place.release()
            raise HoloError(
                f"{folder / part}: is a link; a run writes only into its own folder, so remove the link"
            )
        remove_unfinished(folder / part)
    return place


def _check_request(name: str, there: Path | None) -> None:
    if not name or set(name) & set("/:"):
        raise HoloError(f"the model's name is {name!r}; it must be text without / and :")
    if there is not None and has_checkpoint(there):
        raise HoloError(
            f"{there.parent}: already holds a run; resume it with --resume, or name another folder"
        )


def _opened_by_turns(
    recipe: Recipe,
    data: Sequence[Path | str],
    validation: Sequence[Path | str],
    folder: Path,
    processes: Processes,
) -> RunData:
    """Open the data, in the first process before the others, since it may have to encode the data."""
    if not processes.first:
        processes.wait()
    rows = open_data(recipe, data, validation, folder)
    if processes.first:
        processes.wait()
    return rows


def _first_rows(rows: Rows, model: Model, config: TrainingConfig) -> Holograms:
    """Return the first rows, which are evaluated, with the index columns that identify them and hold the category."""
    batch, condition = next(rows.in_order(_EVALUATED_ROWS)), model.config.condition
    taken = len(batch.coefficients)  # batches have equal sizes, so the first may have fewer rows
    index = {name: rows.column(name)[:taken] for name in group_columns(rows.columns, config)}
    if condition is not None and batch.labels is not None:
        index[condition.column] = np.array(condition.categories)[batch.labels.numpy()]
    return Holograms(batch.coefficients.numpy(), rows.basis, index)


def _spread_rows(rows: Rows, count: int) -> Holograms:
    """Return `count` random rows, reading all rows once."""
    chosen = np.sort(np.random.default_rng(0).choice(len(rows), min(count, len(rows)), replace=False))
    parts, first = [], 0
    for batch in rows.in_order(1024):
        values = batch.coefficients.numpy()
        parts.append(values[chosen[(chosen >= first) & (chosen < first + len(values))] - first])
        first += len(values)
    return Holograms(np.concatenate(parts), rows.basis)


def _finish(
    model: Model | TrainedClassifier,
    history: Sequence[Epoch],
    rows: RunData,
    place: PathLock,
    *,
    run: "tracking.Run | None",
    config: TrainingConfig,
) -> Evaluation | None:
    """Evaluate an autoencoder on the first validation rows, write the figures and z, and draw the pictures."""
    figures, folder = {"learning_curves": learning_curves(history)}, place.path
    evaluation = None
    if isinstance(model, Model):
        write_training_z(model, _spread_rows(rows.training, ROWS), folder / "model")
        evaluation = evaluate(model, _first_rows(rows.validation, model, config))
        with replacing(folder / "evaluation.json") as new:
            new.write_text(json.dumps(attrs.asdict(evaluation), indent=2) + "\n")
        per_degree = evaluation.reconstruction.cosine_loss_per_degree
        figures["cosine_loss_per_degree"] = degree_bars({"validation": per_degree})
    with write_errors(folder):
        for title, figure in figures.items():
            with replacing(folder / f"{title}.png") as new:
                figure.savefig(new, format="png", dpi=150)
    place.check()
    if run is not None:
        for title in figures:
            run.log_file(folder / f"{title}.png", "pictures")
        if evaluation is not None:
            run.log_evaluation(evaluation)
    return evaluation


def _register(run: "tracking.Run", name: str, alias: str) -> tuple[str | None, bool, list[str]]:
    """Register and promote the logged model; return the version, whether it has the alias, and what went wrong."""
    from .promotion.registry_access import alias_version  # noqa: PLC0415  (mlflow is an extra)
    from .promotion.waiting import promote_waiting  # noqa: PLC0415

    version = run.register(name, alias)
    if version is None:
        return (
            None,
            False,
            [f"{shown(run.store.uri)} does not answer: the model is not registered yet, see below"],
        )
    try:
        outcomes = promote_waiting(run.store)
        promoted = alias_version(name, alias, store=run.store.uri) == version
    except HoloError as error:
        return version, False, [f"{error}; ask the gate again with: holo-vae track {run.folder}"]
    refusals = [outcome.refusal for outcome in outcomes if outcome.refusal]
    if not (promoted or refusals):
        refusals = [
            f"models:/{name}/{version} was refused before; try again with: holo-vae promote {name} {version}"
        ]
    return version, promoted, refusals


def _tracking() -> ModuleType:
    with extra("holo-vae[mlflow]"):
        from .tracking import run as tracking  # noqa: PLC0415
    return tracking


def _end_training(model: Model | TrainedClassifier, recipe: Recipe, training: Rows, place: PathLock) -> None:
    """Finish with the best weights, and save them."""
    if isinstance(model, Model) and recipe.views is not None and recipe.views.whitened:
        whiten_within(model.network, training, recipe.training.group_column)
    _keep(model, place)


def _keep(model: Model | TrainedClassifier, place: PathLock) -> None:
    """Write the model into the run's folder, provided that the folder is still the same one."""
    place.check()
    write_model(model, place.path / "model")


def _write_history(history: Sequence[Epoch], place: PathLock) -> None:
    """Write a table with one row per epoch and, for each term, columns for training and validation."""
    table = [
        {
            **{
                key: value for key, value in attrs.asdict(epoch).items() if key not in ("parts", "validation")
            },
            **epoch.parts,
            **{f"validation_{key}": value for key, value in epoch.validation.items()},
        }
        for epoch in history
    ]
    place.check()
    write_csv(place.path / "history.csv", table[0], ([row.get(name) for name in table[0]] for row in table))
