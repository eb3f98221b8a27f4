"""The network beside the recorded outputs of the authors' implementation (golden/reference/SOURCE.md)."""

import io
import json
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

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


def _archive(content: bytes, **members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", content)
        archive.writestr("a/byteorder", "little")
        archive.writestr("a/version", "3\n")
        for name, member in members.items():
            archive.writestr(f"a/data/{name}", member)
    return file.getvalue()


def _hex_of_hex() -> bytes:
    """Pickle a text that is encoded again and again, and doubles each time; weights_only permits it."""
    encode, text = b"c_codecs\nencode\n", b"X" + struct.pack("<I", 4) + b"abcd"
    latin, hexadecimal = (b"X" + struct.pack("<I", len(name)) + name for name in (b"latin1", b"hex"))
    value = encode + text + latin + b"\x86R"
    for _ in range(30):
        value = encode + value + hexadecimal + b"\x86R"
    return b"\x80\x02" + value + b"."


def _tuples_of_tuples() -> bytes:
    """Pickle a dictionary whose key is a tuple of two tuples, which are the same, and so on."""
    value = b")"
    for number in range(60):
        value += bytes((ord("q"), number)) + b"0" + bytes((ord("h"), number, ord("h"), number)) + b"\x86"
    return b"\x80\x02}" + value + b"Ns."


def _with(tensor: Tensor) -> bytes:
    file = io.BytesIO()
    torch.save({"encoder_mean.weight": tensor}, file)
    return file.getvalue()


def _compressed() -> bytes:
    whole, packed = zipfile.ZipFile(io.BytesIO(_with(torch.zeros(1000)))), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in whole.namelist():
            archive.writestr(name, whole.read(name))
    return packed.getvalue()


EXPLODING = {
    "a text that doubles": (lambda: _archive(_hex_of_hex()), "the name '_codecs encode'"),
    "bytes of any number": (
        lambda: _archive(
            b"\x80\x02c__builtin__\nbytearray\n\x8a\x05" + (3 * 10**9).to_bytes(5, "little") + b"\x85R."
        ),
        "the name '__builtin__ bytearray'",
    ),
    "a key that is hashed for ever": (
        lambda: _archive(_tuples_of_tuples()),
        "operation POP|a tuple in two places",
    ),
    "compressed": (_compressed, "has a compressed member"),
    "one value repeated": (lambda: _with(torch.zeros(1).expand(10**9)), "more values than its bytes hold"),
    "not a number": (lambda: _with(torch.full((3,), float("nan"))), "not finite"),
    "infinite": (lambda: _with(torch.full((3,), float("inf"))), "not finite"),
    "complex": (lambda: _with(torch.zeros(3, dtype=torch.complex64)), "ComplexFloatStorage"),
    "integers of a byte": (lambda: _with(torch.zeros(3, dtype=torch.int8)), "CharStorage"),
    "sparse": (lambda: _with(torch.eye(3).to_sparse()), "_rebuild_sparse_tensor"),
    "without values": (lambda: _with(torch.zeros(3, device="meta")), "_rebuild_meta_tensor"),
}


@pytest.mark.parametrize(("content", "message"), EXPLODING.values(), ids=EXPLODING)
def test_pickles_that_hold_more_than_a_state_dict(tmp_path: Path, content, message: str) -> None:
    folder = _copy(tmp_path)
    next(folder.glob("*.pt")).write_bytes(content())
    with pytest.raises(FormatError, match=message) as refusal:
        import_reference(folder)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("scale", [float("nan"), 0, -1.0, True, [1], "1"])
def test_scales_that_are_no_positive_number(tmp_path: Path, scale: object) -> None:
    folder = _copy(tmp_path)
    hparams = json.loads((folder / "hparams.json").read_text())
    hparams["normalize_input"] = True
    hparams["model_hparams"]["input_normalizing_constant"] = scale
    (folder / "hparams.json").write_text(json.dumps(hparams))
    with pytest.raises(FormatError, match=r"input_normalizing_constant is .*; it must be a positive number"):
        import_reference(folder)


def test_the_model_is_named_after_its_folder() -> None:
    model = import_reference(GOLDEN / "full")
    assert isinstance(model, Model)
    assert model.name == "full"
