"""``holo-vae sample``, ``interpolate`` and ``traverse``, beside what the functions of Python give."""

from pathlib import Path

import attrs
import numpy as np
import pytest
from numpy.typing import ArrayLike

from holo_types import Holograms, concatenate, load, save
from holo_vae import (
    Condition,
    Model,
    ModelConfig,
    Recipe,
    TrainingConfig,
    initial_model,
    interpolate,
    load as load_model,
    sample_fitted,
    sample_prior,
    traverse,
    write_model,
)
from holo_vae.cli.program import main


def _write(recipe: Recipe, name: str, *, variational: bool, condition: Condition | None = None) -> None:
    assert isinstance(recipe.model, ModelConfig)
    config = attrs.evolve(recipe.model, variational=variational, condition=condition)
    write_model(initial_model(Recipe(model=config, training=TrainingConfig()), 2.0, name), Path(name))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: Recipe, holograms: Holograms) -> Path:
    """Return a folder with an H-AE, an H-VAE, a conditional one, and rows of two classes."""
    monkeypatch.chdir(tmp_path)
    _write(recipe, "hae", variational=False)
    _write(recipe, "hvae", variational=True)
    _write(recipe, "cond", variational=True, condition=Condition(column="digit", categories=(3, 7)))
    columns: dict[str, ArrayLike] = {**holograms.index, "digit": [3, 7] * 40}
    save(attrs.evolve(holograms, index=columns), "data.h5")
    save(holograms[:1], "one.h5")
    return tmp_path


def _read(name: str) -> Holograms:
    return load(name, kind=Holograms)


def test_sample_writes_what_sample_prior_draws(folder: Path) -> None:
    assert main(["sample", "hvae", "--count", "4", "--seed", "5", "--out", "s.h5"]) == 0
    expected = sample_prior(load_model("hvae", Model), 4, seed=5)
    np.testing.assert_allclose(_read("s.h5").coefficients, expected.coefficients, atol=1e-6)

    assert main(["sample", "cond", "--class", "7", "--count", "4", "--out", "s.h5"]) == 0
    expected = sample_prior(load_model("cond", Model), 4, 7)
    np.testing.assert_allclose(_read("s.h5").coefficients, expected.coefficients, atol=1e-6)
    assert _read("s.h5").index["digit"].tolist() == [7] * 4

    assert main(["sample", "cond", "--count", "2", "--out", "s.h5"]) == 0
    assert _read("s.h5").index["digit"].tolist() == [3, 3, 7, 7]


def test_sample_draws_from_the_density_of_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = _read("data.h5")
    save(concatenate([rows, rows]), "twice.h5")
    assert main(["sample", "hae", "--fitted-to", "twice.h5", "--count", "4", "--out", "s.h5"]) == 0
    expected = sample_fitted(load_model("hae", Model), _read("twice.h5"), 4)
    np.testing.assert_allclose(_read("s.h5").coefficients, expected.coefficients, atol=1e-6)
    assert main(["sample", "cond", "--fitted-to", "data.h5", "--out", "s.h5"]) == 1
    assert "the rows of 3 are 40; a mixture of 30 components needs at least 60" in capsys.readouterr().err


def test_interpolate_goes_from_one_row_to_the_other(folder: Path) -> None:
    model, rows = load_model("hae", Model), _read("data.h5")
    assert main(["interpolate", "hae", "data.h5:2", "one.h5:0", "--steps", "3", "--out", "way.h5"]) == 0
    expected = interpolate(model, model.encode(rows[2:3]), model.encode(rows[:1]), 3)
    np.testing.assert_allclose(_read("way.h5").coefficients, expected.coefficients, atol=1e-6)
    assert _read("way.h5").index["position"].tolist() == [0, 0.5, 1]


def test_interpolate_takes_the_class_that_both_rows_have(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["interpolate", "cond", "data.h5:1", "data.h5:3", "--out", "way.h5"]) == 0
    assert set(_read("way.h5").index["digit"].tolist()) == {7}
    assert main(["interpolate", "cond", "data.h5:1", "data.h5:2", "--class", "3", "--out", "way.h5"]) == 0
    assert set(_read("way.h5").index["digit"].tolist()) == {3}
    assert main(["interpolate", "cond", "data.h5:1", "data.h5:2", "--out", "way.h5"]) == 1
    assert "the rows are of the classes 3 and 7; choose one with --class" in capsys.readouterr().err


def test_traverse_changes_numbers_by_standard_deviations_of_the_file(folder: Path) -> None:
    model, rows = load_model("hvae", Model), _read("data.h5")
    command = ["traverse", "hvae", "data.h5:9", "--dimensions", "4", "1", "--steps", "5"]
    assert main([*command, "--out", "around.h5"]) == 0
    found, z = _read("around.h5"), model.encode(rows).invariants
    values = z[9, 4] + np.array([-2, -1, 0, 1, 2]) * z[:, 4].std()
    np.testing.assert_allclose(found.index["value"][:5], values, rtol=1e-5)
    assert found.index["dimension"].tolist() == [4] * 5 + [1] * 5
    expected = traverse(model, z[9], 4, values)
    np.testing.assert_allclose(found.coefficients[:5], expected.coefficients, atol=1e-5)

    assert main(["traverse", "hvae", "data.h5:9", "--out", "around.h5"]) == 0
    spread = z.std(axis=0)
    first = _read("around.h5").index["dimension"][::9].tolist()
    assert first == [d for d in np.argsort(-spread).tolist() if spread[d] >= 0.1 * spread.max()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample", "hae"], "model 'hae' is not variational: it has no prior to draw z from"),
        (["sample", "hvae", "--class", "7"], "--class is 7; model 'hvae' is not conditional and takes none"),
        (["sample", "cond", "--class", "9"], "--class is 9; it must be one of 3, 7"),
        (["sample", "missing"], "missing"),
        (
            ["interpolate", "hae", "data.h5:80", "data.h5:1"],
            "data.h5: has 80 rows, counted from 0; there is no row 80",
        ),
        (["interpolate", "hae", "data.h5", "data.h5:1"], "data.h5: must be FILE:ROW, such as digits.h5:0"),
        (["interpolate", "hae", "data.h5:-1", "data.h5:1"], "data.h5:-1: must be FILE:ROW"),
        (["interpolate", "cond", "one.h5:0", "one.h5:0"], "digit"),
        (["traverse", "hae", "absent.h5:0"], "absent.h5"),
        (["traverse", "hae", "one.h5:0"], "one.h5: holds one row"),
        (["traverse", "hae", "data.h5:0", "--dimensions", "6"], "--dimensions has 6; it must be from 0 to 5"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--out", "out.h5"]) == 1
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1
    assert not Path("out.h5").exists()


def test_outputs_that_cannot_be_are_refused_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("data.h5").read_bytes()
    for arguments, message in (
        (["sample", "missing", "--out", "s.csv"], "--out is s.csv; it must end in .h5"),
        (["traverse", "missing", "data.h5:0", "--out", "./data.h5"], "which is an input"),
    ):
        assert main(arguments) == 1
        assert message in capsys.readouterr().err
    assert Path("data.h5").read_bytes() == before
