"""Start the MLflow tracking and registry server: a sqlite store and a folder of artifacts.

The settings are environment variables; services/tracking/README.md lists them.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def command(folder: Path, host: str, port: int) -> list[str]:
    """Return the command that serves a folder."""
    return [
        *(sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
        *("--artifacts-destination", (folder / "artifacts").as_uri()),
    ]


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Leave out the seven processes that MLflow would start for jobs of language models."""
    return {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **variables}


def main() -> int:
    """Serve until stopped."""
    folder = Path(os.environ.get("HOLO_TRACKING_FOLDER", "tracking")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    host = os.environ.get("HOLO_TRACKING_HOST", "127.0.0.1")
    port = int(os.environ.get("HOLO_TRACKING_PORT", "5000"))
    print(f"tracking server: http://{host}:{port}, everything in {folder}", flush=True)
    try:
        done = subprocess.run(command(folder, host, port), env=environment(os.environ), check=False)
    except KeyboardInterrupt:
        return 0
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
