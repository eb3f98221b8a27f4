"""What goes wrong between a run and its registry: answers that are lost, servers that are gone, folders that move."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import mlflow
import numpy as np
import pytest

import holo_vae
from holo_types import HoloError, Holograms, save
from holo_vae import Model, ModelConfig, Recipe, write_recipe
from holo_vae.cli.program import main
from holo_vae.data.batches import open_rows
from holo_vae.data.opening import RunData
from holo_vae.networks.network import HolographicAutoencoder
from holo_vae.networks.storage import write_model
from holo_vae.promotion.promotions import promote
from holo_vae.promotion.rollbacks import promotion_history, rollback
from holo_vae.promotion.waiting import promote_waiting
from holo_vae.tracking import run as tracking, sender as tracking_sender, store as tracking_store
from holo_vae.tracking.sender import send_journals


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield
    mlflow.set_tracking_uri("")
    os.environ.pop("MLFLOW_TRACKING_URI", None)


@pytest.fixture
def logged(tmp_path: Path, recipe: Recipe, holograms: Holograms) -> Callable[[], tracking.Run]:
    """Return a function that tracks a run which logs a model, with rows to measure it on, for ``champion``."""
    data = RunData(
        open_rows(holograms, rows=np.arange(60), shuffle_rows=100),
        open_rows(holograms, rows=np.arange(60, 80), shuffle_rows=100),
    )
    assert isinstance(recipe.model, ModelConfig)
    model = Model(HolographicAutoencoder(recipe.model).eval(), "small")
    folder = tmp_path / "run"
    write_model(model, folder / "model")
    recorded = Holograms(holograms.coefficients[60:] + 1, holograms.basis, {"structure": ["new"] * 20})

    def log() -> tracking.Run:
        with tracking.start_run(folder, "small", recipe, data) as run:
            run.log_model(model, folder / "model", recorded)
            run.register("small", "champion")
        return run

    return log


def away(*_: object) -> None:
    raise ConnectionError("the store is away")


def test_a_model_is_registered_once_though_the_answer_is_lost(
    logged: Callable[[], tracking.Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = mlflow.MlflowClient.create_model_version
    lost: list[object] = []

    def without_answer(self: mlflow.MlflowClient, *arguments: Any, **named: Any) -> Any:
        made = create(self, *arguments, **named)
        if not lost:
            lost.append(made)
            raise ConnectionResetError("peer")
        return made

    monkeypatch.setattr(mlflow.MlflowClient, "create_model_version", without_answer)
    run = logged()
    assert len(lost) == 1
    (version,) = mlflow.MlflowClient(run.store.uri).search_model_versions("name = 'small'")
    assert run.store.sent.versions == {"small": str(version.version)}
    assert version.description is not None
    assert version.description.startswith(
        "# small\n\nA holographic autoencoder (H-AE)"
    )  # its page is its card
    assert "60 rows to train on, of 8 values of `structure`" in version.description
    assert run.store.sent.model_id is not None
    page = mlflow.MlflowClient(run.store.uri).get_logged_model(run.store.sent.model_id).tags
    assert page["mlflow.note.content"] == version.description


def test_what_is_sent_later_passes_the_gate_too(
    logged: Callable[[], tracking.Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(tracking_sender, "_PATIENCE", 0.5)
    with monkeypatch.context() as patch:
        patch.setattr(tracking_store.Store, "send", away)
        run = logged()
    assert run.note is not None
    assert main(["track", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert "is complete" in said
    assert "models:/small/1 is refused as champion: reconstruction is" in said  # nobody has trained it
    client = mlflow.MlflowClient(run.store.uri)
    assert client.get_registered_model("small").aliases == {}
    assert len(promotion_history("small", store=run.store.uri)) == 1
    assert main(["track", str(tmp_path / "run")]) == 0  # once is enough
    assert "refused" not in capsys.readouterr().out
    assert len(promotion_history("small", store=run.store.uri)) == 1


def test_a_folder_that_is_copied_keeps_its_model(
    logged: Callable[[], tracking.Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = holo_vae.load(logged().folder / "model").digest
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    shutil.rmtree(tmp_path / "run")
    store = f"sqlite:///{tmp_path / 'copy' / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    mlflow.set_tracking_uri(store)
    assert holo_vae.load("models:/small/1").digest == digest
    (sent,) = send_journals(tmp_path / "copy")
    assert not promote_waiting(sent)[0].promoted  # it is measured, and no better than before


def test_a_password_is_neither_kept_nor_shown(
    logged: Callable[[], tracking.Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(tracking_sender, "_PATIENCE", 0.5)
    uri = f"http://holo:se:cr3t@127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    run = logged()
    assert main(["track", str(tmp_path / "run")]) == 1
    assert main(["promote", "small", "1"]) == 1
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert main(["track", str(tmp_path / "run")]) == 1
    captured = capsys.readouterr()
    assert "set MLFLOW_TRACKING_URI to that address with its password" in captured.err
    kept = "".join(path.read_text("utf-8", "replace") for path in (tmp_path / "run").rglob("*.json*"))
    for text in (captured.out, captured.err, caplog.text, str(run.note), kept):
        assert "cr3t" not in text
        assert "http://holo:***@127.0.0.1" in text or text is captured.out


def test_an_alias_that_cannot_be_is_refused_before_any_training(
    tmp_path: Path, recipe: Recipe, holograms: Holograms, capsys: pytest.CaptureFixture[str]
) -> None:
    write_recipe(recipe, tmp_path / "recipe.yaml")
    save(holograms, tmp_path / "data.h5")
    command = ["train", str(tmp_path / "data.h5"), "--recipe", str(tmp_path / "recipe.yaml")]
    assert main([*command, "--out", str(tmp_path / "run"), "--register", "--alias", "v1"]) == 1
    assert "the alias is 'v1'; it must be letters" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_a_registry_that_is_gone_is_noticed_in_ten_seconds(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        stores = {
            "http://127.0.0.1:{free}": "does not answer",
            "http://127.0.0.1:{silent}": "the store does not answer .nothing came within 8 s",
            "postgresql://holo:secret@127.0.0.1:{free}/mlflow": r"holo:\*\*\*@.*does not answer",
            f"sqlite:///{tmp_path}/gone.db": "there is no such file",
            f"{tmp_path}/mlruns": "mlruns: cannot be used as a store",
        }
        for store, words in stores.items():
            uri = store.format(free=free_port(), silent=silent.getsockname()[1])
            for ask in (promote, rollback):
                started = time.monotonic()
                with pytest.raises(HoloError, match=words) as caught:
                    ask("small", "1" if ask is promote else "champion", store=uri)
                assert time.monotonic() - started < 10
                assert "\n" not in str(caught.value)
            if store.endswith("}"):
                mlflow.set_tracking_uri(uri)
                started = time.monotonic()
                with pytest.raises(HoloError, match=words):
                    holo_vae.load("models:/small@champion")
                assert time.monotonic() - started < 10
    assert not (tmp_path / "gone.db").exists()


ENDLESS = """
import sys
from pathlib import Path
import holo_vae
place = Path(sys.argv[1])
holo_vae.run_training(
    holo_vae.read_recipe(place / "recipe.yaml"), place / "data.h5", place / "run", name="small"
)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM")
@pytest.mark.parametrize("by", ["command", "script"])
def test_a_run_that_is_ended_by_sigterm_is_not_running(
    tmp_path: Path, recipe: Recipe, holograms: Holograms, by: str
) -> None:

    endless = attrs.evolve(recipe, training=attrs.evolve(recipe.training, epochs=1_000_000))
    write_recipe(endless, tmp_path / "recipe.yaml")
    save(holograms, tmp_path / "data.h5")
    out = tmp_path / "run"
    command = ["-c", ENDLESS, str(tmp_path)]
    if by == "command":
        recipe_file = str(tmp_path / "recipe.yaml")
        command = ["-m", "holo_vae", "train", str(tmp_path / "data.h5"), "--out", str(out)]
        command += ["--recipe", recipe_file, "--name", "small"]
    with subprocess.Popen([sys.executable, *command]) as process:
        try:
            deadline = time.monotonic() + 600
            while not (out / "history.csv").exists():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=120) == 143
        finally:
            process.kill()
    client = mlflow.MlflowClient(tracking.tracking_uri(out))
    (experiment,) = (each for each in client.search_experiments() if each.name == "small")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "KILLED"
