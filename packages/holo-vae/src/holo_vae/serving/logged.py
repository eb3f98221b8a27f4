"""Models in MLflow's format, as folders that can be served wherever they are copied to."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow.pyfunc
from mlflow.models import Model as MlflowModel

from holo_vae.networks.model import Model
from holo_vae.networks.storage import write_model

from .packing import WHEELS, pack
from .service import input_example, signature

__all__ = ["CARD", "write_logged", "write_served"]

CARD = "CARD.md"  # the description of a logged model for its readers


def write_logged(model: Model, folder: Path, path: Path, card: str) -> None:
    """Write a model in MLflow's format, with the wheels and the versions that are needed to run it.

    Parameters
    ----------
    model
        The model.
    folder
        The folder to which `write_model` wrote it.
    path
        The folder to make; it must not exist, or be empty.
    card
        A description of the model in Markdown.
    """
    with TemporaryDirectory() as packed:
        mlflow.pyfunc.save_model(
            path,
            mlflow_model=MlflowModel(),
            loader_module="holo_vae.serving",
            data_path=str(folder),
            signature=signature(model),
            input_example=input_example(model),
            pip_requirements=pack(Path(packed)),
            metadata={"digest": model.digest, "basis_digest": model.config.basis.digest},
        )
        shutil.copytree(Path(packed, WHEELS), path / WHEELS)
    (path / CARD).write_text(card, encoding="utf-8")


def write_served(model: Model, folder: Path) -> None:
    """Write a model in MLflow's format, as a folder for `mlflow.pyfunc.load_model` and `mlflow models serve`.

    This is for models that are in no registry: one that comes with holo-vae, or a folder that holo-vae wrote.

    Parameters
    ----------
    model
        The model.
    folder
        The folder to make; it must not exist, or be empty.
    """
    with TemporaryDirectory() as weights:
        write_model(model, Path(weights, "model"))
        write_logged(model, Path(weights, "model"), folder, f"# {model.name}\n")
