"""The rooms of the packages are what the page on the architecture says, and their names can mean nothing else."""

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = sorted(path.parent for path in ROOT.glob("packages/*/src/*/__init__.py"))
ROOMS = [
    path for package in PACKAGES for path in sorted(package.iterdir()) if (path / "__init__.py").exists()
]
MOST_MODULES = 16  # a room that holds more is two rooms


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: f"{room.parent.name}.{room.name}")
def test_a_room_says_what_lives_in_it(room: Path) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    words = ast.get_docstring(ast.parse((room / "__init__.py").read_text("utf-8"))) or ""
    assert len(words.split()) > 8, "its __init__.py says in a sentence or two what lives there"
    assert f"`{room.name}/`" in page, "docs/architecture.md lists it"
    assert len(list(room.glob("[!_]*.py"))) <= MOST_MODULES


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_no_room_or_module_has_the_name_of_a_public_function(package: Path) -> None:
    rooms = {room.name for room in ROOMS if room.parent == package}
    public = set(importlib.import_module(package.name).__all__)
    assert not rooms & public
