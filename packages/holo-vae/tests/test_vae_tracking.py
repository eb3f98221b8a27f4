"""MLflow: what a run records, the registry, and the model behind a scoring server's interface."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

import holo_features
from holo_types import Basis, HoloError, Holograms, Zernike, save, to_table
from holo_vae import Recipe, embed, initial_model, load, run_training
from holo_vae.serving import InvalidStructure, StructureEmbedder, encode_content


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


@pytest.fixture
def embedder(recipe: Recipe) -> StructureEmbedder:
    return StructureEmbedder(initial_model(recipe, 1.0, "small"))


def _request(*paths: Path) -> pd.DataFrame:
    return pd.DataFrame([{"name": path.name, "content": encode_content(path)} for path in paths])


def test_the_service_gives_what_embed_gives(embedder: StructureEmbedder) -> None:
    paths = holo_features.datasets.example_structures()[:2]
    served = embedder.predict(_request(*paths))
    pd.testing.assert_frame_equal(served, to_table(embed(paths, embedder.model)))


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([{"name": "a.pdb", "content": "rubbish"}], r"a\.pdb"),
        ([{"name": "a.pdb", "content": ""}], r"a\.pdb"),
        ([{"name": "a.bcif", "content": "%%"}], "base64"),
        ([{"name": "a.xyz", "content": "1"}], r"a\.xyz"),
        ([{"name": "a.pdb", "content": "x"}, {"name": "a.ent", "content": "x"}], "name of its own"),
        ([{"name": "", "content": "x"}], "name of its own"),
        ([{"name": "..", "content": "x"}], "name of its own"),
        ([{"name": "a\0.pdb", "content": "x"}], "name of its own"),
        ([{"name": "a" * 300 + ".pdb", "content": "x"}], "name of its own"),
    ],
)
def test_the_service_refuses_in_one_line(embedder: StructureEmbedder, records, message: str) -> None:
    with pytest.raises(InvalidStructure, match=message) as caught:
        embedder.predict(pd.DataFrame(records))
    assert caught.value.get_http_status_code() == 400
    body = caught.value.serialize_as_json()
    assert "\\n" not in body
    assert "tmp" not in body


@pytest.mark.parametrize("folders", ["../../", "..\\..\\", "/etc/"])
def test_a_name_cannot_leave_the_services_folder(embedder: StructureEmbedder, folders: str) -> None:
    path = holo_features.datasets.example_structures()[0]
    request = _request(path).assign(name=f"{folders}{path.name}")
    assert set(embedder.predict(request)["structure"]) == {path.name.removesuffix(".bcif.gz")}


def test_the_basis_of_the_embedder_is_the_models(embedder: StructureEmbedder) -> None:
    assert embedder.model.config.basis == Basis(2, Zernike(4, 10.0), ("C", "N"))
    served = embedder.predict(_request(holo_features.datasets.example_structures()[0]))
    assert np.isfinite(served.filter(like="z_").to_numpy()).all()
