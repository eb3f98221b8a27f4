"""Perform the steps of a Dockerfile in fresh folders, on a machine without a container engine.

Each stage is a folder of its own, with a virtual environment in place of the image's Python. Files are copied and
commands are run there. Commands that would change the machine (users) are reported and left out. At the end the program
of the image is started, must pass the image's health check, and must end on SIGTERM.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 600
PORT = re.compile(r":(\d{4})/")


def instructions(dockerfile: Path) -> Iterator[tuple[str, str]]:
    """Return the instructions of a Dockerfile, each as one line."""
    lines = [line for line in dockerfile.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield name.upper(), rest.strip()


class Stage:
    """A stage of an image: a folder in place of its root, and its variables."""

    def __init__(self, root: Path) -> None:
        self.root, self.folder = root, root
        (root / "var" / "lib").mkdir(parents=True)  # as Debian's images have it
        subprocess.run([sys.executable, "-m", "venv", str(root / "python")], check=True)
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HOLO"))
        }
        path = os.pathsep.join([str(root / "python" / "bin"), os.environ["PATH"]])
        self.variables = {**inherited, "PATH": path, "VIRTUAL_ENV": str(root / "python")}

    def inside(self, path: str) -> Path:
        """Return the path on this machine for a path of the image."""
        return self.root / path.lstrip("/") if path.startswith("/") else self.folder / path

    def run(self, command: str) -> None:
        """Run a command as the image's shell would, without the commands that change the machine."""
        parts = [part for part in command.split(" && ") if not part.lstrip().startswith(("useradd", "chown"))]
        if len(parts) < len(command.split(" && ")):
            print("  left out: users")
        moved = re.sub(r"(?<=\s)/(?=var/)", f"{self.root}/", " && ".join(parts))
        if moved:
            bash = ["bash", "-ec", moved]  # as a container's shell does
            subprocess.run(bash, cwd=self.folder, env=self.variables, check=True)

    def copy(self, source: Path, words: list[str]) -> None:
        """Copy files of the repository or of another stage."""
        *names, target = words
        for name in names:
            path = source / name.lstrip("/")
            to = self.inside(target)
            if path.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "*.so", "dist", ".nox")
                shutil.copytree(path, to, ignore=ignored, dirs_exist_ok=True)
            else:
                to = to / path.name if target.endswith("/") else to
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, to)


def rehearse(dockerfile: Path, folder: Path) -> None:
    """Perform all steps, then start the program and end it."""
    stages: dict[str, Stage] = {}
    health, program = [""], [""]
    for name, rest in instructions(dockerfile):
        print(f"{name} {rest}"[:150], flush=True)
        words = shlex.split(rest)
        if name == "FROM":
            stage = Stage(folder / str(len(stages)))
            stages[words[2] if len(words) > 1 else "last"] = stage
        elif name == "WORKDIR":
            stage.folder = stage.inside(rest)
            stage.folder.mkdir(parents=True, exist_ok=True)
        elif name == "ENV":
            settings = dict(word.split("=", 1) for word in words)
            folders = {k: str(stage.inside(v)) if v.startswith("/") else v for k, v in settings.items()}
            stage.variables.update(folders)
        elif name == "COPY":
            other = words[0].removeprefix("--from=") if words[0].startswith("--from=") else None
            stage.copy(stages[other].root if other else ROOT, words[1:] if other else words)
        elif name == "RUN":
            stage.run(rest)
        elif name == "HEALTHCHECK":
            health = json.loads(rest.partition("CMD ")[2])
        elif name == "ENTRYPOINT":
            program = json.loads(rest)
    start(stage, program, health)


def start(stage: Stage, program: list[str], health: list[str]) -> None:
    """Start the program at a free port, wait until it is healthy, and end it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    check = [PORT.sub(f":{port}/", word) for word in health]
    prefix = "HOLO_TRACKING_" if "server.py" in program else "HOLO_SERVING_"
    variables = {**stage.variables, f"{prefix}PORT": port, f"{prefix}HOST": "127.0.0.1"}
    (stage.root / "tmp").mkdir(exist_ok=True)
    began = time.monotonic()
    process = subprocess.Popen([shutil.which(program[0], path=variables["PATH"]) or program[0], *program[1:]],
                               cwd=stage.folder, env=variables)  # fmt: skip
    try:
        python = [str(stage.root / "python" / "bin" / "python"), *check[1:]]
        while subprocess.run(python, env=variables, stderr=subprocess.DEVNULL, check=False).returncode:
            if process.poll() is not None or time.monotonic() - began > PATIENCE:
                sys.exit(f"{' '.join(program)}: is not healthy")
            time.sleep(1)
        print(f"healthy after {time.monotonic() - began:.0f} s", flush=True)
        process.send_signal(signal.SIGTERM)
        status = process.wait(PATIENCE)
        if status not in (0, -signal.SIGTERM):
            sys.exit(f"{' '.join(program)}: ended with status {status} on SIGTERM")
        print(f"ended with status {status}", flush=True)
    finally:
        process.kill()


def main() -> None:
    """Rehearse the given Dockerfiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dockerfiles", nargs="+", type=Path)
    for dockerfile in parser.parse_args().dockerfiles:
        with tempfile.TemporaryDirectory() as folder:
            rehearse(dockerfile, Path(folder))


if __name__ == "__main__":
    main()
