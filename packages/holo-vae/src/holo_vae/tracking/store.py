"""Sending the entries of a run's journal to the MLflow store, each of them once (extra ``mlflow``)."""

import json
import os
import shutil
import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs
import mlflow
import numpy as np
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.schema import TensorDatasetSchema
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.models import Model as MlflowModel
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.types import Schema, TensorSpec
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from holo_types import FormatError, HoloError
from holo_types.files.atomic import replacing
from holo_types.files.json_files import read_json, write_json
from holo_types.files.locks import PathLock
from holo_types.folders import path_inside
from holo_types.reading import reads
from holo_vae.networks.registry import place_beside, where_now
from holo_vae.networks.stores import MASK, brief_requests, check_store
from holo_vae.recipes.conversion import strict_converter
from holo_vae.recipes.yaml_files import read_yaml
from holo_vae.serving.logged import CARD

from .journal import (
    DataSet,
    Entry,
    File,
    LoggedModel,
    Metrics,
    Parameters,
    Registration,
    RunStart,
    Status,
    Tags,
    read_journal,
)

__all__ = ["Sent", "Store", "store_uri"]

_RUN_TAG = "holo.run"
_MODEL_TAG = "holo.model"
_NOTE_TAG = "mlflow.note.content"  # the text that MLflow shows on the page of a run or a model
_LONGEST_NOTE = 5000  # characters that the registry's databases accept
_ENTRY_TAG = "holo.entry"
_SQLITE = "sqlite:///"
_METRICS = 500  # per request: MLflow accepts twice as many, but a busy server does not answer them in time
_ANSWER_SECONDS = 30.0  # per request; a request that fails is repeated later


def store_uri(folder: Path) -> str:
    """Return the URI of the store in a folder: a sqlite file."""
    return f"{_SQLITE}{(folder / 'mlflow.db').resolve()}"


def _make_database(uri: str) -> None:
    """Create MLflow's sqlite file, if the store is one and does not exist: completely or not at all.

    MLflow creates its tables one by one; if it is killed in between, it leaves a file that it can no longer use.
    """
    if not uri.startswith(_SQLITE) or _has_content(path := Path(uri.removeprefix(_SQLITE))):
        return
    with PathLock(path):
        if not _has_content(path):  # no other process has created it meanwhile
            with replacing(path) as new:
                artifacts = path.resolve().with_name("mlartifacts").as_uri()
                SqlAlchemyStore(f"{_SQLITE}{new}", artifacts).engine.dispose()  # type: ignore[no-untyped-call]


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


@attrs.frozen
class Sent:
    """How far a journal has been sent; kept in a file beside the journal.

    Parameters
    ----------
    offset
        The number of bytes of the journal that the store has.
    run_id, experiment_id
        The ids in the store, once the run exists there.
    model_id, model_location
        The id and the location of the last model, once it exists there.
    card
        The description of the last model.
    versions
        The registered version for each name.
    missing
        Files that no longer existed when they were to be sent.
    judged
        Names whose model the promotion gate has judged, with whatever verdict.
    """

    offset: int = 0
    run_id: str = ""
    experiment_id: str = ""
    model_id: str | None = None
    model_location: str | None = None
    card: str = ""
    versions: Mapping[str, str] = attrs.field(factory=dict)
    missing: tuple[str, ...] = ()
    judged: tuple[str, ...] = ()


_converter = strict_converter()


