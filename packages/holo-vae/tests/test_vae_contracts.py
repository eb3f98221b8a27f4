"""Checkpoints of every format version and kind that was ever written load, and give what they gave."""

import json
from pathlib import Path

import numpy as np
import pytest

from holo_types import Holograms
from holo_vae import Model, load, write_model
from holo_vae.networks.classifier import TrainedClassifier
from holo_vae.networks.storage import FORMAT_VERSION

CONTRACTS = Path(__file__).parent / "golden" / "contracts"
NAMES = sorted(folder.name for folder in CONTRACTS.iterdir())


def _described(name: str) -> dict[str, object]:
    description: dict[str, object] = json.loads((CONTRACTS / name / "model.json").read_text())
    return description


def _close(actual: np.ndarray, recorded: np.ndarray, tolerance: float) -> None:
    np.testing.assert_allclose(actual, recorded, rtol=0, atol=tolerance * np.abs(recorded).max())


def test_there_is_one_of_each_version_and_kind() -> None:
    kinds = {Model.kind, TrainedClassifier.kind}
    later = {f"{version}-{kind}" for version in range(2, FORMAT_VERSION + 1) for kind in kinds}
    assert set(NAMES) == {"1-autoencoder", *later}
    for name in NAMES:
        assert _described(name)["format_version"] == int(name[0])


@pytest.mark.parametrize("name", NAMES)
def test_it_loads_as_what_it_was(name: str) -> None:
    loaded, described = load(CONTRACTS / name), _described(name)
    assert loaded.kind == name[2:]
    assert (loaded.name, loaded.version) == (described["name"], described["version"])
    # Embeddings and predictions made then carry this digest; they must still be known as this model's.
    assert loaded.digest == described["digest"]


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("autoencoder")])
def test_an_autoencoder_gives_what_it_gave(name: str) -> None:
    model = load(CONTRACTS / name)
    assert isinstance(model, Model)
    recorded = np.load(CONTRACTS / name / "recorded.npz")
    holograms = Holograms(recorded["coefficients"], model.config.basis, {"label": recorded["label"]})
    embeddings = model.encode(holograms)
    condition = None if model.config.condition is None else recorded["label"]
    _close(embeddings.invariants, recorded["invariants"], 1e-5)
    _close(embeddings.frames, recorded["frames"], 3e-5)
    _close(model.decode(embeddings, condition).coefficients, recorded["decoded"], 3e-5)
    assert (embeddings.log_variances is not None) == ("log_variances" in recorded)
    if embeddings.log_variances is not None:
        _close(embeddings.log_variances, recorded["log_variances"], 1e-5)


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("classifier")])
def test_a_classifier_gives_what_it_gave(name: str) -> None:
    classifier = load(CONTRACTS / name)
    assert isinstance(classifier, TrainedClassifier)
    recorded = np.load(CONTRACTS / name / "recorded.npz")
    probabilities = classifier.predict(Holograms(recorded["coefficients"], classifier.config.basis))
    _close(probabilities, recorded["probabilities"], 1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_again_has_this_version_and_the_same_digest(name: str, tmp_path: Path) -> None:
    loaded = load(CONTRACTS / name)
    write_model(loaded, tmp_path)
    written = json.loads((tmp_path / "model.json").read_text())
    assert written["format_version"] == FORMAT_VERSION
    assert written["digest"] == loaded.digest == load(tmp_path).digest
