"""z of training rows beside a model: how far new rows are from them."""

from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist

import holo_types
from holo_types import Embeddings, Holograms
from holo_vae import Recipe, initial_model, load, run_training
from holo_vae.networks.model import Model
from holo_vae.networks.training_z import NAME, TrainingDistance, write_training_z


def test_distances_are_those_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    training, z = rng.normal(size=(700, 5)), rng.normal(size=(300, 5)) * 3
    others = cdist(training, training) + np.diag(np.full(700, np.inf))
    expected = cdist(z, training).min(axis=1) / np.median(others.min(axis=1))
    np.testing.assert_allclose(TrainingDistance(training)(z), expected, rtol=1e-9)


def test_a_training_run_keeps_z_of_its_rows(recipe: Recipe, holograms: Holograms, tmp_path: Path) -> None:
    holo_types.save(holograms, tmp_path / "data.h5")
    run_training(recipe, [tmp_path / "data.h5"], tmp_path / "run", name="small")
    folder = tmp_path / "run" / "model"
    model = load(folder, Model)
    kept = holo_types.load(folder / NAME, kind=Embeddings)
    every = model.encode(holograms).invariants
    # Of the training part of the data each row is one of all.
    assert 0 < len(kept) < len(holograms)
    assert cdist(kept.invariants, every).min(axis=1).max() < 1e-5
    near = TrainingDistance.of(folder, model.digest)
    assert near is not None
    assert near(kept.invariants).max() < 1e-3


def test_z_of_another_model_is_none(recipe: Recipe, holograms: Holograms, tmp_path: Path) -> None:
    model = initial_model(recipe, 1.0, "small")
    assert TrainingDistance.of(tmp_path, model.digest) is None
    write_training_z(model, holograms, tmp_path)
    assert TrainingDistance.of(tmp_path, model.digest) is not None
    assert TrainingDistance.of(tmp_path, "0" * 64) is None
    (tmp_path / NAME).write_bytes(b"rubbish")
    assert TrainingDistance.of(tmp_path, model.digest) is None
