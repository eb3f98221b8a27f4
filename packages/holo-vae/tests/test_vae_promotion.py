"""The promotion gate on a real registry: what passes, and what each check refuses."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import mlflow
import numpy as np
import pytest
import torch

import holo_types
import holo_vae.networks.storage
from holo_types import Basis, HoloError, Holograms
from holo_vae import Model, ModelConfig, Recipe, load
from holo_vae.data.batches import open_rows
from holo_vae.data.opening import RunData
from holo_vae.networks.network import HolographicAutoencoder
from holo_vae.networks.storage import write_model
from holo_vae.tracking import run as tracking
from holo_vae.tracking.promotion import PromotionRefused, _comparison, promote

GOLDEN = Path(__file__).parent / "golden" / "regression"


def _untrained(basis: Basis) -> Model:
    config = ModelConfig(basis=basis, latent_dim=4, lmax=(2, 1), channels=(6, 6), initial_projection=6)
    torch.manual_seed(0)
    return Model(HolographicAutoencoder(config).eval(), "untrained")


def _worse(model: Model) -> Model:
    """Give a model with weights of the decoder that are a little off."""
    network = HolographicAutoencoder(model.config)
    network.load_state_dict(model.network.state_dict())
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in network.decoder.parameters():
            weights.add_(torch.randn(weights.shape, generator=generator) * 0.05 * weights.std(unbiased=False))
    return Model(network.eval(), "worse")


@pytest.fixture(scope="module")
def rows() -> Holograms:
    rows = holo_types.load(GOLDEN / "holograms.h5")
    assert isinstance(rows, Holograms)
    return rows


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory, rows: Holograms) -> Iterator[dict[str, str]]:
    """Register a trained model and others, and give each one's version."""
    folder = tmp_path_factory.mktemp("registry")
    good = load(GOLDEN / "model")
    assert isinstance(good, Model)
    other = Holograms(rows.coefficients, attrs.evolve(rows.basis, channels=("C", "N", "O", "P")))
    models = {
        "good": (good, rows),
        "worse": (_worse(good), rows[:7]),
        "the same": (good, rows[:7]),
        "another basis": (_untrained(other.basis), other),
        "untrained": (_untrained(rows.basis), rows),
        "without rows": (good, None),
    }
    data = RunData(open_rows(rows, shuffle_rows=100), open_rows(rows, shuffle_rows=100))
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'registry.db'}")
        with tracking.start_run(folder, "small", Recipe(model=good.config), data) as run:
            for name, (model, recorded) in models.items():
                write_model(model, folder / "model")
                run.log_model(model, folder / "model", recorded)
                found[name] = str(run.register("small"))
        yield found
    mlflow.set_tracking_uri(None)
    os.environ.pop("MLFLOW_TRACKING_URI", None)


@pytest.fixture(autouse=True)
def champion(versions: dict[str, str]) -> None:
    """Let the good model be the champion, whatever a test before has moved."""
    client = mlflow.MlflowClient()
    client.set_registered_model_alias("small", "champion", versions["good"])
    if "first" in client.get_registered_model("small").aliases:
        client.delete_registered_model_alias("small", "first")


def tags(version: str) -> dict[str, str]:
    found = mlflow.MlflowClient().get_model_version("small", version).tags
    return {key.removeprefix("promotion."): value for key, value in found.items()}


def assert_refused(version: str, words: str, alias: str = "champion") -> dict[str, str]:
    client = mlflow.MlflowClient()
    before = client.get_registered_model("small").aliases
    with pytest.raises(PromotionRefused, match=words) as caught:
        promote("small", version, alias)
    assert "\n" not in str(caught.value)
    assert client.get_registered_model("small").aliases == before
    written = tags(version)
    assert (written["verdict"], written["alias"]) == ("refused", alias)
    return written


def test_a_worse_model_is_refused_on_the_champions_rows(versions, rows: Holograms) -> None:
    written = assert_refused(
        versions["worse"], "reconstruction is a mean cosine loss of .* must be at most 1.02"
    )
    assert written["rows"] == str(len(rows))  # not the seven that it brought
    assert written["previous"] == versions["good"]
    assert written["reconstruction"].startswith("failed: ")
    assert written["equivariance_invariants"].startswith("held: ")
    assert written["basis"].startswith("held: ")