class Store:
    """The MLflow store that a journal is sent to.

    Parameters
    ----------
    journal
        Path of the journal; paths in it are relative to the run's folder.
    folder
        The folder of the run.
    """

    def __init__(self, journal: Path, folder: Path) -> None:
        self.journal, self.folder = journal, folder
        self._file, self._turn = journal.with_name("sent.json"), threading.Lock()
        self._found = False  # whether the store is known to have the run
        self.sent = Sent()
        if self._file.exists():
            self.sent = _read_sent(self._file)

    @cached_property
    def uri(self) -> str:
        """The URI to send to: a server may have moved since, and a store in the folder is where the folder is now."""
        start, _ = next(read_journal(self.journal))
        assert isinstance(start, RunStart)
        if start.store is None:
            return store_uri(self.folder)
        if uri := os.environ.get("MLFLOW_TRACKING_URI"):
            return uri
        # The folder may be somebody else's: its word is not enough to send data and passwords to an address.
        password = " with its password" if MASK in start.store else ""
        raise HoloError(
            f"{self.folder}: its run is tracked at {start.store}; set MLFLOW_TRACKING_URI to that address{password}"
        )

    @cached_property
    def inside(self) -> bool:
        """Whether the store is a file in the run's folder."""
        return self.uri == store_uri(self.folder)

    @cached_property
    def client(self) -> mlflow.MlflowClient:
        """The client of the store; a database that does not exist is created."""
        _make_database(self.uri)
        check_store(self.uri)
        return mlflow.MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    @property
    def unjudged(self) -> tuple[Registration, ...]:
        """The registrations that are to move an alias, and that the promotion gate has not judged."""
        entries = (entry for entry, _ in read_journal(self.journal) if isinstance(entry, Registration))
        last = {entry.name: entry for entry in entries if entry.alias is not None}
        return tuple(entry for name, entry in last.items() if name not in self.sent.judged)

    def note_judged(self, name: str) -> None:
        """Record that the promotion gate has judged the model that was registered under a name."""
        self._note(judged=tuple(dict.fromkeys((*self.sent.judged, name))))

    def send(self, between: Callable[[], None] = lambda: None) -> None:
        """Send everything in the journal that the store does not have; progress is recorded as it is made.

        Parameters
        ----------
        between
            Called after each full batch of metrics.

        Raises
        ------
        MlflowException, OSError
            If the store does not answer or does not accept an entry; the next call continues from there.
        """
        with brief_requests(_ANSWER_SECONDS):
            self._find_run()
            metrics: list[Metric] = []
            offset = self.sent.offset
            for entry, end in read_journal(self.journal, offset):
                if isinstance(entry, Metrics):
                    metrics += [
                        Metric(name, value, entry.time, entry.step) for name, value in entry.values.items()
                    ]
                    if len(metrics) >= _METRICS:
                        self._send_metrics(metrics, end)
                        metrics = []
                        between()
                else:
                    self._send_metrics(metrics, offset)
                    metrics = []
                    self._send_one(entry)
                    self._note(offset=end)
                    if isinstance(entry, LoggedModel):
                        # The store has it now, and the run's folder holds another copy.
                        shutil.rmtree(self._model_folder(entry), ignore_errors=True)
                offset = end
            self._send_metrics(metrics, offset)

    def _find_run(self) -> None:
        """Begin again if the store in the run's folder has lost the run; of another store, this is an error."""
        if self._found or not self.sent.run_id:
            return
        try:
            self.client.get_run(self.sent.run_id)
        except MlflowException as error:
            if not self.inside or error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                raise
            self._note(**attrs.asdict(Sent(), recurse=False))
        self._found = True

    def _note(self, **changes: Any) -> None:  # fields of `Sent`
        with self._turn:  # senders and promotions take turns
            self.sent = attrs.evolve(self.sent, **changes)
            write_json(self._file, _converter.unstructure(self.sent))

    def _send_metrics(self, metrics: list[Metric], end: int) -> None:
        # A batch that arrived without its answer arriving is sent again. Times and values are the same, and a store
        # recognizes points that it has: its key is (run, name, time, step, value).
        for start in range(0, len(metrics), _METRICS):
            self._log_batch(metrics=metrics[start : start + _METRICS])
        if end > self.sent.offset:
            self._note(offset=end)

    def _log_batch(self, **items: list[Any]) -> None:
        # Synchronous whatever the user has set: what is recorded as sent must have arrived.
        self.client.log_batch(self.sent.run_id, **items, synchronous=True)

    def _send_one(self, entry: Entry) -> None:
        run_id = self.sent.run_id
        if isinstance(entry, RunStart):
            self._start(entry)
        elif isinstance(entry, Parameters):
            self._log_batch(params=[Param(name, value) for name, value in entry.values.items()])
        elif isinstance(entry, Tags):
            self._log_batch(tags=[RunTag(name, value) for name, value in entry.values.items()])
        elif isinstance(entry, DataSet):
            tags = [InputTag(MLFLOW_DATASET_CONTEXT, entry.context)]
            self.client.log_inputs(run_id, [DatasetInput(_dataset(entry), tags)])
        elif isinstance(entry, File):
            path = path_inside(self.folder, entry.path)
            if path.is_file():
                self._log_file(path, entry.target)
            else:
                self._note(missing=(*self.sent.missing, str(path)))
        elif isinstance(entry, LoggedModel):
            self._send_model(self._model_folder(entry))
        elif isinstance(entry, Registration):
            self._register(entry.name)
        elif isinstance(entry, Status) and entry.status == "RUNNING":
            self.client.update_run(run_id, status="RUNNING")
        elif isinstance(entry, Status):
            self.client.set_terminated(run_id, entry.status, entry.time)

    def _start(self, start: RunStart) -> None:
        experiment = self.client.get_experiment_by_name(start.experiment)
        if experiment is not None:
            experiment_id = experiment.experiment_id
        else:
            beside = None if start.store else (self.folder / "mlartifacts").resolve().as_uri()
            experiment_id = self.client.create_experiment(start.experiment, artifact_location=beside)
        found = self.client.search_runs([experiment_id], f"tags.`{_RUN_TAG}` = '{start.key}'")
        if found:
            run_id = found[0].info.run_id
        else:
            tags = {**start.tags, _RUN_TAG: start.key}
            run_id = self.client.create_run(experiment_id, start.time, tags).info.run_id
        self._note(run_id=run_id, experiment_id=experiment_id)

    def _log_file(self, path: Path, target: str | None) -> None:
        if self.inside:
            location = self.client.get_run(self.sent.run_id).info.artifact_uri
            self._artifacts(location).log_artifact(str(path), target)  # type: ignore[no-untyped-call]
        else:
            self.client.log_artifact(self.sent.run_id, str(path), target)

    def _artifacts(self, location: str) -> LocalArtifactRepository:
        """Return the artifacts of a store in the run's folder: beside it, even if the folder was moved or copied."""
        place = place_beside(location, self.uri)
        if place is None:
            raise FormatError(
                f"{self.uri}: keeps artifacts at {location}; they must lie in the folder of the run"
            )
        return LocalArtifactRepository(place.as_uri())

    def _model_folder(self, model: LoggedModel) -> Path:
        """Return the folder of a logged model, which is deleted once it has been sent."""
        path = path_inside(self.folder, model.path)
        if path.parent != self.journal.parent or not path.name.startswith("model-"):
            raise FormatError(
                f"{self.journal}: names {model.path!r} as a logged model; it must lie beside the journal"
            )
        return path

    def _send_model(self, path: Path) -> None:
        if not path.is_dir():  # sent before: earlier versions recorded a model again when a run was resumed
            if self.sent.model_id is None:
                self._note(missing=(*self.sent.missing, str(path)))
            return
        run_id, experiment_id = self.sent.run_id, self.sent.experiment_id
        key = f"{run_id}:{self.sent.offset}"
        found = self.client.search_logged_models([experiment_id], f"tags.`{_ENTRY_TAG}` = '{key}'")
        logged = found[0] if found else self.client.create_logged_model(
            experiment_id, name="model", source_run_id=run_id, tags={_ENTRY_TAG: key}
        )  # fmt: skip
        read_yaml(path / "MLmodel")  # which refuses what MLflow would read without limits
        description = MlflowModel.load(str(path))
        description.run_id, description.artifact_path = run_id, logged.artifact_location
        description.model_id = description.model_uuid = logged.model_id
        description.save(str(path / "MLmodel"))
        card = _card(path)
        if card:
            self.client.set_logged_model_tags(logged.model_id, {_NOTE_TAG: card})
        if self.inside:
            self._artifacts(logged.artifact_location).log_artifacts(str(path))  # type: ignore[no-untyped-call]
        else:
            self.client.log_model_artifacts(logged.model_id, str(path))
        self.client.finalize_logged_model(logged.model_id, "READY")
        outputs = self.client.get_run(run_id).outputs
        if logged.model_id not in [each.model_id for each in (outputs.model_outputs if outputs else [])]:
            self.client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
        self._note(model_id=logged.model_id, model_location=logged.artifact_location, card=card)

    def _register(self, name: str) -> None:
        model_id, location = self.sent.model_id, self.sent.model_location
        assert location is not None
        location = where_now(location, self.uri)
        try:
            self.client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        # The registry's databases do not record which logged model a version belongs to.
        mine = f"name = '{name}' and tags.`{_MODEL_TAG}` = '{model_id}'"
        found = self.client.search_model_versions(mine)
        version = found[0] if found else self.client.create_model_version(
            name,
            location,
            self.sent.run_id,
            tags={_MODEL_TAG: str(model_id)},
            description=self.sent.card or None,
            model_id=model_id,
        )  # fmt: skip
        self._note(versions={**self.sent.versions, name: str(version.version)})


def _card(path: Path) -> str:
    """Return the description of a logged model for MLflow's pages."""
    card = path / CARD
    return card.read_text(encoding="utf-8")[:_LONGEST_NOTE] if card.is_file() else ""


@reads("how far a journal has been sent")
def _read_sent(path: Path) -> Sent:
    return _converter.structure(read_json(path), Sent)


def _dataset(entry: DataSet) -> Dataset:
    # A source of this type is a note; with the others MLflow would guess what a path means.
    source = CodeDatasetSource({"path": entry.source})
    schema = TensorDatasetSchema(Schema([TensorSpec(np.dtype(entry.dtype), (-1, entry.dim))]))
    profile = {"features_shape": [entry.rows, entry.dim], "sha256": entry.digest}
    return Dataset(
        name=entry.name,
        digest=entry.digest[:32],  # the longest that MLflow accepts
        source_type="code",
        source=source.to_json(),
        schema=json.dumps(schema.to_dict()),
        profile=json.dumps(profile),
    )
