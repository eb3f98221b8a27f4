"""MLflow runs with settings, curves, data, pictures and models (extra ``mlflow``).

Everything that a run logs first goes to a journal in its folder (`holo_vae.tracking.journal`). A thread sends it to the
store (`holo_vae.tracking.sender`). Training never waits for a server, and what a server does not accept is sent
later, by the run itself or by `send_journals`.
"""

import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import attrs
import mlflow
import numpy as np
import torch
from jaxtyping import UInt64
from matplotlib.figure import Figure
from mlflow.models import Model as MlflowModel
from mlflow.tracking.context.registry import resolve_tags

from holo_types import Holograms, save
from holo_vae._version import __version__
from holo_vae.data.batches import Rows
from holo_vae.data.opening import RunData
from holo_vae.evaluation.evaluate import Evaluation
from holo_vae.networks.classifier import TrainedClassifier
from holo_vae.networks.model import Model
from holo_vae.networks.stores import shown
from holo_vae.recipes.recipe import Recipe, to_plain, write_recipe
from holo_vae.recipes.training import TrainingConfig
from holo_vae.serving.logged import CARD, write_logged
from holo_vae.training.engine import Epoch, Step

from .card import Origin, model_card
from .journal import (
    DataSet,
    File,
    Journal,
    LoggedModel,
    Metrics,
    Parameters,
    Registration,
    RunStart,
    Status,
    Tags,
    open_journal,
)
from .metrics import SystemMetrics
from .provenance import environment, git_revision, packages
from .sender import Sender
from .store import Store, store_uri
from .termination import at_sigterm
from .training_record import (
    TRAINED,
    TrainingRecord,
    read_training_record,
    row_digests,
    write_training_record,
)

__all__ = ["RECORDED", "Run", "recorded_rows", "start_run", "tracking_uri"]

RECORDED = "regression.h5"  # file of a logged model: the rows that the promotion gate measures on
_RECORDED_ROWS = 500
_RECORDED_BYTES = 4 << 20
_NAME = str.maketrans(dict.fromkeys("()[]{}<>,;='\"", "_"))


