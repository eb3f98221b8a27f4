"""Run folders from somebody else: what they name is neither read, sent, overwritten nor deleted."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest

from holo_types import FormatError, HoloError
from holo_vae.cli.program import main
from holo_vae.networks.registry import place_beside
from holo_vae.tracking.journal import (
    File,
    Journal,
    LoggedModel,
    Metrics,
    Parameters,
    RunStart,
    Status,
    journals,
    read_journal,
)
from holo_vae.tracking.sender import send_journals
from holo_vae.tracking.store import Store

START = RunStart("foreign", None, "key", 1, {"user": "nobody"})
END = Status("FINISHED", 3)


@pytest.fixture(autouse=True)
def no_store(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield
    mlflow.set_tracking_uri(None)
    os.environ.pop("MLFLOW_TRACKING_URI", None)


@pytest.fixture
def victim(tmp_path):
    """Return a folder of the user's, which must stay as it is."""
    folder = tmp_path / "home" / "my_model"
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}\n")
    (folder.parent / "token").write_text("secret")  # without a newline, as tokens are kept
    yield folder
    assert (folder / "MLmodel").read_text() == "flavors: {}\n"
    assert (folder.parent / "token").read_text() == "secret"


def run_with(tmp_path: Path, *entries: object, start: RunStart = START) -> Path:
    journal = Journal(tmp_path / "run" / "tracking" / "1" / "journal.jsonl")
    for entry in (start, *entries, END):
        journal.append(entry)  # type: ignore[arg-type]
    journal.close()
    return tmp_path / "run"


def secrets_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and b"secret" in path.read_bytes()]


OUTSIDE = ("../../home/token", "tracking/../../home/token", "{home}/token", "..", ".", "/etc/hostname", "")


@pytest.mark.parametrize("path", OUTSIDE)
def test_files_outside_the_run_are_not_sent(tmp_path, victim, path, capsys):
    run = run_with(tmp_path, File(path.format(home=victim.parent), None))
    assert main(["track", str(run)]) == 1
    error = capsys.readouterr().err
    assert "leads out of" in error
    assert "Traceback" not in error
    assert not secrets_in(run / "mlartifacts")


MODELS = (
    "../../home/my_model",
    "{home}/my_model",
    "tracking",
    "model",
    "tracking/1",
    ".",
    "tracking/1/pictures",
)


@pytest.mark.parametrize("path", MODELS)
def test_only_models_beside_the_journal_are_sent_and_deleted(tmp_path, victim, path):
    run = run_with(tmp_path, LoggedModel(path.format(home=victim.parent)))
    for name in ("model", "tracking/1/pictures"):
        (run / name).mkdir()
        (run / name / "MLmodel").write_text("flavors: {}\n")
    with pytest.raises(FormatError, match=r"leads out of|must lie beside the journal"):
        send_journals(run)
    assert (run / "model" / "MLmodel").exists()
    assert (run / "tracking" / "1" / "pictures" / "MLmodel").exists()


LINKS = {
    "a file": ("evaluation.json", "token"),
    "the journal": ("tracking/2/journal.jsonl", "token"),
    "the record of what was sent": ("tracking/1/sent.json", "token"),
    "the artifacts": ("mlartifacts", "my_model"),
    "a part of a model": ("tracking/1/model-0/data", "my_model"),
    "a folder of tracking": ("tracking/3", "my_model"),
}


@pytest.mark.parametrize(("name", "target"), LINKS.values(), ids=LINKS)
def test_a_run_folder_with_links_is_refused(tmp_path, victim, name, target):
    run = run_with(tmp_path, File("evaluation.json", None))
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    (run / name).symlink_to(victim.parent / target)
    with pytest.raises(FormatError, match=r"is a link; .* may contain only files and folders of its own"):
        send_journals(run)


