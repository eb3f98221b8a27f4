"""The regression tests turn red when something breaks: each break in a pytest process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

pytestmark = pytest.mark.regression


def _run(broken: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(HERE), "HOLO_BREAK": broken}
    command = [
        "-m",
        "pytest",
        "-q",
        "-p",
        "break_one_thing",
        "-m",
        "regression",
        str(HERE / "test_vae_regression.py"),
    ]
    return subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def test_nothing_broken_is_green() -> None:
    done = _run("")
    assert done.returncode == 0, done.stdout
    assert "8 passed" in done.stdout


@pytest.mark.parametrize(
    ("broken", "failing"),
    [
        ("clebsch-gordan", "test_the_model_is_equivariant"),
        ("sign", "test_the_embeddings_are_the_recorded_ones"),
        ("wigner", "test_the_model_is_equivariant"),
        ("weight", "test_the_embeddings_are_the_recorded_ones"),
        ("scale", "test_the_reconstruction_has_the_recorded_scale[compiled]"),
        ("pure sign", "test_the_embeddings_are_the_recorded_ones[pure]"),
    ],
)
def test_a_break_is_red(broken: str, failing: str) -> None:
    done = _run(broken)
    assert done.returncode == 1, done.stdout
    summary = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert any(f"::{failing}" in line for line in summary), done.stdout
    if broken == "pure sign":
        assert not any("[compiled]" in line for line in summary), done.stdout
