"""The density of a hologram, chosen by the name of its residue."""

from pathlib import Path

import gemmi
import numpy as np
import pytest

import holo_types
from holo_features.cli.program import main
from holo_types import Basis, Holograms, Zernike

CENTERS = np.array([[1.0, 2.0, 3.0], [20.0, -10.0, 5.0], [0.0, 0.0, 0.0]])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    basis = Basis(lmax=1, radial=Zernike(nmax=2, cutoff=4.0), channels=("C",))
    index = {"chain": ["A", "A", "A"], "residue_number": [5, 6, 6], "insertion_code": ["", "", "B"]}
    rows = np.random.default_rng(0).normal(size=(3, basis.dim))
    holo_types.save(Holograms(rows, basis, index, centers=CENTERS), tmp_path / "h.h5")
    return tmp_path / "h.h5"


def density(file: Path, *options: str) -> int:
    out = file.with_name("map.ccp4")
    return main(["density", str(file), "--channel", "C", "--out", str(out), *options])


def test_a_residue_lies_where_it_is_in_its_structure(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert density(file, "--residue", "A:6B") == 0
    assert "of row 2" in capsys.readouterr().out
    assert density(file, "--residue", "A:6") == 0
    grid = gemmi.read_ccp4_map(str(file.with_name("map.ccp4")))
    start = np.array([grid.header_float(word) for word in (50, 51, 52)])
    np.testing.assert_allclose(start, CENTERS[1] - 4.0, atol=0.5)  # the corner of a cube around the ball


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--residue", "A:7"], 1, "has no hologram about it"),
        (["--residue", "A:5", "--row", "0"], 1, "--row and --residue are both given"),
        (["--residue", "A:5,6"], 2, "it must be one residue"),
        (["--row", "3"], 1, "has 3 holograms"),
    ],
)
def test_what_is_not_there_is_told(file, options, status, message, capsys) -> None:
    assert density(file, *options) == status
    assert message in capsys.readouterr().err


def test_a_name_that_several_structures_have_needs_a_row(file: Path, capsys) -> None:
    rows = holo_types.load(file, kind=Holograms)
    holo_types.save(rows[np.array([0, 0, 1])], file)
    assert density(file, "--residue", "A:5") == 1
    assert "2 holograms about residues of that name, in rows 0, 1: give --row" in capsys.readouterr().err
