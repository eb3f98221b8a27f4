import subprocess
import sys

import numpy as np
import pytest

import holo_types
from holo_downstream.cli.program import main
from holo_types import Basis, Embeddings, Holograms, Index, ModelReference

BASIS = Basis(lmax=1, radial=None, channels=("image",))


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Embeddings whose first value is the label, and the holograms that they were made of."""
    random = np.random.default_rng(0)
    code = random.integers(2, size=120)
    index = Index(
        {
            "structure": np.repeat(["1abc", "2abc", "3abc", "4abc", "5abc", "6abc"], 20),
            "secondary_structure": np.array(["helix", "coil"])[code],
        }
    )
    z = code[:, None] + random.normal(scale=0.1, size=(120, 2))
    embeddings = Embeddings(z, np.zeros((120, 3, 3)), ModelReference("demo", "1", "", BASIS.digest), index)
    holograms = Holograms(random.normal(size=(120, 4)), BASIS, index)
    holo_types.save(embeddings, tmp_path / "embeddings.h5")
    holo_types.save(holograms, tmp_path / "holograms.h5")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_probe_shows_the_table_and_writes_it(files, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = files / "probe.csv"
    argv = [
        "probe",
        str(files / "embeddings.h5"),
        "--holograms",
        str(files / "holograms.h5"),
        "--out",
        str(out),
    ]
    assert main(argv) == 0
    screen = capsys.readouterr().out
    rows = [line for line in screen.splitlines() if line.startswith((" majority ", " l=0 ", " z "))]
    assert [line.split("[")[0].rsplit(maxsplit=1)[0].strip() for line in rows] == [
        "majority",
        "l=0 linear",
        "l=0 forest",
        "z linear",
        "z forest",
    ]
    assert all(len(line) <= 80 for line in rows)
    summary = screen.splitlines()[-1]
    assert summary.startswith("secondary_structure: 120 rows, 6 groups by structure")
    assert "z (linear) 1.000 [1.000, 1.000]" in summary
    assert len(out.read_text().splitlines()) == 6


def test_retrieve_shows_scores_and_writes_lists(files, capsys):
    index = Index(
        {
            "structure": ["test_perturbed/000001", "test_perturbed/000002", "x/000003"],
            "label": ["a", "a", "b"],
        }
    )
    z = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])
    holo_types.save(
        Embeddings(z, np.zeros((3, 3, 3)), ModelReference("m", "1", "", ""), index), files / "z.h5"
    )
    assert main(["retrieve", "z.h5", "--out", "lists"]) == 0
    micro, macro = (
        line.split() for line in capsys.readouterr().out.splitlines() if " 0." in line or " 1." in line
    )
    # By hand: of three rows each query gives back all; two of the class a, one of b.
    assert micro == ["micro", "0.556", "1.000", "0.700", "1.000", "1.000"]
    assert macro == ["macro", "0.500", "1.000", "0.650", "1.000", "1.000"]
    assert (files / "lists" / "000003").read_text().split()[::2] == ["000003", "000002", "000001"]


@pytest.mark.parametrize(
    ("argv", "status", "message"),
    [
        (["retrieve", "embeddings.h5"], 1, "no column 'label'"),
        (["probe", "absent.h5"], 1, "absent.h5"),
        (["probe", "holograms.h5"], 1, "holds Holograms; it must hold Embeddings"),
        (["probe", "embeddings.h5", "--holograms", "embeddings.h5"], 1, "it must hold Holograms"),
        (["probe", "embeddings.h5", "--target", "fold"], 1, "no column 'fold'; it has structure"),
        (["probe", "embeddings.h5", "--folds", "7"], 1, "6 groups for 7 folds"),
        (["probe", "embeddings.h5", "--out", "no/probe.csv"], 2, "no/probe.csv"),
        (["probe"], 2, "EMBEDDINGS"),
        (["probe", "embeddings.h5", "--folds", "many"], 2, "many"),
    ],
)
@pytest.mark.usefixtures("files")
def test_what_cannot_be_used_is_named(capsys, argv, status, message):
    assert main(argv) == status
    streams = capsys.readouterr()
    assert message in streams.err
    assert "Traceback" not in streams.err
    assert streams.out == ""


def test_importing_waits_neither_for_scikit_learn_nor_torch():
    code = "import sys, holo_downstream.cli.program; print(sorted({'sklearn', 'torch', 'pandas'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
