"""A logged model brings what it takes to run it: wheels that are whole, and the versions of all else."""

import base64
import csv
import hashlib
import io
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from holo_vae.serving.packing import pack, pinned


@pytest.fixture(scope="module", name="packed")
def _packed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("packed")
    return folder, pack(folder)


def test_what_is_asked_for_is_here_or_has_a_version(packed: tuple[Path, list[str]]) -> None:
    folder, lines = packed
    wheels = [line for line in lines if line.endswith(".whl")]
    assert {line.partition("-")[0] for line in wheels} == {
        f"wheels/holo_{name}" for name in ("features", "kernels", "nn", "types", "vae")
    }
    assert all((folder / line).is_file() for line in wheels)
    others = [Requirement(line) for line in lines if line not in wheels]
    assert not [each for each in others if each.name.startswith("holo")]
    for each in others:
        (bound,) = each.specifier
        assert bound.operator == "=="
        assert "+" not in bound.version  # torch's +cpu is in no index
        assert version(each.name).partition("+")[0] == bound.version
    assert {"torch", "mlflow", "biotite", "numpy", "h5py", "uvicorn"} <= {each.name for each in others}
    assert "scikit-learn" in {each.name for each in others}  # that mlflow needs, and we do not


def test_the_wheels_are_whole_and_hold_no_other_models(packed: tuple[Path, list[str]]) -> None:
    folder, _ = packed
    for path in (folder / "wheels").iterdir():
        with zipfile.ZipFile(path) as wheel:
            names = wheel.namelist()
            (record,) = (name for name in names if name.endswith(".dist-info/RECORD"))
            rows = list(csv.reader(io.StringIO(wheel.read(record).decode())))
            assert {name for name, _, _ in rows} == set(names)
            for name, digest, _ in rows:
                if name != record:
                    given = hashlib.sha256(wheel.read(name)).digest()
                    assert digest == f"sha256={base64.urlsafe_b64encode(given).decode().rstrip('=')}"
            assert not [name for name in names if name.endswith((".pyc", ".safetensors"))]
        assert path.stat().st_size < 2_000_000
    with zipfile.ZipFile(next((folder / "wheels").glob("holo_vae-*"))) as wheel:
        assert {"holo_vae/__init__.pyi", "holo_vae/shipped/tripeptide.pdb"} < set(wheel.namelist())


def test_code_runs_from_the_wheels(packed: tuple[Path, list[str]], tmp_path: Path) -> None:
    for path in (packed[0] / "wheels").iterdir():
        with zipfile.ZipFile(path) as wheel:
            wheel.extractall(tmp_path)
    script = "import sys; sys.path.insert(0, sys.argv[1]); import holo_types, holo_kernels; print(holo_types.__file__)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(str(tmp_path))


def test_what_an_extra_brings_is_pinned_where_it_is_asked_for() -> None:
    plain, more = (pinned(Requirement(name))[1] for name in ("holo-types", "holo-types[table]"))
    assert not [line for line in plain if line.startswith("pandas")]
    assert [line for line in more if line.startswith("pandas")] == [f"pandas=={version('pandas')}"]
