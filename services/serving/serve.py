"""Start the embedding service: structures in, one row per residue out, by MLflow's scoring server.

The settings are environment variables; services/serving/README.md lists them.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def command(model: str, host: str, port: int, workers: int = 1) -> list[str]:
    """Give the command that serves a registered model from the environment it is called in."""
    return [
        *(sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", model, "--env-manager", "local"),
        *("--host", host, "--port", str(port), "--workers", str(workers)),
    ]


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Put this Python's folder first on the path: MLflow starts its server through the shell."""
    folder = str(Path(sys.executable).parent)
    return {**variables, "PATH": folder + os.pathsep + variables.get("PATH", "")}


def main() -> int:
    """Serve until stopped."""
    model = os.environ.get("HOLO_MODEL", "models:/holo-demo@champion")
    host = os.environ.get("HOLO_SERVING_HOST", "127.0.0.1")
    port = int(os.environ.get("HOLO_SERVING_PORT", "5001"))
    workers = int(os.environ.get("HOLO_SERVING_WORKERS", "1"))
    print(f"embedding service: {model} at http://{host}:{port}/invocations", flush=True)
    try:
        done = subprocess.run(command(model, host, port, workers), env=environment(os.environ), check=False)
    except KeyboardInterrupt:
        return 0
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
