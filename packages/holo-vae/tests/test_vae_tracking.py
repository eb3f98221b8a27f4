"""Tracking: what reaches MLflow, also where its server or the run itself is killed on the way."""

import importlib.util
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import attrs
import mlflow
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import holo_vae
from holo_types import FormatError, HoloError, Holograms, save
from holo_types.files.json_files import write_json
from holo_vae import Recipe
from holo_vae.data.batches import open_rows
from holo_vae.data.opening import RunData
from holo_vae.networks.model import Model
from holo_vae.networks.network import HolographicAutoencoder
from holo_vae.networks.storage import write_model
from holo_vae.networks.stores import brief_requests
from holo_vae.tracking import run as tracking, sender as tracking_sender, store as tracking_store
from holo_vae.tracking.journal import Journal, Metrics, RunStart, Status, journals, read_journal
from holo_vae.tracking.provenance import checked_out, git_revision
from holo_vae.tracking.sender import send_journals
from holo_vae.training.checkpoints import Epoch
from holo_vae.training.engine import Step

SERVER = Path(__file__).parents[3] / "services" / "tracking" / "server.py"
CURVES = ("loss", "mse", "learning_rate", "gradient_norm", "seconds", "samples_per_second")


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store without runs, from which others are copied, since mlflow takes seconds to make its tables."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(autouse=True)
def stores(empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Track runs in their folder, in a store whose tables already exist."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def made(folder: Path) -> str:
        if folder.is_dir() and not (folder / "mlflow.db").exists():
            shutil.copy(empty_store, folder / "mlflow.db")
        return store_uri(folder)

    store_uri = tracking_store.store_uri
    monkeypatch.setattr(tracking_store, "store_uri", made)
    yield
    mlflow.set_tracking_uri(None)
    os.environ.pop("MLFLOW_TRACKING_URI", None)


@pytest.fixture
def data(holograms: Holograms) -> RunData:
    return RunData(
        open_rows(holograms, rows=np.arange(60), shuffle_rows=100),
        open_rows(holograms, rows=np.arange(60, 80), shuffle_rows=100),
    )


RunOf = Callable[..., AbstractContextManager[tracking.Run]]


@pytest.fixture
def run_of(recipe: Recipe, data: RunData) -> RunOf:
    return lambda folder, **options: tracking.start_run(folder, "small", recipe, data, **options)


@pytest.fixture
def model(recipe: Recipe, tmp_path: Path) -> Model:
    model = Model(HolographicAutoencoder(recipe.model).eval(), "small")
    write_model(model, tmp_path / "run" / "model")
    return model


def log_steps(run: tracking.Run, first: int, last: int) -> None:
    for number in range(first, last):
        run.log_step(
            Step(
                number=number,
                total=2000,
                epoch=0,
                loss=1 / (1 + number),
                parts={"mse": number / 7},
                learning_rate=1e-3,
                gradient_norm=2.0,
                seconds=0.25,
                samples=16,
            )
        )


def assert_steps(client: mlflow.MlflowClient, run_id: str, count: int) -> None:
    for name in CURVES:
        points = client.get_metric_history(run_id, f"step/{name}")
        assert [point.step for point in points] == list(range(count)), name
    losses = [point.value for point in client.get_metric_history(run_id, "step/loss")]
    assert losses == [1 / (1 + number) for number in range(count)]


def only_run(client: mlflow.MlflowClient) -> mlflow.entities.Run:
    (experiment,) = (each for each in client.search_experiments() if each.name == "small")
    (run,) = client.search_runs([experiment.experiment_id])
    return run


def test_a_run_records_what_it_should(tmp_path: Path, recipe: Recipe, data: RunData, model: Model) -> None:
    folder = tmp_path / "run"
    (tmp_path / "report.html").write_text("<p>good")
    epoch = Epoch(
        number=0, loss=1.0, parts={"mse": 0.5}, validation={"mse": 0.6}, validation_loss=0.7, learning_rate=0.1,
        gradient_norm=0.2, seconds=3.0, samples_per_second=20.0, best=True,
    )  # fmt: skip
    with tracking.start_run(folder, "small", recipe, data, source="rows.h5") as run:
        log_steps(run, 0, 5)
        run.log_epoch(epoch)
        run.log_values({"not a number": float("nan"), "infinite": float("inf")})
        run.log_figure(Figure(), "curves")
        run.log_file(tmp_path / "report.html")
        uri = run.log_model(model, folder / "model", data_rows(data))
        assert run.register("small") == "1"
    assert run.note is None

    client = mlflow.MlflowClient(tracking.tracking_uri(folder))
    found = only_run(client)
    assert found.info.status == "FINISHED"
    assert_steps(client, found.info.run_id, 5)
    metrics, tags = found.data.metrics, found.data.tags
    assert metrics["step/samples_per_second"] == 64.0
    assert (metrics["loss"], metrics["mse"], metrics["validation_mse"]) == (1.0, 0.5, 0.6)
    assert np.isnan(metrics["not a number"])
    assert 0 < metrics["system/system_memory_usage_percentage"] < 100
    assert found.data.params["model.latent_dim"] == "6"
    assert found.data.params["training.epochs"] == "3"
    assert tags["environment.torch"] == torch.__version__
    assert tags["environment.device"] == "cpu"
    assert tags["environment.threads"] == str(torch.get_num_threads())
    assert tags["basis_digest"] == recipe.model.basis.digest
    assert {file.path for file in client.list_artifacts(found.info.run_id)} == {
        "recipe.yaml", "packages.txt", "report.html", "pictures",
    }  # fmt: skip
    (picture,) = client.list_artifacts(found.info.run_id, "pictures")
    assert picture.path == "pictures/curves.png"
    (output,) = found.outputs.model_outputs
    assert uri == f"models:/{output.model_id}"


def data_rows(data: RunData) -> Holograms:
    (batch,) = data.validation.in_order(100)
    return Holograms(batch.coefficients.numpy(), data.validation.basis)


def test_the_data_sets_are_known_by_their_digests(tmp_path: Path, recipe: Recipe, data: RunData) -> None:
    import hashlib

    with tracking.start_run(tmp_path, "small", recipe, data, source="/data/rows.h5"):
        pass
    found = only_run(mlflow.MlflowClient(tracking.tracking_uri(tmp_path)))
    inputs = {
        each.tags[0].value: each.dataset
        for each in found.inputs.dataset_inputs
        if each.tags[0].key == "mlflow.data.context"
    }
    for context, rows in (("training", data.training), ("validation", data.validation)):
        assert rows.values is not None
        digest = hashlib.sha256(rows.values.astype("<f4").tobytes()).hexdigest()
        assert inputs[context].digest == digest[:32]
        assert json.loads(inputs[context].profile) == {
            "features_shape": [len(rows), rows.basis.dim], "sha256": digest,
        }  # fmt: skip
        assert json.loads(inputs[context].source)["tags"]["path"] == "/data/rows.h5"


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    for message in ("first", "second"):
        git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return folder


def test_the_commit_is_the_one_that_git_says(repository: Path, tmp_path: Path) -> None:
    assert checked_out(repository) == git(repository, "rev-parse", "HEAD")
    git(repository, "pack-refs", "--all")
    assert not list((repository / ".git" / "refs" / "heads").iterdir())
    assert checked_out(repository) == git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "-q", "--detach", "HEAD~")
    assert checked_out(repository) == git(repository, "rev-parse", "HEAD")
    git(repository, "worktree", "add", "-q", "-b", "a/branch", str(tmp_path / "linked"), "HEAD")
    git(tmp_path / "linked", "commit", "-q", "--allow-empty", "-m", "third")
    assert checked_out(tmp_path / "linked") == git(tmp_path / "linked", "rev-parse", "HEAD")
    assert checked_out(repository) != checked_out(tmp_path / "linked")


