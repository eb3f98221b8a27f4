"""The network beside the recorded outputs of the authors' implementation (golden/reference/SOURCE.md)."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from holo_types import FormatError, HoloError
from holo_vae import Model, import_reference, load, write_model
from holo_vae.networks.description import describe

GOLDEN = Path(__file__).parent / "golden" / "reference"


def _worst(actual: torch.Tensor, recorded: np.ndarray) -> float:
    return float(np.abs(actual.numpy() - recorded).max() / np.abs(recorded).max())


@pytest.mark.parametrize("name", ["small", "full", "mnist", "bottleneck", "bare"])
def test_the_network_computes_what_the_reference_does(name: str) -> None:
    model = import_reference(GOLDEN / name)
    holograms = torch.from_numpy(np.load(GOLDEN / name / "inputs.npz")["holograms"])
    recorded = np.load(GOLDEN / name / "outputs.npz")
    with torch.inference_mode():
        mean, log_variance, frame = model.network.encode(holograms)
        reconstruction = model.network.decode(mean, frame)
    assert _worst(mean, recorded["mean"]) < 1e-5
    if log_variance is None:
        assert not recorded["log_variance"].any()
    else:
        assert _worst(log_variance, recorded["log_variance"]) < 1e-5
    assert _worst(frame, recorded["frame"]) < 3e-5
    assert _worst(reconstruction, recorded["reconstruction"]) < 3e-5


def test_rows_of_dead_paths_are_dropped() -> None:
    model = import_reference(GOLDEN / "mnist")
    parameters = sum(parameter.numel() for parameter in model.network.parameters())
    described = describe(model.config)
    theirs = torch.load(GOLDEN / "mnist" / "lowest_total_loss_with_final_kl_model.pt", weights_only=True)
    statistics = sum(v.numel() for k, v in theirs.items() if "running" in k)
    assert sum(v.numel() for v in theirs.values()) - statistics == 226_691 == described.nominal_parameters
    assert parameters == 226_691 - 47_104 == described.parameters


@pytest.mark.parametrize("name", ["small", "full", "bottleneck", "bare"])
def test_the_authors_parameters_are_counted_as_theirs(name: str) -> None:
    theirs = torch.load(GOLDEN / name / "lowest_total_loss_with_final_kl_model.pt", weights_only=True)
    counted = sum(tensor.numel() for key, tensor in theirs.items() if "running" not in key)
    assert describe(import_reference(GOLDEN / name).config).nominal_parameters == counted


def test_rules_per_block_and_hidden_layers_are_imported() -> None:
    config = import_reference(GOLDEN / "bottleneck").config
    assert config.connectivity == ("full", "efficient", "full")
    assert config.bottleneck == (9, 7)
    bare = import_reference(GOLDEN / "bare").config
    assert (bare.batch_norm, bare.norm, bare.skip) == (False, None, False)


def test_an_imported_model_is_a_holo_model(tmp_path: Path) -> None:
    model = import_reference(GOLDEN / "small")
    assert model.config.basis.point_normalization == "unit"
    write_model(model, tmp_path / "model")
    assert load(tmp_path / "model").digest == model.digest


def _copy(tmp_path: Path) -> Path:
    shutil.copytree(GOLDEN / "full", tmp_path / "full")
    return tmp_path / "full"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("norm_type", "layer"),
        ("do_final_signal_norm", True),
        ("norm_type", "instance"),
        ("norm_affine", "per_feature"),
        ("is_conditional", True),
        ("ch_nonlin_rule_list", ["full"] * 3),
        ("ls_nonlin_rule_list", ["full", "full", "elementwise"]),
    ],
)
def test_an_unknown_setting_is_refused_by_name(tmp_path: Path, name: str, value: object) -> None:
    folder = _copy(tmp_path)
    hparams = json.loads((folder / "hparams.json").read_text())
    hparams["model_hparams"][name] = value
    (folder / "hparams.json").write_text(json.dumps(hparams))
    with pytest.raises(HoloError, match=name):
        import_reference(folder)


def test_weights_of_other_hidden_layers_do_not_fit(tmp_path: Path) -> None:
    folder = _copy(tmp_path)
    hparams = json.loads((folder / "hparams.json").read_text())
    hparams["model_hparams"]["bottleneck_hidden_dims"] = [8]
    (folder / "hparams.json").write_text(json.dumps(hparams))
    with pytest.raises(FormatError, match=r"does not fit hparams\.json.*hidden"):
        import_reference(folder)


def _pickle_bomb(path: Path) -> None:
    import pickle

    path.write_bytes(pickle.dumps(print))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "hparams.json").unlink(),
        lambda folder: (folder / "hparams.json").write_text("{}"),
        lambda folder: next(folder.glob("*.pt")).unlink(),
        lambda folder: next(folder.glob("*.pt")).write_bytes(b"rubbish"),
        lambda folder: next(folder.glob("*.pt")).write_bytes(next(folder.glob("*.pt")).read_bytes()[:1000]),
        lambda folder: _pickle_bomb(next(folder.glob("*.pt"))),
        lambda folder: torch.save({"encoder_mean.weight": torch.zeros(1)}, next(folder.glob("*.pt"))),
    ],
)
def test_damaged_checkpoints_are_refused(tmp_path: Path, damage) -> None:
    folder = _copy(tmp_path)
    damage(folder)
    with pytest.raises(FormatError):
        import_reference(folder)


def test_the_model_is_named_after_its_folder() -> None:
    model = import_reference(GOLDEN / "full")
    assert isinstance(model, Model)
    assert model.name == "full"
