#!/usr/bin/env python3
"""Run nox on this repository, with nothing installed but Python 3.11 or newer.

``python3 start.py [nox arguments]`` makes a virtual environment in ``.start`` that holds the nox of
constraints.txt, the first time only, and then runs nox in it; the exit status is nox's. Without arguments
nox runs its default sessions, which are the tests. Only the standard library is used, and only syntax that
an older Python can read, so that it can say what is wrong.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
CONSTRAINTS = ROOT / "constraints.txt"
ENVIRONMENT = ROOT / ".start"
STAMP = ENVIRONMENT / "made-from.txt"


def why_not() -> str:
    """Say what this Python lacks; an empty text if it will do."""
    if sys.version_info < (3, 11):  # noqa: UP036  # the one place where an older Python is told so
        version = ".".join(map(str, sys.version_info[:3]))
        return f"this is Python {version} ({sys.executable}); Holo needs Python 3.11 or newer"
    try:
        import ensurepip  # noqa: F401, PLC0415
        import venv  # noqa: F401, PLC0415
    except ImportError as error:
        return (
            f"{sys.executable} cannot make virtual environments: its module {error.name} is missing; "
            "on Debian and Ubuntu, install the package python3-venv"
        )
    return ""


def recipe() -> str:
    """Tell what the environment is made from: nox's version and the Python under it."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line.startswith("nox==")]
    return f"{' '.join(pins)} Python {sys.version} {sys.base_prefix}\n"


def make(python: Path) -> None:
    """Make the environment anew, and stamp it when it is whole."""
    print(f"making {ENVIRONMENT.name}/, an environment for nox", file=sys.stderr, flush=True)
    # Standard output belongs to nox: a session's result may be read from it.
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)], check=True, stdout=sys.stderr)
    install = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    subprocess.run([*install, "--constraint", str(CONSTRAINTS), "nox"], check=True, stdout=sys.stderr)
    STAMP.write_text(recipe(), encoding="utf-8")


def main() -> int:
    """Make the environment where it is missing or outdated, and run nox in it."""
    complaint = why_not()
    if complaint:
        print(f"start.py: {complaint}", file=sys.stderr)
        return 2
    python = ENVIRONMENT / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    current = python.exists() and STAMP.exists() and STAMP.read_text(encoding="utf-8") == recipe()
    try:
        if not current:
            make(python)
        nox = [str(python), "-m", "nox", "--noxfile", str(ROOT / "noxfile.py"), *sys.argv[1:]]
        return subprocess.run(nox, check=False).returncode
    except subprocess.CalledProcessError as error:
        print(f"start.py: could not make {ENVIRONMENT}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