def test_no_program_that_a_repository_names_is_run(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git itself would run them, wherever a run is started."""
    run = tmp_path / "run"
    git(repository, "config", "core.fsmonitor", f"touch {run}; false")
    git(repository, "config", "filter.any.clean", f"touch {run}; cat")
    (repository / ".gitattributes").write_text("* filter=any\n")
    monkeypatch.chdir(repository)
    assert checked_out(repository)
    git_revision()
    assert not run.exists()


@pytest.mark.parametrize(
    "head",
    [
        "",
        "ref: refs/none",
        "ref: ../../secret",
        "ref: refs/../../secret",
        "ref: HEAD",
        "ref: refs/loop",
        "f" * 39,
    ],
)
def test_a_head_that_says_nothing_is_no_commit(head: str, repository: Path) -> None:
    (repository / ".git" / "HEAD").write_text(head)
    (repository / ".git" / "refs" / "loop").write_text("ref: refs/loop")
    (repository / "secret").write_text("a" * 40)
    assert checked_out(repository) is None


def test_a_folder_without_git_has_no_commit(tmp_path: Path) -> None:
    assert checked_out(tmp_path) is None
    (tmp_path / ".git").write_bytes(b"\xff")
    assert checked_out(tmp_path) is None


@pytest.mark.parametrize(("error", "status"), [(HoloError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_a_run_that_breaks_off_says_so(tmp_path: Path, recipe: Recipe, data: RunData, error, status) -> None:
    def break_off() -> None:
        with tracking.start_run(tmp_path, "small", recipe, data) as run:
            log_steps(run, 0, 3)
            raise error

    with pytest.raises(error):
        break_off()
    client = mlflow.MlflowClient(tracking.tracking_uri(tmp_path))
    assert only_run(client).info.status == status
    with tracking.start_run(tmp_path, "small", recipe, data, resume=True) as run:
        log_steps(run, 1, 5)  # from the last checkpoint on
    found = only_run(client)
    assert found.info.status == "FINISHED"
    assert_steps(client, found.info.run_id, 5)
    journal = (tmp_path / "tracking" / "1" / "journal.jsonl").read_bytes()
    with tracking.start_run(tmp_path, "small", recipe, data, resume=True) as run:
        log_steps(run, 0, 9)  # there is nothing to go on with: the run stays as it is
    assert only_run(client).info.end_time == found.info.end_time
    assert_steps(client, found.info.run_id, 5)
    assert (tmp_path / "tracking" / "1" / "journal.jsonl").read_bytes() == journal


def test_a_new_run_leaves_the_old_one_alone(tmp_path: Path, recipe: Recipe, data: RunData) -> None:
    for steps in (3, 2):
        with tracking.start_run(tmp_path, "small", recipe, data) as run:
            log_steps(run, 0, steps)
    client = mlflow.MlflowClient(tracking.tracking_uri(tmp_path))
    second, first = client.search_runs([client.get_experiment_by_name("small").experiment_id])
    assert_steps(client, first.info.run_id, 3)
    assert_steps(client, second.info.run_id, 2)


def test_a_copied_folder_goes_on_by_itself(tmp_path: Path, run_of: RunOf) -> None:
    def break_off() -> None:
        with run_of(tmp_path / "run") as run:
            log_steps(run, 0, 3)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    send_journals(tmp_path / "copy")
    with run_of(tmp_path / "copy", resume=True) as run:
        log_steps(run, 1, 5)
    counts = {}
    for name in ("run", "copy"):
        client = mlflow.MlflowClient(tracking.tracking_uri(tmp_path / name))
        counts[name] = len(client.get_metric_history(only_run(client).info.run_id, "step/loss"))
    assert counts == {"run": 3, "copy": 5}


def test_one_process_tracks_a_run(tmp_path: Path, recipe: Recipe, data: RunData) -> None:
    with (
        tracking.start_run(tmp_path, "small", recipe, data),
        pytest.raises(HoloError, match="another process"),
    ):
        send_journals(tmp_path)
    with pytest.raises(HoloError, match="holds no tracked run"):
        send_journals(tmp_path / "elsewhere")


def test_a_batch_whose_answer_is_lost_comes_once(
    tmp_path: Path, recipe: Recipe, data: RunData, monkeypatch
) -> None:
    log_batch, lost = mlflow.MlflowClient.log_batch, []

    def without_answer(self, *arguments, **named):
        log_batch(self, *arguments, **named)
        if named.get("metrics") and len(lost) < 2:
            lost.append(named)
            raise ConnectionResetError("peer")

    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", without_answer)
    with tracking.start_run(tmp_path, "small", recipe, data) as run:
        log_steps(run, 0, 200)
    assert len(lost) == 2
    assert run.note is None
    client = mlflow.MlflowClient(tracking.tracking_uri(tmp_path))
    assert_steps(client, only_run(client).info.run_id, 200)


def test_the_users_settings_stay(monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_TIMEOUT", raising=False)
    with brief_requests(30.0):
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "3"
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "30"
    assert "MLFLOW_HTTP_REQUEST_TIMEOUT" not in os.environ


def test_what_a_killed_process_left_of_a_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    start = RunStart("small", None, "key", 1, {})
    journal = Journal(path)
    journal.append(start)
    journal.append(Metrics(2, 7, {"loss": 1.0}))
    journal.close()
    with path.open("ab") as file:
        file.write(b'{"entry": "Metr')
    journal = Journal(path)
    assert journal.start == start
    assert journal.last == {"loss": 7}
    journal.append(Metrics(3, 8, {"loss": 2.0}))
    journal.close()
    assert [entry for entry, _ in read_journal(path)] == [
        start, Metrics(2, 7, {"loss": 1.0}), Metrics(3, 8, {"loss": 2.0}),
    ]  # fmt: skip
    path.write_text("{}\n")
    with pytest.raises(FormatError, match="not an entry"):
        Journal(path)


def test_a_damaged_bit_of_a_journal_is_told(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    entries = [RunStart("small", None, "key", 1, {}), Metrics(2, 7, {"loss": 1.0}), Status("FINISHED", 3)]
    journal = Journal(path)
    for entry in entries:
        journal.append(entry)
    journal.close()
    content = path.read_bytes()
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(
            FormatError, match=r"journal\.jsonl: the line that ends at byte \d+ is not an entry"
        ):
            list(read_journal(path))
    before = [line[: line.index(b', "line_digest"')] + b"}\n" for line in content.splitlines()]
    path.write_bytes(b"".join(before))  # as journals were before lines had digests
    assert [entry for entry, _ in read_journal(path)] == entries


def test_a_damaged_note_of_what_was_sent_is_told(tmp_path: Path) -> None:
    path = tmp_path / "sent.json"
    write_json(path, {"offset": 120, "run_id": "a"})
    assert tracking_store.Store(tmp_path / "journal.jsonl", tmp_path).sent.offset == 120
    path.write_text(path.read_text().replace("120", "20"))
    with pytest.raises(FormatError, match="does not match its file_digest"):
        tracking_store.Store(tmp_path / "journal.jsonl", tmp_path)


KILLED = """
import os, signal, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from test_vae_tracking import Holograms, RunData, log_steps, np, open_rows, tracking
from holo_types import load
from holo_vae import read_recipe
from pathlib import Path
holograms, folder = load(sys.argv[2] + "/data.h5"), Path(sys.argv[2]) / "run"
data = RunData(open_rows(holograms, shuffle_rows=100), open_rows(holograms, shuffle_rows=100))
with tracking.start_run(folder, "small", read_recipe(sys.argv[2] + "/recipe.yaml"), data) as run:
    log_steps(run, 0, 100)
    run._sender.wait()
    log_steps(run, 100, 150)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_goes_on_as_the_same_run(
    tmp_path: Path, recipe: Recipe, holograms: Holograms, data: RunData
) -> None:
    holo_vae.write_recipe(recipe, tmp_path / "recipe.yaml")
    save(holograms, tmp_path / "data.h5")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(tmp_path)], check=False, timeout=600
    )
    assert done.returncode == -signal.SIGKILL
    folder = tmp_path / "run"
    client = mlflow.MlflowClient(tracking.tracking_uri(folder))
    before = only_run(client)
    assert before.info.status == "RUNNING"
    with tracking.start_run(folder, "small", recipe, data, resume=True) as run:
        log_steps(run, 120, 200)
    found = only_run(client)
    assert found.info.run_id == before.info.run_id
    assert found.info.status == "FINISHED"
    assert_steps(client, found.info.run_id, 200)


