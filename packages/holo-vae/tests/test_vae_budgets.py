"""Models and recipes that claim sizes which no memory has, and members of a model's folder that are no files."""

import json
import os
import shutil
from pathlib import Path

import pytest

import holo_vae
from holo_types import Basis, FormatError, HoloError, Zernike
from holo_vae import find_recipe
from holo_vae.networks.description import describe
from holo_vae.networks.reference import import_reference
from holo_vae.recipes.model import ModelConfig
from holo_vae.recipes.recipe import from_plain
from holo_vae.recipes.shipped import recipe_names

GOLDEN = Path(__file__).parent / "golden"
PLAIN = {
    "basis": {"lmax": 4, "radial": None, "channels": ["x"]},
    "latent_dim": 8,
    "lmax": [2, 1],
    "channels": [8, 8],
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latent_dim": 10**9}, r"8000000\d+ weights or more; it may have at most 268435456"),
        ({"channels": [10**6, 10**6]}, "weights or more"),
        ({"bottleneck": [10**9]}, "weights or more"),
        ({"bottleneck": [50_000, 50_000]}, "weights or more"),
        ({"initial_projection": 10**9}, "weights or more"),
        (
            {"condition": {"column": "a", "categories": list(range(100))}, "latent_dim": 10**7},
            "weights or more",
        ),
        ({"channels": [3000, 3000], "channel_rule": "full"}, "weights or more"),
        ({"basis": {"lmax": 10**8, "radial": None, "channels": ["x"]}}, "must be an integer from 0 to 1000"),
        ({"basis": {"lmax": 65, "radial": None, "channels": ["x"]}}, "it may have lmax 64 and 64 blocks"),
        (
            {"basis": {"lmax": 21, "radial": None, "channels": ["x"]}, "connectivity": "full"},
            "with full connectivity it may have lmax 20 and 64 blocks",
        ),
        ({"lmax": [1] * 65, "channels": [8] * 65}, "it may have lmax 64 and 64 blocks"),
    ],
)
def test_a_network_of_sizes_that_no_memory_has_is_refused(change, message):
    with pytest.raises(HoloError, match=message):
        from_plain(PLAIN | change, ModelConfig)


@pytest.mark.parametrize("name", recipe_names())
def test_no_network_has_fewer_weights_than_are_counted(name):
    config = find_recipe(name).model
    parameters = describe(config).parameters
    config.check_weights(parameters)
    with pytest.raises(HoloError, match="weights or more"):
        config.check_weights(parameters // 100)


def folder(tmp_path: Path, **change: object) -> Path:
    copy = tmp_path / "model"
    shutil.copytree(GOLDEN / "contracts" / "2-autoencoder", copy)
    description = json.loads((copy / "model.json").read_text())
    description.pop("file_digest", None)
    description["config"] |= change
    (copy / "model.json").write_text(json.dumps(description))
    return copy


@pytest.mark.parametrize("change", [{"latent_dim": 10**6}, {"bottleneck": [10_000]}])
def test_a_model_of_more_weights_than_its_file_has_is_not_made(change, tmp_path):
    with pytest.raises(FormatError, match=r"does not fit the model's config .* weights or more"):
        holo_vae.load(folder(tmp_path, **change))


@pytest.mark.skipif(os.name != "posix", reason="has no such files")
@pytest.mark.parametrize("target", ["/dev/zero", "loop", "pipe", "."])
def test_members_of_a_folder_are_files(target, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for number, member in enumerate(("model.json", "*.safetensors")):
        copy = folder(tmp_path / str(number))
        (path,) = copy.glob(member)
        path.unlink()
        path.symlink_to(tmp_path / "pipe" if target == "pipe" else path.name if target == "loop" else target)
        with pytest.raises(FormatError, match=r"regular file|cannot be read"):
            holo_vae.load(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_channels": 10**12, "channels": None}, "more than 1000 channels"),
        ({"lmax": 10**8, "collected_lmax": 10**8}, "must be an integer from 0 to 1000"),
        ({"latent_dim": 10**6}, "weights or more"),
        ({"ch_size_list": [10**6] * 4}, "weights or more"),
        ({"latent_dim": "16"}, "cannot be read as"),
        ({"ch_size_list": 5}, "cannot be read as"),
    ],
)
def test_hyperparameters_of_the_authors_that_no_memory_has(change, message, tmp_path):
    copy = tmp_path / "reference"
    shutil.copytree(GOLDEN / "reference" / "small", copy)
    settings = json.loads((copy / "hparams.json").read_text())
    for name, value in change.items():
        (settings if name in settings or "channels" in name else settings["model_hparams"])[name] = value
    (copy / "hparams.json").write_text(json.dumps(settings))
    with pytest.raises(HoloError, match=message):
        import_reference(copy)


def test_the_largest_bases_of_data_are_no_problem():
    assert Basis(lmax=12, radial=Zernike(nmax=40, cutoff=20.0), channels=tuple("CNOSPHX")).dim > 10_000
