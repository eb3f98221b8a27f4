"""What a recipe says wrong is named by its key, with what it is and what it must be."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from holo_types import Basis, HoloError, Zernike
from holo_vae import ModelConfig, Recipe, read_recipe
from holo_vae.recipes.recipe import from_plain, to_plain

BASIS = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N"))
CONFIG = ModelConfig(basis=BASIS, latent_dim=6, lmax=(2, 1), channels=(6, 8), initial_projection=6)
WRONG = {
    "training.epochs": ("ten", "an integer"),
    "training.early_stopping": (2.5, "an integer"),
    "training.learning_rate": ("fast", "a number"),
    "training.weight_decay": (True, "a number"),
    "training.ema_decay": ([0.9], "a number"),
    "training.compile": ("yes", "true or false"),
    "training.group_column": (3, "text"),
    "training.schedule": ("linear", "'cosine', 'exponential', 'plateau' or 'constant'"),
    "training.optimizer": (None, "'adam', 'adamw' or 'muon'"),
    "training": (None, "a mapping of settings"),
    "model": ("small", "a mapping of settings"),
    "model.norm": (False, "'signal', 'layer' or 'instance'"),
    "model.lmax": (1, "a list"),
    "model.bottleneck": ("8", "a list"),
    "model.connectivity": ("dense", "'efficient' or 'full'"),
    "model.condition": (["label"], "a mapping of settings"),
    "model.basis": ("sphere", "a mapping of settings"),
    "model.basis.lmax": ("2", "an integer"),
    "model.basis.radial.cutoff": ("far", "a number"),
    "model.basis.radial.normalization": ("unit", "'orthonormal' or 'floor'"),
    "data": ("mnist", "a mapping of settings"),
}


def changed(path: str, value: object) -> dict[str, Any]:
    """Return a good recipe with one other value."""
    plain = to_plain(Recipe(model=CONFIG))
    *places, key = path.split(".")
    inner = plain
    for place in places:
        inner = inner[place]
    inner[key] = value
    return plain


@pytest.mark.parametrize("path", WRONG)
def test_a_value_of_the_wrong_kind_is_named_by_its_key(path: str, tmp_path: Path) -> None:
    value, expected = WRONG[path]
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(changed(path, value)))
    with pytest.raises(HoloError) as caught:
        read_recipe(file)
    assert str(caught.value) == f"{file}: {path} is {value!r}; it must be {expected}"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("model.channels", [6, "8"], "model.channels[1] is '8'; it must be an integer"),
        (
            "model.connectivity",
            ["full", "some"],
            "model.connectivity[1] is 'some'; it must be 'efficient' or",
        ),
        (
            "model.condition",
            {"column": "label", "categories": ["a", None]},
            "model.condition.categories[1] is None; it must be an integer or text",
        ),
    ],
)
def test_an_entry_of_a_list_is_named_by_its_place(path: str, value: object, words: str) -> None:
    with pytest.raises(HoloError, match=re.escape(words)):
        from_plain(changed(path, value), Recipe)


def test_all_that_is_wrong_is_said_at_once() -> None:
    plain = changed("training.epochs", "ten")
    plain["training"]["momentum"] = 0.9
    del plain["model"]["latent_dim"]
    plain["modell"] = {}
    with pytest.raises(HoloError) as caught:
        from_plain(plain, Recipe)
    words = str(caught.value)
    assert "training.epochs is 'ten'" in words
    assert re.search(r"training\.momentum is not known; there are epochs, batch_size, .*, seed;", words)
    assert "model.latent_dim is missing" in words
    assert "modell is not known; there are model, training, data" in words
    assert "\n" not in words


@pytest.mark.parametrize("rate", ["1e-3", "0.001", "1.0e-3"])
def test_a_number_may_be_written_with_an_exponent(rate: str) -> None:
    plain = changed("training.learning_rate", yaml.safe_load(rate))
    assert from_plain(plain, Recipe).training.learning_rate == 1e-3


def test_what_a_class_refuses_it_names_itself() -> None:
    with pytest.raises(HoloError, match=r"^TrainingConfig\.epochs is 0; it must be at least 1$"):
        from_plain(changed("training.epochs", 0), Recipe)
