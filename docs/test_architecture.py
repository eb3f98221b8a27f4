"""The rooms and public names of the packages are those that the pages list, and a room's name means nothing else."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`]+)`")
PACKAGES = sorted(path.parent for path in ROOT.glob("packages/*/src/*/__init__.py"))
ROOMS = [
    path for package in PACKAGES for path in sorted(package.iterdir()) if (path / "__init__.py").exists()
]
MOST_MODULES = 15  # a room that holds more is two rooms


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


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_the_page_of_a_package_lists_its_public_names(package: Path) -> None:
    page = FENCED.sub("", (package.parents[1] / "README.md").read_text("utf-8"))
    listed = {word for code in CODE.findall(page) for word in re.findall(r"\w+", code)}
    public = {*importlib.import_module(package.name).__all__} - {"__version__"}
    assert public - listed == set()
