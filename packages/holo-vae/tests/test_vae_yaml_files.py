"""Recipes of others: as small as they look, or refused in a line."""

import os
from pathlib import Path

import pytest

from holo_types import HoloError
from holo_vae import read_recipe
from holo_vae.recipes.yaml_files import read_yaml

MODEL = (
    "model: {basis: {lmax: 1, radial: null, channels: [image]}, latent_dim: 2, lmax: [1], channels: [4]}\n"
)


def refusal(path: Path) -> str:
    with pytest.raises(HoloError) as caught:
        read_recipe(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 1000
    return message


def test_aliases_of_aliases_are_counted_before_they_are_made(tmp_path: Path) -> None:
    path = tmp_path / "bomb.yaml"
    lines = ["x0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"x{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    path.write_text("\n".join(lines) + f"\n{MODEL}training: {{epochs: *a9}}\n")
    assert "bomb.yaml: has 1.25e+12 values; it may have at most 20000" in refusal(path)
    path.write_text("\n".join(lines[:3]) + f"\n{MODEL}training: {{epochs: *a2}}\n")
    assert "training.epochs is [[['x', 'x'," in refusal(path)


def test_an_alias_that_is_used_as_meant_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: &a [1, 2]\nb: *a\nc: {<<: {d: 1}}\n")
    assert read_yaml(path) == {"a": [1, 2], "b": [1, 2], "c": {"d": 1}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: &a [*a]", "is nested too deeply, or contains itself"),
        ("[" * 5000 + "]" * 5000, "is nested too deeply"),
        ("# " + "x" * (1 << 20), "is longer than 1048576 bytes"),
        ("a: [" + "0, " * 20_000 + "0]", "has 2e[+]04 values; it may have at most 20000"),
    ],
)
def test_what_is_larger_than_a_recipe_is_refused(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(content)
    with pytest.raises(HoloError, match=message):
        read_recipe(tmp_path / "a.yaml")


@pytest.mark.skipif(os.name != "posix", reason="has neither")
def test_devices_and_pipes_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path / "pipe.yaml", Path("/dev/zero"), tmp_path):
        assert "; it must be a regular file" in refusal(path)