def tracking_uri(folder: Path) -> str:
    """Return the URI of the tracking store: ``MLFLOW_TRACKING_URI``, or else a sqlite file in a folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or store_uri(folder)


def recorded_rows(holograms: Holograms) -> Holograms:
    """Return the rows that are kept with a model: 500 random rows, or as many as fit into 4 MB.

    Examples
    --------
    >>> import numpy as np
    >>> from holo_types import Basis
    >>> rows = Holograms(np.ones((2000, 9), np.float32), Basis(lmax=2, radial=None, channels=("image",)))
    >>> len(recorded_rows(rows))
    500
    """
    row_bytes = holograms.coefficients.itemsize * holograms.basis.dim
    count = min(_RECORDED_ROWS, max(_RECORDED_BYTES // row_bytes, 1), len(holograms))
    chosen = np.random.default_rng(0).choice(len(holograms), count, replace=False)
    return holograms[np.sort(chosen)]


def _now() -> int:
    return time.time_ns() // 1_000_000


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    """Name the numbers in nested records, such as ``evaluation/reconstruction/cosine_loss``."""
    for key, value in values.items():
        name = f"{prefix}/{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, name)
        elif isinstance(value, list | tuple):
            yield from _flat({str(i): item for i, item in enumerate(value)}, name)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield name.translate(_NAME), float(value)


class Run:
    """A tracked run in progress, made by `start_run`.

    Only `log_model` and `register` wait for the tracking store, whose answer they return.
    """

    def __init__(self, folder: Path, journal: Journal, origin: Origin) -> None:
        self._folder, self._origin = folder, origin
        self._evaluation: Evaluation | None = None
        self._journal = journal
        self._store = Store(journal.path, folder)
        self._sender = Sender(self._store, journal)
        self._over = journal.finished  # the run is opened once more, for example to be registered
        self._ended = False

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return self._folder

    @property
    def store(self) -> Store:
        """The store that tracks the run, and how much of the run it has."""
        return self._store

    @property
    def note(self) -> str | None:
        """A message about what the store does not have; None if it has everything."""
        missing = self._store.sent.missing
        if not self._sender.done and (self._ended or self._sender.failure is not None):
            return (
                f"the tracking store {shown(self._store.uri)} did not accept all of the run "
                f"({self._sender.failure or 'it is slow'}); the rest is in {self._journal.path}; "
                f"send it with: holo-vae track {self._folder}"
            )
        return f"not tracked, because the files are gone: {', '.join(missing)}" if missing else None

    def log_values(self, values: Mapping[str, float], step: int = 0) -> None:
        """Add a point to curves. Points that a resumed run has already logged are left out."""
        last = self._journal.last
        new = {name: float(value) for name, value in values.items() if step > last.get(name, -1)}
        if new and not self._over:
            self._journal.append(Metrics(_now(), step, new))

    def log_step(self, step: Step) -> None:
        """Add a point to the curves of steps, ``step/loss`` and others."""
        values = {
            "loss": step.loss,
            **step.parts,
            "learning_rate": step.learning_rate,
            "gradient_norm": step.gradient_norm,
            "seconds": step.seconds,
            "samples_per_second": step.samples / max(step.seconds, 1e-9),
        }
        self.log_values({f"step/{name}": value for name, value in values.items()}, step.number)

    def log_epoch(self, epoch: Epoch) -> None:
        """Add a point to the curves of epochs."""
        values = {
            "loss": epoch.loss,
            **epoch.parts,
            "validation_loss": epoch.validation_loss,
            **{f"validation_{name}": value for name, value in epoch.validation.items()},
            "learning_rate": epoch.learning_rate,
            "gradient_norm": epoch.gradient_norm,
            "seconds": epoch.seconds,
            "samples_per_second": epoch.samples_per_second,
        }
        self.log_values(values, epoch.number)

    def log_evaluation(self, evaluation: Evaluation) -> None:
        """Log the final figures, such as ``evaluation/reconstruction/cosine_loss``."""
        self._evaluation = evaluation
        self.log_values(dict(_flat(attrs.asdict(evaluation), "evaluation")))

    def log_file(self, path: Path, target: str | None = None) -> None:
        """Log a file, such as the report.

        Parameters
        ----------
        path
            A file. If it lies in the run's folder, it must not be removed, since it is read when it is sent; of any
            other, a copy is kept there.
        target
            A folder among the run's artifacts.
        """
        if self._over:
            return
        if not path.resolve().is_relative_to(self._folder.resolve()):
            copy = self._journal.path.parent / "files" / str(self._journal.size) / path.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            path = Path(shutil.copyfile(path, copy))
        self._journal.append(File(self._relative(path), target))

    def log_figure(self, figure: Figure, name: str) -> None:
        """Log a picture."""
        path = self._journal.path.parent / "pictures" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        figure.savefig(path, dpi=150)
        self.log_file(path, "pictures")

    def log_model(
        self, model: Model | TrainedClassifier, folder: Path, recorded: Holograms | None = None
    ) -> str | None:
        """Log a model as safetensors and JSON, with the record of its training data and what is needed to run it.

        Parameters
        ----------
        model
            The model to log.
        folder
            The folder to which `write_model` wrote it.
        recorded
            Validation rows for the measurements of the promotion gate; see `recorded_rows`.

        Returns
        -------
        str or None
            The URI of the model; None if the store does not answer now, in which case the model is sent later.
        """
        path = self._journal.path.parent / f"model-{model.digest[:16]}"
        # A model that a killed run has logged is complete, and may be on its way.
        if self._relative(path) not in self._journal.files and not self._over:
            shutil.rmtree(path, ignore_errors=True)
            self._write_mlflow_model(model, folder, path)
            if recorded is not None:
                save(recorded_rows(recorded), path / RECORDED)
            self._journal.append(LoggedModel(self._relative(path)))
        return f"models:/{self._store.sent.model_id}" if self._sender.wait() else None

    def register(self, name: str, alias: str | None = None) -> str | None:
        """Register the logged model under a name.

        Parameters
        ----------
        name
            The name of the registered model.
        alias
            The alias that it gets if it passes the gate; `holo_vae.promotion.waiting` moves the alias.

        Returns
        -------
        str or None
            The version; None if the store does not answer now, in which case the model is registered later.
        """
        self._journal.append(Registration(name, alias))
        return self._store.sent.versions[name] if self._sender.wait() else None

    def _write_mlflow_model(self, model: Model | TrainedClassifier, folder: Path, path: Path) -> None:
        card = model_card(model, self._origin, self._evaluation)
        if isinstance(model, Model):
            write_logged(model, folder, path, card)
        else:
            shutil.copytree(folder, path / "data" / folder.name)
            MlflowModel(metadata={"digest": model.digest, "basis_digest": model.config.basis.digest}).save(
                path / "MLmodel"
            )
            (path / CARD).write_text(card, encoding="utf-8")
        write_training_record(self._origin.trained, path / TRAINED)

    def _relative(self, path: Path) -> str:
        return path.resolve().relative_to(self._folder.resolve()).as_posix()

    def _close(self, status: str) -> None:
        if not self._over:
            self._journal.append(Status(status, _now()))
        if status == "KILLED" or not self._journal.path.exists():
            self._sender.close(patience=2.0)  # a user waits for the prompt, or the folder was removed
        else:
            self._sender.close()
        self._ended = True
        self._journal.close()


@contextmanager
def start_run(
    folder: Path,
    experiment: str,
    recipe: Recipe,
    data: RunData,
    *,
    source: str = "",
    device: torch.device | str = "cpu",
    resume: bool = False,
) -> Iterator[Run]:
    """Start a run that records the recipe, the data, the code and the machine.

    Parameters
    ----------
    folder
        The folder of the run. It holds the journal and, unless ``MLFLOW_TRACKING_URI`` names another store, the sqlite
        store and the artifacts.
    experiment
        Name of the MLflow experiment, which is created if it does not exist.
    recipe
        The recipe, logged as parameters and as ``recipe.yaml``.
    data
        The data, whose digests are logged; this reads all of it once.
    source
        Where the data came from.
    device
        The device on which the run computes.
    resume
        Whether to resume the last MLflow run in the folder. To a finished run, only a registration can be added.

    Raises
    ------
    HoloError
        If another process tracks a run in the folder.
    """
    _use_store(tracking_uri(folder))
    journal = open_journal(folder, resume=resume)
    try:
        if journal.start is None:
            store = os.environ.get("MLFLOW_TRACKING_URI")
            journal.append(
                RunStart(experiment, store and shown(store), uuid.uuid4().hex, _now(), resolve_tags())
            )
        elif not journal.finished:
            journal.append(Status("RUNNING", _now()))
        if (
            not journal.described
        ):  # a store does not accept twice what a run that was killed in between has sent
            _describe(journal, folder, recipe, data, source)
        trained = journal.path.parent / TRAINED
        if not trained.exists():  # begun by a version of holo-vae that kept no record
            write_training_record(_read(data.training, recipe.training)[2], trained)
        if not journal.finished:
            journal.append(Tags(_machine(device)))
        origin = Origin(
            experiment=experiment,
            source=source,
            trained=read_training_record(trained),
            validation_rows=len(data.validation),
            revision=_revision(),
        )
        run = Run(folder, journal, origin)
    except BaseException:
        journal.close()
        raise
    try:
        # A finished run stays as it is.
        with (
            nullcontext() if journal.finished else closing(SystemMetrics(journal)),
            at_sigterm(lambda: run._close("KILLED")),
        ):
            yield run
    except BaseException as error:
        run._close("FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    run._close("FINISHED")


def _use_store(uri: str) -> None:
    # For the registry: whatever store is passed to mlflow, it finds models:/NAME/VERSION only in its own.
    ours = "MLFLOW_TRACKING_URI" not in os.environ
    mlflow.set_tracking_uri(uri)
    if ours:
        # mlflow puts the URI into the environment, where the next run would take it for the user's choice.
        os.environ.pop("MLFLOW_TRACKING_URI", None)


def _describe(journal: Journal, folder: Path, recipe: Recipe, data: RunData, source: str) -> None:
    plain = to_plain(recipe)
    journal.append(
        Parameters(
            {
                f"{part}.{key}": str(value)
                for part, settings in plain.items()
                for key, value in (settings or {}).items()
            }
        )
    )
    files = journal.path.parent
    write_recipe(recipe, files / "recipe.yaml")
    (files / "packages.txt").write_text(
        "".join(f"{name}=={version}\n" for name, version in packages().items()), encoding="utf-8"
    )
    for name in ("recipe.yaml", "packages.txt"):
        journal.append(File(str((files / name).relative_to(folder)), None))
    for context, rows in (("training", data.training), ("validation", data.validation)):
        dtype, digest, record = _read(rows, recipe.training)
        if context == "training":
            write_training_record(record, files / TRAINED)
        name = f"{Path(source).name or 'holograms'} ({context})"
        journal.append(DataSet(name, source, context, digest, len(rows), rows.basis.dim, dtype))
    journal.append(Tags({"basis_digest": data.training.basis.digest}))


def _read(rows: Rows, config: TrainingConfig) -> tuple[str, str, TrainingRecord]:
    """Return the dtype of the coefficients, the SHA-256 of all of them row by row, and the record of the rows."""
    digest, dtype = hashlib.sha256(), [""]

    def digests() -> Iterator[UInt64[np.ndarray, "_"]]:
        for batch in rows.in_order(1024):
            values = batch.coefficients.numpy()
            dtype[0] = str(values.dtype)
            digest.update(values.astype(values.dtype.newbyteorder("<"), copy=False).data)
            yield row_digests(values)

    record = TrainingRecord.of(rows, config, digests())
    return dtype[0], digest.hexdigest(), record


def _revision() -> str:
    return git_revision() or f"holo-vae {__version__}"


def _machine(device: torch.device | str) -> dict[str, str]:
    tags = {f"environment.{name}": value for name, value in environment(device).items()}
    return tags | {"revision": _revision()}
