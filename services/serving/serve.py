"""Start the embedding service: structures or holograms in, one row per residue or hologram out.

It is MLflow's scoring server behind a guard (`holo_vae.serving.guard`). The settings are environment variables;
services/serving/README.md lists them.
"""

import os
import subprocess
import sys
from collections.abc import Mapping

from holo_types import HoloError
from holo_vae.serving.limits import Limits


def command(host: str, port: int, workers: int = 1) -> list[str]:
    """Return the command that serves the model that ``HOLO_MODEL`` names."""
    return [
        *(sys.executable, "-m", "uvicorn", "--factory", "holo_vae.serving.guard:create_app"),
        *("--host", host, "--port", str(port), "--workers", str(workers), "--no-access-log"),
    ]


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the service's environment: the caller's, with the model of proteins unless another is named."""
    return {"HOLO_MODEL": "microenvironment-z128", **variables}


def main() -> int:
    """Serve until stopped."""
    variables = environment(os.environ)
    try:
        Limits.from_environment(variables)
    except HoloError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    host = variables.get("HOLO_SERVING_HOST", "127.0.0.1")
    port = int(variables.get("HOLO_SERVING_PORT", "5001"))
    workers = int(variables.get("HOLO_SERVING_WORKERS", "1"))
    print(f"embedding service: {variables['HOLO_MODEL']} at http://{host}:{port}/invocations", flush=True)
    try:
        done = subprocess.run(command(host, port, workers), env=variables, check=False)
    except KeyboardInterrupt:
        return 0
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