def test_another_basis_is_refused(versions) -> None:
    written = assert_refused(
        versions["another basis"], r"basis is channels \['C', 'N', 'O', 'P'\], it must be"
    )
    assert "reconstruction" not in written


@pytest.fixture
def forget_coefficients() -> Iterator[Callable[[], None]]:
    """Give what makes holo-nn forget the coefficients that it keeps; that happens after the test as well."""

    def forget() -> None:
        for name, module in list(sys.modules.items()):
            if name.startswith("holo_nn."):
                for value in vars(module).values():
                    if hasattr(value, "cache_clear"):
                        value.cache_clear()

    yield forget
    forget()


def test_a_model_that_is_not_equivariant_is_refused(
    versions, forget_coefficients: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    # One sign of one Clebsch-Gordan coefficient, behind the back of the digest by which a model is loaded.
    module = importlib.import_module("holo_nn.so3.clebsch_gordan")
    coefficients, digest = module._coefficients, holo_vae.networks.storage.clebsch_gordan_digest()

    def flipped(*degrees: int) -> torch.Tensor:
        values: torch.Tensor = coefficients(*degrees).clone()
        if degrees == (1, 1, 2):
            values[tuple(values.nonzero()[-1])] *= -1
        return values

    monkeypatch.setattr(holo_vae.networks.storage, "clebsch_gordan_digest", lambda: digest)
    monkeypatch.setattr(module, "_coefficients", flipped)
    forget_coefficients()
    written = assert_refused(
        versions["the same"], r"equivariance_invariants is .*e-0[1-4], it must be at most 1e-05"
    )
    assert written["equivariance_invariants"].startswith("failed: ")
    assert written["equivariance_frame_p99"].startswith("failed: ")


def test_a_model_that_is_as_good_is_promoted(versions, rows: Holograms) -> None:
    done = promote("small", versions["the same"])
    assert (done.previous, done.rows) == (versions["good"], len(rows))
    assert all(check.held for check in done.checks)
    assert load("models:/small@champion").version == versions["the same"]
    written = tags(versions["the same"])
    assert (written["verdict"], written["previous"]) == ("promoted", versions["good"])
    assert "0.1973 beside 0.1973, at most 1.000 times" in written["reconstruction"]
    with pytest.raises(HoloError, match="already"):
        promote("small", versions["the same"])


def test_a_first_model_must_be_better_than_the_mean_hologram(versions) -> None:
    assert_refused(versions["untrained"], "reconstruction is .*, it must be under 0.4064", alias="first")
    done = promote("small", versions["good"], "first")
    assert done.previous is None
    assert tags(versions["good"])["previous"] == "none"
    with pytest.raises(HoloError, match="already"):
        promote("small", versions["good"], "first")


def test_what_cannot_be_measured_is_named(versions) -> None:
    with pytest.raises(HoloError, match="no validation rows"):
        promote("small", versions["without rows"], "first")
    with pytest.raises(HoloError, match="models:/nobody"):
        promote("nobody", "1")
    with pytest.raises(HoloError, match="models:/small/99"):
        promote("small", "99")


def test_the_bound_is_where_it_says() -> None:
    champion = np.random.default_rng(0).uniform(0.02, 0.2, size=400)
    assert _comparison(champion * 1.019, champion).held
    assert not _comparison(champion * 1.021, champion).held
    noisy = np.sort(champion) * np.where(np.arange(400) % 2, 0.5, 1.5)
    assert not _comparison(noisy, np.sort(champion)).held  # may be as good, which 400 rows do not show
    assert not _comparison(champion * np.nan, champion).held


LOADED = """
import sys
import mlflow, pandas as pd
import holo_vae
from holo_vae.serving import service as serving
version = sys.argv[1]
model = holo_vae.load("models:/small/" + version)
served = mlflow.pyfunc.load_model("models:/small/" + version)
answer = served.predict(serving.input_example(model))
print(model.digest, len(answer))
"""


def test_models_load_where_pickle_is_forbidden(versions) -> None:
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/small/{versions['good']}"))
    kinds = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert kinds <= {".json", ".yaml", ".txt", ".safetensors", ".h5", ""}
    done = subprocess.run(
        [sys.executable, "-c", LOADED, versions["good"]],
        env={**os.environ, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    digest, count = done.stdout.split()
    assert digest == load(GOLDEN / "model").digest
    assert int(count) > 0
