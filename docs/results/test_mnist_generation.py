"""The program that scores samples of spherical MNIST, on noise of two classes and networks that learned nothing."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from holo_types import Basis, Holograms, save
from holo_vae import (
    ClassifierConfig,
    Condition,
    ModelConfig,
    Recipe,
    initial_classifier,
    initial_model,
    write_model,
)

BASIS = Basis(lmax=2, radial=None, channels=("image",))
DIGITS = Condition(column="label", categories=(0, 1))

PAGE = """before
<!-- generation -->

| recipe | of what |
| --- | --- |
| of what | is told first |
| `another` | stays |
| `cond` | goes |

<!-- end -->
after
"""


def digits(count: int, seed: int) -> Holograms:
    """Draw digits of two classes, each about a direction of its own."""
    labels = np.arange(count) % 2
    noise = np.random.default_rng(seed).normal(size=(count, BASIS.dim))
    return Holograms(noise + 3 * np.eye(2, BASIS.dim)[labels], BASIS, {"label": labels})


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name, condition in (("cond-seed0", DIGITS), ("plain-seed0", None)):
        config = ModelConfig(
            basis=BASIS,
            latent_dim=4,
            lmax=(2, 1),
            channels=(6, 6),
            variational=True,
            condition=condition,
            prior_components=3 if condition else 0,
        )
        write_model(initial_model(Recipe(model=config), 1.0, name), tmp_path / name / "model")
        (tmp_path / name / "data").mkdir()
        for part, count in (("training", 200), ("validation", 60)):
            save(digits(count, count), tmp_path / name / "data" / f"{part}.h5")
    for name in ("classifier", "second-classifier"):
        judge = ClassifierConfig(basis=BASIS, lmax=(2, 1), channels=(6, 6), classes=DIGITS)
        write_model(initial_classifier(Recipe(model=judge), 1.0, name), tmp_path / name / "model")
    (tmp_path / "page.md").write_text(PAGE, encoding="utf-8")
    return tmp_path


def test_the_table_holds_each_kind_beside_the_digits(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    program = importlib.import_module("mnist_generation")
    monkeypatch.setattr(program, "_PER_CLASS", 6)
    page, picture = runs / "page.md", runs / "picture.webp"

    def write() -> str:
        assert program.mnist_generation(runs, part="validation", page=page, picture=picture) == 0
        return page.read_text(encoding="utf-8")

    text = write()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| `")]
    assert text.index("| of what | is told first |") < text.index(
        rows[0][1]
    )  # with the recipe that it is about
    assert rows.pop(0)[1] == "stays |"
    assert [row[1] for row in rows] == [
        "the digits themselves",
        "samples of the prior",
        "samples of the fitted density",
    ] * 2
    assert [bool(row[2].strip()) for row in rows] == [True, True, True, True, False, False]
    assert picture.read_bytes()[8:12] == b"WEBP"

    scored = runs / "cond-seed0" / "generation-validation.json"
    figures = json.loads(scored.read_text(encoding="utf-8"))
    # The real digits are those of the other half of the training, so they cover about half.
    assert 0.2 < figures["the digits themselves"]["coverage"] < 0.8
    figures["samples of the prior"]["accuracies"] = [0.125, 0.25]
    scored.write_text(json.dumps(figures), encoding="utf-8")
    assert "| samples of the prior | .125 | .250 |" in write()  # what was scored is not scored again
