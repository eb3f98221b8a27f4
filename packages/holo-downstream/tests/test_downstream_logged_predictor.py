"""A predictor that MLflow has written loads for as long as `holo_downstream.registry` is what its folder names."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

LOGGED = Path(__file__).parent / "golden" / "logged-predictor"


def test_a_logged_predictor_gives_what_it_gave():
    mlflow = pytest.importorskip("mlflow")
    logged = mlflow.pyfunc.load_model(str(LOGGED))
    assert logged.loader_module == "holo_downstream.registry"
    predicted = logged.predict(pd.read_csv(LOGGED / "recorded_input.csv"))
    recorded = pd.read_csv(LOGGED / "recorded_output.csv")
    assert list(predicted) == list(recorded)
    np.testing.assert_allclose(predicted.to_numpy(), recorded.to_numpy(), rtol=1e-9)
