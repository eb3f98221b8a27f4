"""MLflow: what a run records, and the registry."""

from pathlib import Path

import mlflow
import pytest

from holo_types import HoloError, Holograms, save
from holo_vae import Recipe, load, run_training


@pytest.fixture
def run(tmp_path: Path, holograms: Holograms, recipe: Recipe, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    save(holograms, tmp_path / "data.h5")
    yield run_training(tmp_path / "data.h5", recipe, tmp_path / "run", name="small", register=True)
    mlflow.set_tracking_uri(None)


def test_a_run_records_what_it_should(run, recipe: Recipe) -> None:
    (found,) = mlflow.search_runs(experiment_names=["small"], output_format="list")
    client = mlflow.MlflowClient()
    assert found.data.params["training.epochs"] == "3"
    assert found.data.params["model.latent_dim"] == "6"
    assert len(client.get_metric_history(found.info.run_id, "validation_cosine")) == recipe.training.epochs
    assert found.data.metrics["equivariance_invariants"] < 1e-5
    assert len(found.data.tags["data_sha256"]) == 64
    assert found.inputs.dataset_inputs
    pictures = {artifact.path for artifact in client.list_artifacts(found.info.run_id, "pictures")}
    assert "pictures/learning_curves.png" in pictures


def test_every_run_has_a_store_of_its_own(run, tmp_path: Path, recipe: Recipe, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    other = run_training(tmp_path / "data.h5", recipe, tmp_path / "other", name="small", register=True)
    assert other.registered_version == "1"  # not the second of the first run's registry
    for folder in (run.folder, other.folder):
        assert (folder / "mlflow.db").exists()
        assert list((folder / "mlartifacts").rglob("model.json"))
    assert not (tmp_path / "mlruns").exists()


def test_the_champion_is_the_model(run, holograms: Holograms) -> None:
    champion = load("models:/small@champion")
    assert champion.digest == run.model.digest
    assert (champion.name, champion.version) == ("small", "1")
    assert load("models:/small/1").digest == champion.digest
    assert champion.encode(holograms).model.version == "1"


def test_the_registered_model_holds_no_pickle(run) -> None:
    folder = Path(mlflow.artifacts.download_artifacts("models:/small@champion"))
    suffixes = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert not suffixes & {".pkl", ".pickle", ".pt", ".pth", ".joblib"}


@pytest.mark.parametrize("uri", ["models:/nobody@champion", "models:/small@nobody", "models:/small/99"])
def test_what_is_not_registered_is_named(run, uri: str) -> None:
    with pytest.raises(HoloError, match=uri):
        load(uri)
