"""The promotion gate on data that a lab has fixed, and across bases: what passes, and what is refused."""

import csv
import shutil
from collections.abc import Mapping
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch

import holo_features
import holo_types
from holo_types import Basis, HoloError, PointClouds, Zernike, concatenate
from holo_vae import Model, ModelConfig, Recipe, initial_model
from holo_vae.evaluation.gate_residues import read_gate_residues
from holo_vae.evaluation.measured_residues import labeled_clouds, read_row
from holo_vae.evaluation.structure_table import read_structure_table
from holo_vae.networks.network import HolographicAutoencoder
from holo_vae.networks.registry import Registered
from holo_vae.promotion.checks import Contender
from holo_vae.promotion.gate import Verdict, judge
from holo_vae.tracking.training_record import TrainingRecord, row_digests

EXAMPLES = sorted(holo_features.datasets.example_structures())
CHANNELS = ("C", "N", "O", "S")


def a_model(envelope: float | None, cutoff: float = 8.0) -> Model:
    basis = Basis(lmax=3, radial=Zernike(nmax=5, cutoff=cutoff, envelope=envelope), channels=CHANNELS)
    config = ModelConfig(basis=basis, latent_dim=12, lmax=(2, 1), channels=(16, 16), initial_projection=16)
    return initial_model(Recipe(model=config), 1.0, "small")


