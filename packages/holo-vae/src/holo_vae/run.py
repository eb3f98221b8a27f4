"""A training run as a user starts it: files of holograms to a folder with all that came of it."""

import importlib.util
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import attrs
import numpy as np
import torch

import holo_types
from holo_types import Basis, HoloError, Holograms
from holo_types.atomic import replacing
from holo_types.csv_files import write_csv

from .batches import Rows, data_scale, open_rows, split_by_group
from .checkpoints import has_checkpoint
from .classifier import Classifier, TrainedClassifier
from .clusters import ClusterColumns
from .config import ClassifierConfig, ModelConfig, Recipe, TrainingConfig, write_recipe
from .datasets import prepare
from .distributed import ALONE, Processes
from .evaluation import Evaluation, evaluate
from .model import Model, write_model
from .network import HolographicAutoencoder
from .pictures import degree_bars, learning_curves
from .precision import weights_dtype
from .training import Epoch, Step, train

if TYPE_CHECKING:
    from . import tracking

__all__ = [
    "RunData",
    "TrainingRun",
    "basis_of",
    "default_recipe",
    "initial_classifier",
    "initial_model",
    "open_data",
    "read_holograms",
    "run_training",
]

NetworkT = TypeVar("NetworkT", HolographicAutoencoder, Classifier)

STATE = "state"  # the folder, in a run's folder, of what it takes to go on


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
        Of an autoencoder on the validation rows (the first 10,000); of a classifier None.
    folder
        Holds ``model/``, ``recipe.yaml``, ``history.csv``, ``evaluation.json`` and the pictures.
    store, registered_version
        Of MLflow, where it is installed; the version only where registration was asked for.
    promoted
        Whether the alias points at that version now.
    notes
        What did not go as asked and was no reason to stop: a store that did not answer, a promotion refused.
    skipped
        Which of the data's files gave nothing, in words.
    """

    model: Model | TrainedClassifier
    history: tuple[Epoch, ...]
    evaluation: Evaluation | None
    folder: Path
    store: str | None
    registered_version: str | None
    promoted: bool
    notes: tuple[str, ...]
    skipped: tuple[str, ...] = ()


@attrs.frozen(eq=False)
class RunData:
    """The rows to train on and to validate on, and what of the data could not be used."""

    training: Rows
    validation: Rows
    skipped: tuple[str, ...] = ()


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


def initial_model(recipe: Recipe, scale: float, name: str) -> Model:
    """Give the autoencoder from which training begins; the recipe's seed decides its weights.

    Raises
    ------
    HoloError
        If the recipe is one of a classifier; see `initial_classifier`.
    """
    if isinstance(recipe.model, ClassifierConfig):
        raise HoloError("the recipe's model is a classifier; an autoencoder is needed")
    network = _seeded(partial(HolographicAutoencoder, recipe.model), recipe.training.seed)
    network.scale.fill_(scale)
    return Model(network.eval(), name)


def initial_classifier(recipe: Recipe, scale: float, name: str) -> TrainedClassifier:
    """Give the supervised network from which training begins; the recipe's seed decides its weights.

    Raises
    ------
    HoloError
        If the recipe is one of an autoencoder; see `initial_model`.
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


