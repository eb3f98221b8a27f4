"""Both services as a lab operates them, with real PostgreSQL, users, proxy and cluster queue.

Run it with ``nox -s services``. Tests of programs that are not installed are skipped, and say what to install.
"""

import base64
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from string import Template

import attrs
import mlflow
import numpy as np
import pytest
from mlflow.exceptions import MlflowException

import holo_types
from holo_types import Basis, Holograms, Zernike
from holo_vae import (
    HolographicAutoencoder,
    Model,
    ModelConfig,
    Recipe,
    TrainingConfig,
    write_model,
    write_recipe,
)
from holo_vae.serving.holograms import encode_coefficients

SERVICES = Path(__file__).parents[1]
PATIENCE = 900.0  # seconds, however busy the machine is
ADMIN, USER = ("admin", "a password of admins"), ("ada", "a password of clients")
BASIS = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N"))
SMALL = ModelConfig(basis=BASIS, latent_dim=6, lmax=(2, 1), channels=(6, 8), initial_projection=6)

POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
needs_postgres = pytest.mark.skipif(POSTGRES is None, reason="PostgreSQL is not here: apt install postgresql")
needs_nginx = pytest.mark.skipif(
    shutil.which("nginx") is None, reason="nginx is not here: apt install nginx-light"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(happened: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, what
        time.sleep(0.2)


@contextlib.contextmanager
def running(
    command: Sequence[str | Path], log: Path, variables: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program while it is used, after which it must end on SIGTERM."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(map(str, command)), env={**os.environ, **variables}, stdout=output, stderr=output
        )
    try:
        yield process
        process.terminate()
        assert process.wait(PATIENCE) in (0, -signal.SIGTERM), log.read_text()
    finally:
        process.kill()
        process.wait()


def status_of(
    url: str,
    user: tuple[str, str] | None = None,
    context: ssl.SSLContext | None = None,
    body: bytes | None = None,
) -> int:
    headers = {"Content-Type": "application/json"} if body else {}
    if user is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(user).encode()).decode()
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, body, headers), timeout=60, context=context
        ) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def answers(url: str, process: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    with contextlib.suppress(OSError):
        return status_of(url) == 200
    return False


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """Run PostgreSQL, and yield the address of an empty database."""
    assert POSTGRES is not None
    # It refuses to run as root.
    as_other = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp())
    if as_other:
        shutil.chown(folder, **as_other)
    port = free_port()
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
    (folder / "password").write_text("secret\n")
    (folder / "password").chmod(0o644)
    try:
        for command in (
            ["initdb", "--pgdata", folder / "data", "--username", "mlflow", "--auth", "scram-sha-256",
             "--pwfile", folder / "password"],
            ["pg_ctl", "--pgdata", folder / "data", "--options", options, "--log", folder / "log", "--wait", "start"],
            ["createdb", "--host", "127.0.0.1", "--port", str(port), "--username", "mlflow", "tracking"],
        ):  # fmt: skip
            done = subprocess.run(
                [POSTGRES / str(command[0]), *command[1:]],
                env={**os.environ, "PGPASSWORD": "secret"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                cwd=folder,
                **as_other,  # type: ignore[call-overload]
            )
            assert not done.returncode, done.stderr
        yield f"postgresql://mlflow:secret@127.0.0.1:{port}/tracking"
    finally:
        stop = [POSTGRES / "pg_ctl", "--pgdata", folder / "data", "--mode", "immediate", "stop"]
        subprocess.run(stop, stdout=subprocess.DEVNULL, check=False, cwd=folder, **as_other)  # type: ignore[call-overload]
        shutil.rmtree(folder)


@attrs.frozen
class Tracking:
    """A tracking server with users."""

    url: str
    log: Path


@pytest.fixture(scope="module")
def tracking(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracking]:
    """Run the tracking server on PostgreSQL, with users."""
    folder = tmp_path_factory.mktemp("tracking")
    users = folder / "users.ini"
    users.write_text(
        "[mlflow]\ndefault_permission = NO_PERMISSIONS\n"
        f"database_uri = {database}\nadmin_username = {ADMIN[0]}\nadmin_password = {ADMIN[1]}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    port, log = free_port(), folder / "server.log"
    variables = {
        "HOLO_TRACKING_STORE": database,
        "HOLO_TRACKING_USERS": str(users),
        "HOLO_TRACKING_FOLDER": str(folder),
        "HOLO_TRACKING_PORT": str(port),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "a key of this test",
    }
    with running([sys.executable, SERVICES / "tracking" / "server.py"], log, variables) as process:
        until(lambda: answers(f"http://127.0.0.1:{port}/health", process, log), "the tracking server answers")
        yield Tracking(f"http://127.0.0.1:{port}", log)


def as_user(patch: pytest.MonkeyPatch, url: str, user: tuple[str, str]) -> mlflow.MlflowClient:
    patch.setenv("MLFLOW_TRACKING_USERNAME", user[0])
    patch.setenv("MLFLOW_TRACKING_PASSWORD", user[1])
    patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return mlflow.MlflowClient(url)


@needs_postgres
def test_runs_are_in_postgres_and_only_users_see_them(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    client = as_user(monkeypatch, tracking.url, ADMIN)
    experiment = client.create_experiment("mine")
    run = client.create_run(experiment).info.run_id
    client.log_metric(run, "loss", 0.25)
    client.set_terminated(run)
    assert client.get_run(run).data.metrics == {"loss": 0.25}
    for user in ((ADMIN[0], "another password"), ("nobody", ADMIN[1])):
        with pytest.raises(MlflowException, match=r"401|not authenticated|credentials"):
            as_user(monkeypatch, tracking.url, user).get_run(run)
    counted = subprocess.run(
        [POSTGRES / "psql", database, "--tuples-only", "--command", "select value from metrics"],  # type: ignore[operator]
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(counted.stdout) == 0.25
    assert "secret" not in tracking.log.read_text()


@pytest.fixture(scope="module")
def proxy(
    tracking: Tracking, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str, ssl.SSLContext]]:
    """Run the service, and nginx in front of both; yield the addresses of the service and of the tracking server."""
    folder = tmp_path_factory.mktemp("proxy")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    run = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost")
    name = ("-addext", "subjectAltName=DNS:localhost", "-out", certificate, "-keyout", key)
    subprocess.run([*run, *map(str, name)], capture_output=True, check=True)
    hashed = subprocess.run(
        ["openssl", "passwd", "-apr1", USER[1]], capture_output=True, text=True, check=True
    )
    (folder / "clients").write_text(f"{USER[0]}:{hashed.stdout}")
    write_model(Model(HolographicAutoencoder(SMALL).eval(), "small"), folder / "model")
    serving, outside, inside = free_port(), free_port(), free_port()
    settings = {
        "HOLO_SERVING_ADDRESS": f"127.0.0.1:{serving}",
        "HOLO_TRACKING_ADDRESS": tracking.url.removeprefix("http://"),
        "HOLO_SERVING_LISTEN": f"127.0.0.1:{outside}",
        "HOLO_TRACKING_LISTEN": f"127.0.0.1:{inside}",
        "HOLO_SERVING_NAME": "localhost",
        "HOLO_TRACKING_NAME": "localhost",
        "HOLO_CERTIFICATE": str(certificate),
        "HOLO_CERTIFICATE_KEY": str(key),
        "HOLO_USERS": str(folder / "clients"),
    }
    # As the image does: only what is set is put in, all other $ are nginx's own.
    text = Template((SERVICES / "proxy" / "holo.conf.template").read_text()).safe_substitute(settings)
    temporary = "".join(
        f"{each}_temp_path {folder}/{each};\n"
        for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""  # the folder is ours alone
    (folder / "nginx.conf").write_text(
        f"{user}\ndaemon off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n{temporary}{text}\n}}\n"
    )
    folder.chmod(0o755)
    context = ssl.create_default_context(cafile=str(certificate))
    commands = [
        sys.executable,
        "-m",
        "holo_vae",
        "serve",
        "--model",
        folder / "model",
        "--port",
        str(serving),
    ]
    with (
        running([*commands, "--workers", "1"], folder / "serving.log", {}) as service,
        running(
            ["nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"], folder / "nginx.log", {}
        ) as nginx,
    ):
        until(
            lambda: answers(f"http://127.0.0.1:{serving}/ready", service, folder / "serving.log"),
            "it is ready",
        )
        assert nginx.poll() is None, (folder / "nginx.log").read_text()
        yield f"https://localhost:{outside}", f"https://localhost:{inside}", context


@needs_postgres
@needs_nginx
def test_the_proxy_asks_who_is_there(
    proxy: tuple[str, str, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, tracking, context = proxy
    rows = np.random.default_rng(0).normal(size=(2, BASIS.dim)).astype(np.float32)
    row = {"holograms": encode_coefficients(rows), "basis": BASIS.digest}
    body = json.dumps({"dataframe_records": [row]}).encode()
    page = f"{serving}/invocations"
    assert status_of(page, USER, context, body) == 200
    assert status_of(page, None, context, body) == 401
    assert status_of(page, (USER[0], "another"), context, body) == 401
    assert status_of(f"{serving}/metrics", USER, context) == 404
    assert status_of(f"{serving}/version", USER, context) == 200
    with pytest.raises(urllib.error.URLError):  # it speaks TLS only, with a certificate that must be known
        status_of(f"{serving}/version", USER)
    experiments = "/api/2.0/mlflow/experiments/search?max_results=5"
    assert status_of(f"{tracking}{experiments}", ADMIN, context) == 200
    assert status_of(f"{tracking}{experiments}", (ADMIN[0], "another"), context) == 401
    assert status_of(f"{tracking}{experiments}", None, context) == 401


# A training on a cluster


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_a_training_goes_on_where_it_was_requeued(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(200, BASIS.dim)).astype(np.float32)
    rows = Holograms(values, BASIS, {"structure": [f"s{row % 8}" for row in range(200)]})
    holo_types.save(rows, tmp_path / "data.h5")
    recipe = Recipe(model=SMALL, training=TrainingConfig(epochs=30, batch_size=8, validation_fraction=0.25))
    write_recipe(recipe, tmp_path / "recipe.yaml")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, line in {
        "holo-vae": f'exec "{sys.executable}" -m holo_vae "$@"',
        "scontrol": f'echo "$@" >> "{tmp_path}/requeued"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    variables = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "HOLO_DATA": str(tmp_path / "data.h5"),
        "HOLO_OUT": str(tmp_path / "run"),
        "HOLO_OPTIONS": f"--recipe {tmp_path / 'recipe.yaml'}",
        "SLURM_JOB_ID": "17",
    }
    script = ["bash", str(SERVICES / "training" / "train.sbatch")]
    job = subprocess.Popen(script, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    history = tmp_path / "run" / "history.csv"
    try:
        until(lambda: history.exists() or job.poll() is not None, "the first epoch is over")
    finally:
        job.terminate()
    said = job.communicate(timeout=PATIENCE)[0].decode()
    assert job.returncode == 0, said
    assert (tmp_path / "requeued").read_text() == "requeue 17\n", said
    before = len(history.read_text().splitlines())
    assert before < 31
    done = subprocess.run(
        script, env=variables, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(history.read_text().splitlines()) == 31
    assert (tmp_path / "run" / "model" / "model.json").exists()
    assert (tmp_path / "requeued").read_text() == "requeue 17\n"


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not here: apt install systemd"
)
def test_systemd_knows_all_that_the_units_say(tmp_path: Path) -> None:
    units = sorted(SERVICES.glob("*/*.service"))
    assert len(units) == 2
    for unit in units:
        # Where they are to be installed there is nothing here.
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.M)
        (tmp_path / unit.name).write_text(text)
    verify = ["systemd-analyze", "verify", *(str(tmp_path / unit.name) for unit in units)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        (
            {"HOLO_TRACKING_PORT": "many"},
            "HOLO_TRACKING_PORT or --port is 'many'; it must be an integer from 1",
        ),
        (
            {"HOLO_TRACKING_STOR": "x"},
            "HOLO_TRACKING_STOR is not a setting of the tracking server; HOLO_TRACKING_STORE is",
        ),
        ({"HOLO_TRACKING_USERS": "none"}, "HOLO_TRACKING_USERS or --users is 'none'; there is no such file"),
    ],
)
def test_a_wrong_setting_is_one_line(variables: dict[str, str], line: str) -> None:
    command = [sys.executable, str(SERVICES / "tracking" / "server.py")]
    done = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert line in done.stderr