def test_the_address_that_a_folder_names_is_not_contacted(tmp_path, monkeypatch, capsys):
    address = "http://attacker.example:1"
    run = run_with(tmp_path, start=RunStart("foreign", address, "key", 1, {}))
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "token")
    monkeypatch.setattr(mlflow, "MlflowClient", lambda *given, **named: pytest.fail("a store was opened"))
    assert main(["track", str(run)]) == 1
    assert (
        f"its run is tracked at {address}; set MLFLOW_TRACKING_URI to that address" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    "location", ["file:///elsewhere", "s3://bucket/a", "file:///x/mlartifacts/../../home"]
)
def test_artifacts_outside_the_folder_are_refused(tmp_path, location):
    run = run_with(tmp_path)
    send_journals(run)
    with sqlite3.connect(run / "mlflow.db") as database:
        database.execute("UPDATE runs SET artifact_uri = ?", (location,))
    (run / "report.html").write_text("report")
    journal = Journal(journals(run)[0])
    journal.append(File("report.html", None))
    journal.close()
    with pytest.raises(HoloError, match="they must lie in the folder of the run"):
        send_journals(run)
    assert place_beside(location, f"sqlite:///{run}/mlflow.db") is None


def test_a_copy_keeps_its_artifacts_and_leaves_those_of_the_original(tmp_path):
    run = run_with(tmp_path)
    send_journals(run)
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    (copy / "report.html").write_text("report")
    journal = Journal(journals(copy)[0])
    journal.append(File("report.html", "reports"))
    journal.close()
    send_journals(copy)
    assert [path.parent.name for path in (copy / "mlartifacts").rglob("report.html")] == ["reports"]
    assert not list(run.rglob("report.html"))


def _remove(database: Path) -> None:
    database.unlink()


def _empty(database: Path) -> None:
    database.write_bytes(b"")


@pytest.mark.parametrize("lose", [_remove, _empty], ids=["removed", "empty"])
def test_a_store_that_lost_the_run_gets_it_again(tmp_path, lose: Callable[[Path], None]):
    values = {"loss": 0.5}
    run = run_with(tmp_path, Parameters({"training.epochs": "3"}), Metrics(2, 7, values))
    (before,) = send_journals(run)
    copy = Path(shutil.copytree(run, tmp_path / "copy"))  # since MLflow keeps connections to a database
    lose(copy / "mlflow.db")
    (after,) = send_journals(copy)
    found = after.client.get_run(after.sent.run_id)
    assert found.data.metrics == values
    assert found.data.params == {"training.epochs": "3"}
    assert found.info.status == "FINISHED"
    assert after.sent.offset == before.sent.offset


def test_a_damaged_store_is_named(tmp_path):
    run = run_with(tmp_path, Metrics(2, 7, {"loss": 0.5}))
    send_journals(run)
    (run / "mlflow.db").write_bytes(b"no database " * 1000)
    with pytest.raises(HoloError, match="cannot be sent to sqlite"):
        send_journals(run)


def test_another_server_that_does_not_know_the_run_gets_nothing(tmp_path, monkeypatch):
    run = run_with(
        tmp_path, Metrics(2, 7, {"loss": 0.5}), start=RunStart("foreign", "http://lost:1", "key", 1, {})
    )
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'one.db'}")
    send_journals(run)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'two.db'}")
    with pytest.raises(HoloError, match="not found"):
        send_journals(run)


def test_a_model_description_that_unpacks_without_limits_is_refused(tmp_path):
    run = run_with(tmp_path, LoggedModel("tracking/1/model-0"))
    folder = run / "tracking" / "1" / "model-0"
    folder.mkdir()
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]"
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    (folder / "MLmodel").write_text("\n".join(lines))
    with pytest.raises(HoloError, match="values; it may have at most"):
        send_journals(run)


@pytest.mark.parametrize(
    "line", [b"x" * 100_000_000, b'{"entry": "Metrics", "time": 1.9, "step": "3", "values": {}}\n']
)
def test_lines_that_no_journal_has(tmp_path, line):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(line + b"\n")
    with pytest.raises(
        FormatError, match=r"is not an entry of a journal, or is damaged|is longer than any entry"
    ):
        list(read_journal(path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
def test_journals_that_are_no_files(tmp_path):
    path = tmp_path / "tracking" / "1" / "journal.jsonl"
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    for read in (Journal, lambda path: list(read_journal(path)), lambda path: Store(path, tmp_path).uri):
        with pytest.raises(FormatError, match="is a pipe; it must be a regular file"):
            read(path)
    with pytest.raises(FormatError, match="is not a regular file"):
        journals(tmp_path)