def open_data(
    recipe: Recipe, data: Sequence[Path | str], validation: Sequence[Path | str], folder: Path
) -> RunData:
    """Open what a recipe is to be trained on.

    Parameters
    ----------
    recipe
        Where its `data` names a data set, `data` is the folder of that, and is encoded first.
    data
        Files of holograms, the shards of one data set.
    validation
        Files of holograms too; if there are none, a part of the data is kept aside as the recipe says.
    folder
        Of the run; a data set is encoded into its ``data/``.

    Raises
    ------
    HoloError
        If the files do not fit each other or the recipe.
    """
    config, model = recipe.training, recipe.model
    condition = model.classes if isinstance(model, ClassifierConfig) else model.condition
    opened_alike = partial(
        open_rows,
        condition=condition,
        shuffle_rows=config.shuffle_rows,
        dtype=weights_dtype(config.precision),
    )
    skipped: tuple[str, ...] = ()
    if recipe.data is not None:
        if len(data) != 1 or validation:
            raise HoloError(
                "the recipe names a data set: give one folder with its files, and no validation files"
            )
        prepared = prepare(recipe.data, model.basis, data[0], folder / "data")
        data, validation, skipped = [prepared.training], [prepared.validation], prepared.skipped
    clusters = None
    if config.cluster_column is not None:
        clusters = ClusterColumns(config.cluster_column, config.group_column)
    opened_to_train = partial(opened_alike, clusters=clusters)
    paths = [Path(path) for path in data]
    if validation:
        opened = RunData(opened_to_train(paths), opened_alike([Path(path) for path in validation]), skipped)
    else:
        together = config.cluster_column or config.group_column
        split = split_by_group(paths, together, config.validation_fraction, config.seed)
        opened = RunData(
            opened_to_train(paths, rows=split.training), opened_alike(paths, rows=split.validation), skipped
        )
    for rows in (opened.training, opened.validation):
        if rows.basis != model.basis:
            raise HoloError(f"the data has the basis {rows.basis}; the recipe's model takes {model.basis}")
    return opened


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
    """Train, keep the best, evaluate, track; with `register` also register under `name` and promote.

    Parameters
    ----------
    recipe
        What to train and how.
    data, validation
        Files of `Holograms`, see `open_data`; or the folder of the data set that the recipe names.
    folder
        Made if there is none.
    name
        Of the model, the MLflow experiment and the registered model.
    resume
        Go on with the run in `folder`, if there is one. One that is finished stays as it is.
    processes
        Who trains, and where; the first one writes the files.
    register
        Whether to register (extra ``mlflow``) and, if the promotion gate lets it pass, move the alias.
    alias
        Moved to the new version.
    on_step
        Called for each step.

    Raises
    ------
    HoloError
        If the data does not fit the recipe, `folder` holds a run and `resume` is not set, registration is asked
        for without mlflow, or another process is lost.
    """
    folder, paths = Path(folder), [data] if isinstance(data, Path | str) else list(data)
    state = folder / STATE
    tracked = importlib.util.find_spec("mlflow") is not None
    _check_request(name, register and not tracked, None if resume else state)
    with ExitStack() as stack:
        stack.enter_context(processes.joined())
        rows = _opened_by_turns(recipe, paths, validation, folder, processes)
        initial = initial_classifier if isinstance(recipe.model, ClassifierConfig) else initial_model
        model: Model | TrainedClassifier = initial(recipe, data_scale(rows.training), name)
        if not processes.first:
            followed = train(
                model.network, rows.training, rows.validation, recipe, state=state, processes=processes
            )
            return TrainingRun(model, tuple(followed), None, folder, None, None, False, ())
        folder.mkdir(parents=True, exist_ok=True)
        write_recipe(recipe, folder / "recipe.yaml")
        run = None
        if tracked:
            from . import tracking  # noqa: PLC0415  (mlflow is an extra)

            source = ", ".join(map(str, paths))
            run = stack.enter_context(
                tracking.start_run(
                    folder, name, recipe, rows, source=source, device=processes.device, resume=resume
                )
            )

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
            _write_history(history, folder / "history.csv")
            if epoch.best:
                write_model(model, folder / "model")
            if run is not None:
                run.log_epoch(epoch)
        write_model(model, folder / "model")
        evaluation = _finish(model, history, rows.validation, folder, run)
        version, promoted = None, False
        notes: list[str] = []
        if run is not None:
            run.log_model(
                model,
                folder / "model",
                _first_rows(rows.validation, 10_000, model) if isinstance(model, Model) else None,
            )
            if register:
                version, promoted, refused = _register(run, name, alias, tracking.tracking_uri(folder))
                notes += refused
            if version is not None:
                model = attrs.evolve(model, version=version)
    # Only now is it known what the store has: closing a run sends its end.
    if run is not None and run.note is not None:
        notes.append(run.note)
    store = tracking.tracking_uri(folder) if tracked else None
    return TrainingRun(
        model, tuple(history), evaluation, folder, store, version, promoted, tuple(notes), rows.skipped
    )


def _check_request(name: str, lacks_mlflow: bool, there: Path | None) -> None:
    if lacks_mlflow:
        raise HoloError("registering needs mlflow; pip install 'holo-vae[mlflow]'")
    if not name or set(name) & set("/:"):
        raise HoloError(f"the model's name is {name!r}; it must be text without / and :")
    if there is not None and has_checkpoint(there):
        raise HoloError(
            f"{there.parent}: holds a run already; go on with it by --resume, or give another folder"
        )


def _opened_by_turns(
    recipe: Recipe,
    data: Sequence[Path | str],
    validation: Sequence[Path | str],
    folder: Path,
    processes: Processes,
) -> RunData:
    """Open the data; the first process before the others, as it may have to encode it."""
    if not processes.first:
        processes.wait()
    rows = open_data(recipe, data, validation, folder)
    if processes.first:
        processes.wait()
    return rows


def _first_rows(rows: Rows, count: int, model: Model) -> Holograms:
    """Give the first rows; of a conditional model with the column that says their categories."""
    batch, condition = next(rows.in_order(count)), model.config.condition
    index = {}
    if condition is not None and batch.labels is not None:
        index = {condition.column: np.array(condition.categories)[batch.labels.numpy()]}
    return Holograms(batch.coefficients.numpy(), rows.basis, index)


def _finish(
    model: Model | TrainedClassifier,
    history: Sequence[Epoch],
    validation: Rows,
    folder: Path,
    run: "tracking.Run | None",
) -> Evaluation | None:
    """Evaluate an autoencoder on the first 10,000 validation rows; write the figures, draw the pictures."""
    figures = {"learning_curves": learning_curves(history)}
    evaluation = None
    if isinstance(model, Model):
        evaluation = evaluate(model, _first_rows(validation, 10_000, model))
        with replacing(folder / "evaluation.json") as new:
            new.write_text(json.dumps(attrs.asdict(evaluation), indent=2) + "\n")
        per_degree = evaluation.reconstruction.cosine_per_degree
        figures["cosine_per_degree"] = degree_bars({"validation": per_degree})
    for title, figure in figures.items():
        figure.savefig(folder / f"{title}.png", dpi=150)
    if run is not None:
        for title in figures:
            run.log_file(folder / f"{title}.png", "pictures")
        if evaluation is not None:
            run.log_evaluation(evaluation)
    return evaluation


def _register(run: "tracking.Run", name: str, alias: str, store: str) -> tuple[str | None, bool, list[str]]:
    """Register the logged model and promote it; gives the version, whether it has the alias, and what went wrong."""
    from .promotion import PromotionRefused, promote  # noqa: PLC0415  (mlflow is an extra)

    version = run.register(name)
    if version is None:
        return None, False, [f"{store} does not answer: the model is not registered yet, see below"]
    try:
        promote(name, version, alias, store=store)
    except PromotionRefused as refusal:
        return version, False, [str(refusal)]
    return version, True, []


def _write_history(history: Sequence[Epoch], path: Path) -> None:
    """Write a table of one row an epoch; what the objective measures gets a column for training and validation."""
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
    write_csv(path, table[0], ([row.get(name) for name in table[0]] for row in table))