def contender(model: Model, version: str, groups: Mapping[str, tuple[str, ...]] | None = None) -> Contender:
    record = TrainingRecord(groups or {"structure": ("elsewhere",)}, 1, np.empty(0, np.uint64))
    return Contender(Registered(Path("nowhere"), Path("nowhere"), "small", version), model, record)


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of structures, half of which set the scale of distances."""
    folder = tmp_path_factory.mktemp("gate")
    with (folder / "structures.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "split", "cluster", "cluster30"))
        for number, path in enumerate(EXAMPLES[:14]):
            shutil.copy(path, folder)
            writer.writerow((path.name, "train" if number % 2 else "valid", f"c{number}", str(number // 2)))
    return folder


@pytest.fixture(scope="module", name="clouds")
def _clouds(folder: Path) -> Path:
    """Return the same residues as a file of clouds."""
    reads = [read_row(row, CHANNELS) for row in read_structure_table(folder).rows]
    path = folder.parent / "clouds.h5"
    holo_types.save(concatenate([labeled_clouds(read, 10.5, CHANNELS) for read in reads]), path)
    return path


def checks(verdict: Verdict) -> dict[str, bool]:
    return {check.name: check.held for check in verdict.checks}


def test_a_smooth_encoding_may_follow_a_sharp_one_and_not_the_other_way_round(folder: Path) -> None:
    smooth, sharp = contender(a_model(1.5), "2"), contender(a_model(None), "1")
    refused = judge(smooth, sharp, data=folder)
    assert checks(refused) == {"basis": False}
    assert "or another one with --new-basis and --gate-data" in refused.failed[0].bound
    passed = judge(smooth, sharp, data=folder, new_basis=True)
    assert not passed.failed
    assert {"noise of 0.1 Å, white", "nearest to itself at 0.4 Å, std", "burial"} < set(checks(passed))
    assert "reconstruction" not in checks(passed)  # of other coefficients each
    refused = judge(sharp, smooth, data=folder, new_basis=True, rows=("noise",))
    assert "noise of 0.1 Å, white" in {check.name for check in refused.failed}
    (noise,) = (check for check in refused.failed if check.name == "noise of 0.1 Å, white")
    assert "worse by 0." in noise.figure


def test_a_file_of_clouds_serves_as_well(clouds: Path) -> None:
    smooth, sharp = contender(a_model(1.5), "2"), contender(a_model(None), "1")
    passed = judge(smooth, sharp, data=clouds, new_basis=True, rows=("noise", "continuity"))
    assert not passed.failed
    assert {"turned and rounded, white", "noise of 0.1 Å, std"} < set(checks(passed))
    refused = judge(sharp, smooth, data=clouds, new_basis=True, rows=("continuity",))
    assert {check.name for check in refused.failed} >= {"turned and rounded, std"}
    with pytest.raises(
        HoloError, match=r"clouds\.h5: matches cannot be measured there \(.*has no structures"
    ):
        judge(smooth, sharp, data=clouds, new_basis=True, rows=("matches",))
    half = read_gate_residues(clouds, a_model(None).config.basis)
    assert not set(half.clouds.index["cluster"]) & set(half.training.index["cluster"])


def test_on_one_basis_the_reconstruction_counts(folder: Path) -> None:
    model = a_model(1.5)
    network = HolographicAutoencoder(model.config)
    network.load_state_dict(model.network.state_dict())
    with torch.no_grad():
        for weights in network.final_projection.parameters():
            weights.mul_(10)
    worse = contender(Model(network.eval(), "worse"), "2")
    verdict = judge(worse, contender(model, "1"), data=folder)
    assert [check.name for check in verdict.failed] == ["squared_error"]
    # z is equally informative in both bases, which is all that is required here.
    assert not judge(worse, contender(model, "1"), data=folder, rows=("secondary structure", "noise")).failed
    first = judge(worse, None, data=folder)
    assert "mean hologram's" in first.failed[0].bound


@pytest.mark.parametrize(
    "groups",
    [
        {"structure": (holo_features.structure_stem(EXAMPLES[0]),)},
        {"cluster30": ("0",)},
        {"cluster": ("c0", "c99")},
    ],
)
def test_what_was_trained_on_measures_nothing(folder: Path, groups: Mapping[str, tuple[str, ...]]) -> None:
    model = a_model(1.5)
    count = len(read_gate_residues(folder, model.config.basis).clouds)
    for both in ((groups, None), (None, groups)):
        verdict = judge(
            contender(model, "2", both[0]), contender(model, "1", both[1]), data=folder, rows=("noise",)
        )
        assert checks(verdict) == {"basis": True, "unseen": False}
        figure = verdict.failed[0].figure
        seen = int(figure.partition(" of ")[0])
        assert 50 < seen < count / 2
        assert f"{seen} of {count} rows were used to train models:/small/{2 if both[0] else 1}" == figure


def test_a_row_itself_is_known_by_whatever_name(folder: Path) -> None:
    model = a_model(1.5)
    clouds = read_gate_residues(folder, model.config.basis).clouds
    bare = attrs.evolve(clouds[:5], index={}, centers=None, point_columns={})
    rows = holo_features.zernike_transform(bare, model.config.basis)
    record = TrainingRecord({"structure": ("renamed",)}, 5, np.unique(row_digests(rows.coefficients)))
    trained = attrs.evolve(contender(model, "2"), trained=record)
    verdict = judge(trained, contender(model, "1"), data=folder)
    assert verdict.failed[0].figure.startswith("5 of ")


def test_what_cannot_be_asked_is_one_line(folder: Path, tmp_path: Path) -> None:
    two = contender(a_model(1.5), "2"), contender(a_model(1.5), "1")
    with pytest.raises(
        HoloError, match="there is no row 'beauty' to compare by; it must be one of reconstruction"
    ):
        judge(*two, data=folder, rows=("beauty",))
    with pytest.raises(HoloError, match="cannot be read as a table"):
        judge(*two, data=tmp_path)
    lone = PointClouds(np.zeros((1, 3)), np.ones((1, 4)), np.array([0, 1]), CHANNELS, {"structure": ["a"]})
    holo_types.save(lone, tmp_path / "lone.h5")
    with pytest.raises(HoloError, match=r"lone\.h5: has one structure; half of two or more"):
        judge(*two, data=tmp_path / "lone.h5")
    holo_types.save(attrs.evolve(lone, index={}), tmp_path / "bare.h5")
    with pytest.raises(HoloError, match="neither cluster nor structure"):
        judge(*two, data=tmp_path / "bare.h5")
    holo_types.save(attrs.evolve(lone, channels=("C", "N", "O", "P")), tmp_path / "other.h5")
    with pytest.raises(HoloError, match="has the channels C, N, O, P; the model takes C, N, O, S"):
        judge(*two, data=tmp_path / "other.h5")
