"""A run that is killed and resumed ends with the weights of one that was not, to the bit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).with_name("kill_and_resume.py")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the driver forks")
def test_twenty_kills_change_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(tmp_path), "20", "0"],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["equal"], report
    assert report["killed"] == 20, report
    assert report["in_writing"] >= 6
    assert report["half_written"] >= 6
    assert len(set(report["steps"])) > 5, "the kills must come at different steps"
    assert report["steps"] == sorted(report["steps"]), "no run may fall back"
    assert report["first_step_after"] == report["steps"][-1]
    assert report["left"] == [".json", ".safetensors"], "nothing half written may stay"
