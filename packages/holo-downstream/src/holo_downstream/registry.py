"""Studies in MLflow (extra ``mlflow``): logged as runs, with their predictors registered.

MLflow loads a predictor by the name of this module and `_load_pyfunc`: neither code nor a pickle travels with it.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import attrs
import mlflow
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from holo_types import HoloError

from .affinity.predictor import Predictor, read_predictor
from .affinity.study import Study
from .validation.statistics import METRICS

__all__ = ["ServedPredictor", "log_study"]

_REQUIREMENTS = ["holo-downstream[mlflow]"]


def log_study(study: Study, folder: Path, *, experiment: str, name: str | None = None) -> str:
    """Log a study as a run of an experiment, and register its predictor.

    The tracking server is MLflow's own choice: ``MLFLOW_TRACKING_URI``.

    Parameters
    ----------
    study
        The study to log.
    folder
        The folder to which `write_study` wrote it.
    experiment
        Name of the MLflow experiment, which is created if it does not exist.
    name
        The name of the registered model; by default the predictor is only logged.

    Returns
    -------
    str
        The URI of the logged predictor, or of its registered version.
    """
    mlflow.set_experiment(experiment)
    with mlflow.start_run():
        mlflow.log_params(attrs.asdict(study.settings))
        for part, scores in (("validation", study.validation), ("test", study.test)):
            if scores is not None:
                values = {f"{part}_{metric}": getattr(scores, metric).interval.estimate for metric in METRICS}
                mlflow.log_metrics({key: value for key, value in values.items() if not math.isnan(value)})
        for file in ("report.json", "predictions.csv", "skipped.csv"):
            mlflow.log_artifact(str(folder / file))
        source = study.source
        info = mlflow.pyfunc.log_model(
            name="predictor",
            loader_module="holo_downstream.registry",
            data_path=str(folder / "model"),
            signature=_signature(study.predictor),
            input_example=pd.DataFrame(
                np.zeros((1, study.predictor.width)), columns=_columns(study.predictor)
            ),
            pip_requirements=_REQUIREMENTS,
            metadata={
                "kind": source.kind,
                "basis_digest": source.basis_digest,
                "model_digest": "" if source.model is None else source.model.digest,
            },
        )
    uri: str = info.model_uri
    if name is None:
        return uri
    version = mlflow.register_model(uri, name).version
    return f"models:/{name}/{version}"


@attrs.frozen
class ServedPredictor:
    """A predictor with the interface that MLflow calls.

    Parameters
    ----------
    predictor
        The predictor.
    """

    predictor: Predictor

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, str] | None = None) -> pd.DataFrame:
        """Predict from pooled vectors, one row per complex.

        Parameters
        ----------
        model_input
            The columns of the table that the predictor learned from, or z_0, z_1, ... of pooled vectors.
        params
            ``model_digest`` and ``basis_digest``: the origin of the vectors, which is checked if given.

        Returns
        -------
        pandas.DataFrame
            The columns prediction, lower and upper, in pK.

        Raises
        ------
        HoloError
            If the vectors come from another model or basis, or a value is not finite.
        """
        source = self.predictor.source
        ours = {
            "model_digest": "" if source.model is None else source.model.digest,
            "basis_digest": source.basis_digest,
        }
        for key, value in (params or {}).items():
            if value and value != ours.get(key):
                raise HoloError(
                    f"{key} is {value[:12]!r}; the predictor learned from {ours.get(key, '')[:12]!r}"
                )
        vectors = model_input[_columns(self.predictor)].to_numpy(dtype=np.float64)
        if not np.isfinite(vectors).all():
            raise HoloError("a vector is not finite; every value must be a finite number")
        values, half = self.predictor.predict_vectors(vectors), self.predictor.half_width
        return pd.DataFrame({"prediction": values, "lower": values - half, "upper": values + half})


def _columns(predictor: Predictor) -> list[str]:
    names = list(predictor.source.columns)
    # Further tables of vectors have no column names of their own.
    return names if len(names) == predictor.width else [f"z_{column}" for column in range(predictor.width)]


def _signature(predictor: Predictor) -> ModelSignature:
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.double, name) for name in _columns(predictor)]),
        outputs=Schema([ColSpec(DataType.double, name) for name in ("prediction", "lower", "upper")]),
        params=ParamSchema(
            [ParamSpec(name, DataType.string, "") for name in ("model_digest", "basis_digest")]
        ),
    )


def _load_pyfunc(data_path: str) -> ServedPredictor:
    """Load the predictor that `log_study` logged (MLflow's entry point)."""
    return ServedPredictor(read_predictor(Path(data_path)))
