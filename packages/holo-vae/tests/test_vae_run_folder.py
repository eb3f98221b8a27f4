"""The folder of a training run: whose it is, and what becomes of it when something goes wrong."""

import importlib.util
import shutil
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch

from holo_types import HoloError, Holograms, save
from holo_types.files.locks import PathLock
from holo_vae import Model, Recipe, load, run_training, write_recipe
from holo_vae.cli.program import main
from holo_vae.training.engine import Step


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def trained(tmp_path: Path, holograms: Holograms, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with data.h5, recipe.yaml and the finished run."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "mlflow" else find_spec(name)
    )
    monkeypatch.chdir(tmp_path)
    save(holograms, "data.h5")
    short = attrs.evolve(recipe, training=attrs.evolve(recipe.training, epochs=1))
    write_recipe(short, Path("recipe.yaml"))
    assert main(["train", "data.h5", "--out", "run", "--recipe", "recipe.yaml"]) == 0
    return tmp_path


def test_a_resume_that_is_refused_changes_nothing(
    trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(trained / "run")
    monkeypatch.undo()  # mlflow is there again, and would be told of the run
    monkeypatch.chdir(trained)
    monkeypatch.setattr("holo_vae.run._tracking", lambda: pytest.fail("the refused run is tracked"))
    other = ["train", "data.h5", "--out", "run", "--recipe", "recipe.yaml", "--resume", "--seed", "7"]
    assert main(other) == 1
    assert "holds the state of a run with another recipe or other data" in capsys.readouterr().err
    assert contents(trained / "run") == before


def test_two_trainings_do_not_share_a_folder(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("run", "new"):
        with PathLock(Path(folder), folder=True):
            before = contents(trained)
            assert main(["train", "data.h5", "--out", folder, "--recipe", "recipe.yaml", "--resume"]) == 1
            assert f"{folder}: another run is alive and writes into it (process " in capsys.readouterr().err
            assert contents(trained) == before
    assert not (trained / "new").exists()


def test_what_a_killed_training_left_unfinished_is_removed(trained: Path) -> None:
    left = [Path("run", folder, ".file.json.0123abcd.tmp") for folder in ("", "model", "state")]
    for path in left:
        path.touch()
    assert main(["train", "data.h5", "--out", "run", "--recipe", "recipe.yaml", "--resume"]) == 0
    assert not any(path.exists() for path in left)


def test_a_folder_that_is_removed_in_training_does_not_come_back(
    trained: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def remove(step: Step) -> None:
        if step.epoch == 1:
            shutil.rmtree(trained / "gone", ignore_errors=True)

    with pytest.raises(HoloError, match=r"gone.*: (was removed or replaced|cannot be written)"):
        run_training(recipe, "data.h5", trained / "gone", name="small", on_step=remove)
    assert not (trained / "gone").exists()


def test_more_validation_rows_than_are_evaluated_keep_their_columns(
    trained: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holo_vae.run._EVALUATED_ROWS", 8)  # of 20, in three equal batches
    done = run_training(recipe, "data.h5", trained / "large", name="small")
    assert done.evaluation is not None
    assert done.evaluation.rows == 7


def test_a_learned_prior_is_fitted_at_the_end_and_a_resumed_run_has_the_same_one(
    trained: Path, recipe: Recipe, holograms: Holograms
) -> None:
    """A mixture that was fitted has the mean of z over the training rows; one that was only trained does not."""
    model = attrs.evolve(recipe.model, variational=True, prior_components=3)
    short = attrs.evolve(recipe, model=model, training=attrs.evolve(recipe.training, epochs=1))

    def run() -> dict[str, bytes]:
        run_training(short, "data.h5", trained / "mixture", name="small", validation=["data.h5"], resume=True)
        return contents(trained / "mixture" / "model")

    once = run()
    loaded = load(str(trained / "mixture" / "model"), Model)
    prior = loaded.network.prior
    assert prior is not None
    with torch.inference_mode():
        mean = prior.logits[0].softmax(dim=0) @ prior.means[0]
    np.testing.assert_allclose(mean, loaded.encode(holograms).invariants.mean(axis=0), atol=1e-4)
    assert run() == once


def test_a_run_writes_through_no_link_that_came_with_its_folder(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever made the folder may have chosen which of the user's files the names lead to."""
    other = trained / "other"
    other.mkdir()
    (other / "mine").write_text("mine")
    train = ["train", "data.h5", "--recipe", "recipe.yaml", "--out"]
    (trained / "second" / "model").mkdir(parents=True)
    names = ("recipe.yaml", "history.csv", "evaluation.json", "learning_curves.png", "model/model.json")
    for name in (*names, "model/training_z.h5"):
        (trained / "second" / name).symlink_to(other / "mine")
    assert main([*train, "second"]) == 0
    load("second/model", Model)
    for part in ("model", "data", "state"):
        folder = trained / f"with_{part}"
        folder.mkdir()
        (folder / part).symlink_to(other)
        assert main([*train, folder.name]) == 1
        assert (
            f"with_{part}/{part}: is a link; a run writes only into its own folder" in capsys.readouterr().err
        )
    assert contents(other) == {str(other / "mine"): b"mine"}
