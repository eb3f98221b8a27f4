"""MLflow (extra ``mlflow``): runs with parameters, curves and pictures; the registry."""

import hashlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs
import mlflow
import numpy as np
from matplotlib.figure import Figure
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.numpy_dataset import from_numpy
from mlflow.exceptions import MlflowException

from holo_types import HoloError, Holograms

from .config import Recipe, unstructure
from .evaluation import Evaluation
from .model import Model
from .serving import input_example, signature
from .training import Epoch

__all__ = ["Run", "download_model", "start_run", "tracking_uri"]

_REQUIREMENTS = ["holo-vae[mlflow,structures]"]


def tracking_uri(folder: Path) -> str:
    """Give the tracking store: ``MLFLOW_TRACKING_URI``, else a sqlite file in a folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(folder / 'mlflow.db').resolve()}"


def _git_revision() -> str | None:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


@attrs.frozen
class Run:
    """An MLflow run under way."""

    run_id: str

    def log_epoch(self, epoch: Epoch) -> None:
        """Add one point to every curve."""
        values = {
            name: value for name, value in attrs.asdict(epoch).items() if name not in ("number", "best")
        }
        mlflow.log_metrics({name: float(value) for name, value in values.items()}, step=epoch.number)

    def log_evaluation(self, evaluation: Evaluation) -> None:
        """Log the final figures."""
        reconstruction, equivariance = evaluation.reconstruction, evaluation.equivariance
        metrics = {"final_mse": reconstruction.mse, "final_cosine": reconstruction.cosine}
        for degree, loss in enumerate(reconstruction.cosine_per_degree):
            metrics[f"final_cosine_l{degree}"] = loss
        for name, error in attrs.asdict(equivariance).items():
            metrics[f"equivariance_{name}"] = error
        mlflow.log_metrics(metrics)

    def log_figure(self, figure: Figure, name: str) -> None:
        """Log a picture."""
        mlflow.log_figure(figure, f"pictures/{name}.png")

    def log_model(self, model: Model, folder: Path) -> str:
        """Log a model and give its URI.

        Parameters
        ----------
        model
            What to log.
        folder
            Where `write_model` wrote it.
        """
        info = mlflow.pyfunc.log_model(
            name="model",
            loader_module="holo_vae.serving",
            data_path=str(folder),
            signature=signature(model),
            input_example=input_example(model),
            pip_requirements=_REQUIREMENTS,
            metadata={"digest": model.digest, "basis_digest": model.config.basis.digest},
        )
        uri: str = info.model_uri
        return uri


@contextmanager
def start_run(
    folder: Path, experiment: str, recipe: Recipe, holograms: Holograms, source: str
) -> Iterator[Run]:
    """Start a run that knows the recipe, the data and the code.

    Parameters
    ----------
    folder
        Holds the sqlite store and the artifacts, unless ``MLFLOW_TRACKING_URI`` names another store.
    experiment
        Name of the MLflow experiment; made if there is none.
    recipe
        Logged as parameters and as ``recipe.yaml``.
    holograms
        The data; its digest is logged.
    source
        Where the data came from.
    """
    local = not os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(tracking_uri(folder))
    if local:
        # mlflow puts what it is told into the environment; the next run would take it for the user's choice.
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    if mlflow.get_experiment_by_name(experiment) is None:
        mlflow.create_experiment(
            experiment, artifact_location=(folder / "mlartifacts").resolve().as_uri() if local else None
        )
    mlflow.set_experiment(experiment)
    with mlflow.start_run() as active:
        plain = unstructure(recipe)
        for part in ("model", "training"):
            mlflow.log_params({f"{part}.{key}": str(value) for key, value in plain[part].items()})
        mlflow.log_dict(plain, "recipe.yaml")
        digest = hashlib.sha256(np.ascontiguousarray(holograms.coefficients).data).hexdigest()
        # A source of this kind is a note; the others would make MLflow guess what a path means.
        origin = CodeDatasetSource({"path": source})
        dataset = from_numpy(
            holograms.coefficients, source=origin, name=Path(source).name, digest=digest[:32]
        )
        mlflow.log_input(dataset, context="training")
        mlflow.set_tags({"data_sha256": digest, "basis_digest": holograms.basis.digest})
        if revision := _git_revision():
            mlflow.set_tag("git_revision", revision)
        yield Run(active.info.run_id)


def register(uri: str, name: str, aliases: Sequence[str]) -> str:
    """Register a logged model and point aliases at it; gives the version."""
    registered = mlflow.register_model(uri, name)
    client = mlflow.MlflowClient()
    for alias in aliases:
        client.set_registered_model_alias(name, alias, registered.version)
    return str(registered.version)


def download_model(uri: str) -> tuple[Path, str, str]:
    """Fetch a registered model: the folder with its files, its name and its version.

    Raises
    ------
    HoloError
        If the registry has no such model, or it is none of ours.
    """
    store = mlflow.get_tracking_uri()
    try:
        reference = uri.removeprefix("models:/")
        client = mlflow.MlflowClient()
        if "@" in reference:
            name, alias = reference.split("@", 1)
            version = client.get_model_version_by_alias(name, alias).version
        else:
            name, _, version = reference.partition("/")
        folder = Path(mlflow.artifacts.download_artifacts(f"models:/{name}/{version}"))
    except (MlflowException, OSError) as error:
        raise HoloError(
            f"{uri}: not found in the registry at {store} ({str(error).splitlines()[0]})"
        ) from None
    found = sorted(folder.glob("data/*/model.json"))
    if len(found) != 1:
        raise HoloError(f"{uri}: is no holo-vae model")
    return found[0].parent, name, str(version)
