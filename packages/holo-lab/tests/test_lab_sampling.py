"""``holo sample``, ``interpolate`` and ``traverse``: the file that holo-vae writes, and a picture beside it."""

from pathlib import Path

import attrs
import numpy as np
import pytest
from matplotlib.image import imread

from holo_lab.cli.program import main
from holo_lab.report.generated import draw_generated
from holo_types import Basis, Holograms, load, save
from holo_vae import Condition, ModelConfig, Recipe, initial_model, write_model
from holo_vae.cli.program import app as vae


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: Recipe, holograms: Holograms) -> Path:
    monkeypatch.chdir(tmp_path)
    condition = Condition(column="residue_name", categories=("ALA", "GLY", "SER"))
    assert isinstance(recipe.model, ModelConfig)
    model = attrs.evolve(recipe.model, variational=True, condition=condition)
    write_model(initial_model(attrs.evolve(recipe, model=model), 1.0, "small"), tmp_path / "model")
    save(holograms, tmp_path / "data.h5")
    return tmp_path


def _inches(path: Path) -> tuple[float, float]:
    height, width = imread(path).shape[:2]
    return width / 150, height / 150


def test_the_file_is_that_of_holo_vae_and_the_picture_has_a_row_for_each_line(folder: Path) -> None:
    for arguments, tiles in (
        (["sample", "model", "--count", "12"], (10, 3)),
        (["interpolate", "model", "data.h5:0", "data.h5:3", "--steps", "6"], (6, 1)),
        (["traverse", "model", "data.h5:0", "--dimensions", "1", "2", "--steps", "5"], (5, 2)),
    ):
        assert main([*arguments, "--out", "mine.h5"]) == 0
        vae([*arguments, "--out", "theirs.h5"], result_action="return_value")
        assert load("mine.h5") == load("theirs.h5")
        width, height = _inches(folder / "mine.png")
        assert (width // 1, height // 1) == (tiles[0] + (arguments[0] != "interpolate"), tiles[1])


def test_a_picture_of_a_sphere_is_bright_where_the_signal_is() -> None:
    """A function that grows along z is seen from its center with its brightest point in the middle."""
    basis = Basis(lmax=1, radial=None, channels=("image",))
    one = Holograms(np.array([[1.0, 0.0, 0.0, 1.0]]), basis)
    image, _ = draw_generated([("", one)]).axes[0].images  # and the key
    shades = np.asarray(image.get_array()).sum(axis=2)
    middle, rim = shades[46:50, 46:50].mean(), shades[46:50, 2:4].mean()
    assert middle > rim + 1


def test_refusals_draw_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", "model", "--class", "TRP", "--out", "none.h5"]) == 1
    assert "--class is TRP; it must be one of ALA, GLY, SER" in capsys.readouterr().err
    assert not list(folder.glob("none.*"))
