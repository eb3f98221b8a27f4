"""Start the MLflow tracking and registry server with a database, a folder of artifacts and optional users.

Each setting is an environment variable and an option; docs/guides/training.md lists them.
"""

import argparse
import difflib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PREFIX = "HOLO_TRACKING_"
SETTINGS = {
    "folder": ("tracking", "contains artifacts/ (models, pictures) and, if no store is given, mlflow.db"),
    "host": ("127.0.0.1", "the address it listens on"),
    "port": ("5000", "the port it listens on"),
    "workers": ("1", "number of processes that answer"),
    "store": (
        "",
        "the database, such as postgresql://USER:PASSWORD@HOST/NAME; by default mlflow.db in the folder",
    ),
    "users": (
        "",
        "file with MLflow's settings of users, see basic_auth.ini there; by default there are no users",
    ),
}


def settings_of(arguments: Sequence[str], variables: Mapping[str, str]) -> argparse.Namespace:
    """Read the settings, where an option takes precedence over its variable."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    known = [PREFIX + name.upper() for name in SETTINGS]
    for name in variables:
        if name.startswith(PREFIX) and name not in known:
            close = difflib.get_close_matches(name, known, 1, cutoff=0)[0]
            sys.exit(f"{name} is not a setting of the tracking server; {close} is")
    for name, (default, text) in SETTINGS.items():
        variable = PREFIX + name.upper()
        shown = f"{text} [{variable}, default: {default or 'none'}]"
        parser.add_argument(f"--{name}", default=variables.get(variable, default), help=shown)
    settings = parser.parse_args(arguments)
    for name, most in (("port", 65_535), ("workers", 1024)):
        text = getattr(settings, name)
        if not (text.isdecimal() and 1 <= int(text) <= most):
            sys.exit(
                f"{PREFIX}{name.upper()} or --{name} is {text!r}; it must be an integer from 1 to {most}"
            )
    if settings.users and not Path(settings.users).is_file():
        sys.exit(f"{PREFIX}USERS or --users is {settings.users!r}; there is no such file")
    return settings


def command(settings: argparse.Namespace) -> list[str]:
    """Return the command that serves a folder, without the database, whose address contains a password."""
    return [
        *(sys.executable, "-m", "mlflow", "server", "--host", settings.host, "--port", settings.port),
        *("--workers", settings.workers),
        *("--artifacts-destination", Path(settings.folder, "artifacts").resolve().as_uri()),
        *(("--app-name", "basic-auth") if settings.users else ()),
    ]


def environment(settings: argparse.Namespace, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment, which disables the seven processes that MLflow would start for language models."""
    store = settings.store or f"sqlite:///{Path(settings.folder, 'mlflow.db').resolve()}"
    own = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_BACKEND_STORE_URI": store}
    users = {"MLFLOW_AUTH_CONFIG_PATH": str(Path(settings.users).resolve())} if settings.users else {}
    # MLflow starts programs of this Python through the shell, which must find them.
    path = os.pathsep.join([str(Path(sys.executable).parent), variables.get("PATH", "")])
    return {**own, **users, **variables, "PATH": path}


def main() -> int:
    """Serve until stopped by Ctrl-C or SIGTERM."""
    settings = settings_of(sys.argv[1:], os.environ)
    Path(settings.folder).mkdir(parents=True, exist_ok=True)
    print(
        f"tracking server: http://{settings.host}:{settings.port}, artifacts in {settings.folder}", flush=True
    )
    server = subprocess.Popen(
        command(settings), env=environment(settings, os.environ), start_new_session=True
    )

    def end(number: int, _: object) -> None:
        os.killpg(server.pid, number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    status = server.wait()
    return 0 if status in (-signal.SIGTERM, -signal.SIGINT) else status


if __name__ == "__main__":
    sys.exit(main())
