"""Files of others, changed at random: each is used or refused by Holo's error, whatever is wrong with it."""

import copy
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from holo_types import FormatError, HoloError
from holo_vae import Recipe, import_reference, read_recipe, write_recipe
from holo_vae.networks import reference

GOLDEN = Path(__file__).parent / "golden" / "reference" / "small"
ODD = (None, True, -1, 0, 1.5, 1e308, 10**30, "", "x", "1", [], [[]], {}, {"a": 1}, [None], float("nan"))


def mutated_bytes(content: bytes, chance: random.Random) -> bytes:
    """Cut, repeat, flip or replace a piece of a file."""
    start = chance.randrange(len(content))
    stop = min(len(content), start + chance.choice((1, 1, 4, 40)))
    piece = chance.choice(
        (b"", content[start:stop] * 2, chance.randbytes(stop - start), b"[" * 50, b"!!int ", b"\xff")
    )
    return content[:start] if chance.random() < 0.1 else content[:start] + piece + content[stop:]


def mutated_values(plain: Any, chance: random.Random) -> Any:
    """Put something of another type, or nothing, in the place of a value of nested dicts and lists."""
    plain = copy.deepcopy(plain)
    places: list[tuple[Any, Any]] = []

    def visit(value: Any) -> None:
        for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            places.append((value, key))
            visit(value[key])

    visit(plain)
    value, key = chance.choice(places)
    if chance.random() < 0.2:
        del value[key]
    else:
        value[key] = copy.deepcopy(chance.choice(ODD))
    return plain


def outcomes(
    path: Path, read: Callable[[], object], mutated: Callable[[random.Random], bytes]
) -> dict[str, int]:
    """Read 200 mutations of a fixed seed; only Holo's own error may be raised, and it names the file."""
    counts = {"used": 0, "refused": 0}
    chance = random.Random(0)
    for _ in range(200):
        path.write_bytes(mutated(chance))
        try:
            read()
        except HoloError as error:
            assert str(path.parent) in str(error)  # noqa: PT017 - others are used, and none raises anything else
            counts["refused"] += 1
        else:
            counts["used"] += 1
    return counts


@pytest.mark.parametrize("typed", [False, True])
def test_recipes(tmp_path: Path, recipe: Recipe, typed: bool) -> None:
    path = tmp_path / "recipe.yaml"
    write_recipe(recipe, path)
    good, plain = path.read_bytes(), yaml.safe_load(path.read_text())

    def mutated(chance: random.Random) -> bytes:
        return (
            yaml.safe_dump(mutated_values(plain, chance)).encode() if typed else mutated_bytes(good, chance)
        )

    assert outcomes(path, lambda: read_recipe(path), mutated)["refused"] > 50


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training: {seed: 0x" + "f" * 5000 + "}", "it must be an integer of 64 bits"),
        ("training: {seed: " + "9" * 5000 + "}", "cannot be read as a recipe"),
        (
            "training: {epochs: 9223372036854775808}",
            "training.epochs is '0x8000000000000000'; it must be an integer",
        ),
        ("training: {learning_rate: 1" + "0" * 400 + "}", "training.learning_rate is "),
        ("training: {epochs: !!int ten}", "cannot be read as a recipe"),
        ("training: {epochs: !!timestamp 7}", "cannot be read as a recipe"),
        ("model: " + "[" * 1200, "is nested too deeply, or contains itself"),
        ("model: " + "{a: " * 1200, "is nested too deeply, or contains itself"),
    ],
)
def test_past_failures_of_recipes(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(HoloError) as refused:
        read_recipe(path)
    assert message in str(refused.value)
    assert str(refused.value).startswith(f"{path}: ")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN, tmp_path / "checkpoint"))


@pytest.mark.parametrize("typed", [False, True])
def test_settings_of_the_authors_checkpoints(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, typed: bool
) -> None:
    path = checkpoint / "hparams.json"
    good, plain = path.read_bytes(), json.loads(path.read_text())

    def make(_config: object) -> None:
        raise FormatError(f"{path}: would be made")  # a mutated size may ask for more memory than there is

    def mutated(chance: random.Random) -> bytes:
        return json.dumps(mutated_values(plain, chance)).encode() if typed else mutated_bytes(good, chance)

    monkeypatch.setattr(reference, "HolographicAutoencoder", make)
    assert outcomes(path, lambda: import_reference(checkpoint), mutated)["refused"] == 200


def test_weights_of_the_authors_checkpoints(checkpoint: Path) -> None:
    path = checkpoint / "lowest_total_loss_with_final_kl_model.pt"
    good = path.read_bytes()
    found = outcomes(path, lambda: import_reference(checkpoint), lambda chance: mutated_bytes(good, chance))
    assert found["refused"] > 50