KILLED_WITH_A_MODEL = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from holo_types import load
from test_vae_tracking import RunData, log_steps, open_rows, tracking, tracking_sender, tracking_store
from holo_vae import read_recipe
from holo_vae.networks.loading import load as load_model
from pathlib import Path
place, sent = Path(sys.argv[2]), sys.argv[3] == "sent"
data = RunData(*(open_rows(load(place / "data.h5"), shuffle_rows=100) for _ in range(2)))
wait = tracking_sender.Sender.wait
def killed(self):
    if sent:
        wait(self)
    os.kill(os.getpid(), signal.SIGKILL)
tracking_sender.Sender.wait = killed
if not sent:
    tracking_store.Store.send = lambda self, between: None
with tracking.start_run(place / "run", "small", read_recipe(place / "recipe.yaml"), data) as run:
    log_steps(run, 0, 5)
    run.log_model(load_model(place / "run" / "model"), place / "run" / "model")
"""


@pytest.mark.parametrize("sent", ["sent", "kept"])
def test_a_run_killed_when_it_has_logged_its_model_ends_with_that_one(
    tmp_path: Path, holograms: Holograms, run_of: RunOf, model: Model, sent: str
) -> None:
    holo_vae.write_recipe(Recipe(model=model.config), tmp_path / "recipe.yaml")
    save(holograms, tmp_path / "data.h5")
    folder = tmp_path / "run"
    script = [sys.executable, "-c", KILLED_WITH_A_MODEL, str(Path(__file__).parent), str(tmp_path), sent]
    assert subprocess.run(script, check=False, timeout=600).returncode == -signal.SIGKILL
    if sent == "kept":
        send_journals(folder)  # it is over, as far as is known: no process has the journal
        assert only_run(mlflow.MlflowClient(tracking.tracking_uri(folder))).info.status == "KILLED"
    for _ in range(2):  # goes on and finishes; is looked at once more
        with run_of(folder, resume=True) as run:
            log_steps(run, 0, 5)
            logged = run.log_model(model, folder / "model")
    client = mlflow.MlflowClient(tracking.tracking_uri(folder))
    found = only_run(client)
    assert found.info.status == "FINISHED"
    assert_steps(client, found.info.run_id, 5)
    assert [
        f"models:/{each.model_id}" for each in client.search_logged_models([found.info.experiment_id])
    ] == [logged]
    assert journals(folder) == [folder / "tracking" / "1" / "journal.jsonl"]


def test_a_run_killed_before_all_is_described_is_described_when_it_goes_on(
    tmp_path: Path, recipe: Recipe, run_of: RunOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(tracking, "packages", lambda: 1 // 0)  # where a kill may strike
        with pytest.raises(ZeroDivisionError):
            run_of(tmp_path).__enter__()
    with run_of(tmp_path, resume=True):
        pass
    found = only_run(mlflow.MlflowClient(tracking.tracking_uri(tmp_path)))
    assert found.data.params["model.latent_dim"] == str(recipe.model.latent_dim)
    assert len(found.inputs.dataset_inputs) == 2


def test_a_database_is_made_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("mlflow.store.db.utils._upgrade_db", interrupt)  # when there are some of the tables
        with pytest.raises(KeyboardInterrupt):
            tracking_store._make_database(f"sqlite:///{tmp_path}/mlflow.db")
    assert not list(tmp_path.glob("*.db"))
    tracking_store._make_database(f"sqlite:///{tmp_path}/mlflow.db")
    made = (tmp_path / "mlflow.db").stat().st_ino
    tracking_store._make_database(f"sqlite:///{tmp_path}/mlflow.db")
    assert (tmp_path / "mlflow.db").stat().st_ino == made
    assert mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").search_experiments()


def test_a_store_that_cannot_be_used_is_named(tmp_path: Path, run_of: RunOf) -> None:
    with run_of(tmp_path / "run"):
        pass
    shutil.copytree(tmp_path / "run" / "tracking", tmp_path / "copy" / "tracking")
    (tmp_path / "copy" / "tracking" / "1" / "sent.json").unlink()
    with sqlite3.connect(tmp_path / "copy" / "mlflow.db") as database:
        database.execute("CREATE TABLE datasets (x)")  # what a killed MLflow leaves
    with pytest.raises(
        HoloError, match=r"journal\.jsonl: cannot be sent to sqlite:.*datasets already exists"
    ):
        send_journals(tmp_path / "copy")


def interrupt(_engine: object) -> None:
    raise KeyboardInterrupt


@attrs.define
class Server:
    """The tracking server of services/tracking, in a process of its own."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        spec = importlib.util.spec_from_file_location("tracking_server", SERVER)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.folder.mkdir(exist_ok=True)
        settings = module.settings_of(["--folder", str(self.folder), "--port", str(self.port)], os.environ)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                module.command(settings),
                env=module.environment(settings, os.environ),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 240
        while True:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=1):
                    return
            except OSError:
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.1)

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server(tmp_path / "server", free_port())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    yield server
    server.kill()


