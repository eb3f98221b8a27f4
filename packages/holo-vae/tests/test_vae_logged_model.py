"""A model that MLflow has written loads for as long as `holo_vae.serving` is what its folder names."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd

from holo_types import Holograms, to_table
from holo_vae import Model, embed_holograms, load
from holo_vae.serving.holograms import encode_coefficients

GOLDEN = Path(__file__).parent / "golden"
SOURCE = GOLDEN / "contracts" / "1-autoencoder"


def test_a_logged_model_gives_what_its_source_gives() -> None:
    model = load(SOURCE)
    assert isinstance(model, Model)
    logged = mlflow.pyfunc.load_model(str(GOLDEN / "logged-model"))
    assert logged.loader_module == "holo_vae.serving"
    recorded = np.load(SOURCE / "recorded.npz")
    holograms = Holograms(recorded["coefficients"].astype(np.float32), model.config.basis)
    request = {"holograms": encode_coefficients(holograms.coefficients), "basis": holograms.basis.digest}
    answer = logged.predict(pd.DataFrame([request]))
    assert answer.pop("hologram").tolist() == list(range(len(holograms)))
    pd.testing.assert_frame_equal(answer, to_table(embed_holograms(model, holograms)), atol=1e-6)
    z = answer[[f"z_{column}" for column in range(model.config.latent_dim)]].to_numpy()
    np.testing.assert_allclose(z, recorded["invariants"], rtol=0, atol=1e-5 * np.abs(z).max())