def wait_for(condition, what: str) -> None:
    deadline = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_a_server_that_is_killed_and_comes_back_has_everything_once(
    tmp_path: Path, run_of: RunOf, server: Server, caplog, monkeypatch
) -> None:
    monkeypatch.setattr(tracking_sender, "_PATIENCE", 600.0)  # however busy the machine is
    server.start()
    folder = tmp_path / "run"
    with run_of(folder) as run:
        log_steps(run, 0, 500)  # many requests
        wait_for(lambda: run._store.sent.offset > 20_000, "the first requests")
        server.kill()
        log_steps(run, 500, 600)
        wait_for(lambda: "does not accept" in caplog.text, "the warning")
        server.start()
        log_steps(run, 600, 700)
    assert run.note is None
    assert "answers again" in caplog.text
    client = mlflow.MlflowClient(server.uri)
    found = only_run(client)
    assert found.info.status == "FINISHED"
    assert_steps(client, found.info.run_id, 700)
    assert send_journals(folder)[0].sent.run_id == found.info.run_id
    assert_steps(client, found.info.run_id, 700)


def test_what_a_server_never_took_is_sent_later(
    tmp_path: Path, run_of: RunOf, model: Model, server: Server, monkeypatch
) -> None:
    monkeypatch.setattr(tracking_sender, "_PATIENCE", 1.0)
    folder = tmp_path / "run"
    with run_of(folder) as run:  # there is no server
        log_steps(run, 0, 300)
        run.log_figure(Figure(), "curves")
        assert run.log_model(model, folder / "model") is None
        assert run.register("small") is None
    assert run.note is not None
    assert f"holo-vae track {folder}" in run.note
    (journal,) = journals(folder)
    steps = [
        entry
        for entry, _ in read_journal(journal)
        if isinstance(entry, Metrics) and "step/loss" in entry.values
    ]
    assert [entry.step for entry in steps] == list(range(300))
    with pytest.raises(HoloError, match="cannot be sent to http"):
        send_journals(folder)

    server.port = free_port()  # under another address than before
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    server.start()
    for _ in range(2):  # the second time there is nothing left
        (store,) = send_journals(folder)
        client = mlflow.MlflowClient(server.uri)
        found = only_run(client)
        assert (store.uri, store.sent.run_id) == (server.uri, found.info.run_id)
        assert (store.sent.versions, store.sent.missing) == ({"small": "1"}, ())
        assert found.info.status == "FINISHED"
        assert_steps(client, found.info.run_id, 300)
        assert [file.path for file in client.list_artifacts(found.info.run_id, "pictures")] == [
            "pictures/curves.png"
        ]
        (version,) = client.search_model_versions("name = 'small'")
        assert (version.version, version.run_id) == ("1", found.info.run_id)
    mlflow.set_tracking_uri(server.uri)
    assert holo_vae.load("models:/small/1").digest == model.digest


def test_a_file_that_is_gone_is_named(tmp_path: Path, recipe: Recipe, data: RunData) -> None:
    with tracking.start_run(tmp_path, "small", recipe, data) as run:
        run.log_file(tmp_path / "gone.html")
        log_steps(run, 0, 3)
    assert run.note is not None
    assert "gone.html" in run.note
    client = mlflow.MlflowClient(tracking.tracking_uri(tmp_path))
    assert_steps(client, only_run(client).info.run_id, 3)
