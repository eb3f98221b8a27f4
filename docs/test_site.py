"""Versions of the site lie beside one another, and the pages tell what their pictures show."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    {
        ROOT / "README.md",
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("docs/guides/*.md"),
        *ROOT.glob("docs/results/*.md"),
    }
)
IMAGE = re.compile(r"^!\[(?P<alt>.*?)\]\((?P<path>[^)]+)\)\n\n(?P<after>.)", re.MULTILINE)

_spec = importlib.util.spec_from_file_location("place_site", ROOT / ".ci" / "place_site.py")
assert _spec is not None
assert _spec.loader is not None
place_site = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(place_site)


def test_versions_are_listed_and_the_newest_release_comes_first(tmp_path: Path) -> None:
    site, pages = tmp_path / "site", tmp_path / "pages"
    site.mkdir()
    pages.mkdir()
    for version in ("latest", "0.9.0", "0.10.0"):
        (site / "index.html").write_text(version)
        place_site.place(site, pages, version)
    assert json.loads((pages / "versions.json").read_text()) == ["latest", "0.10.0", "0.9.0"]
    assert "0.10.0/" in (pages / "index.html").read_text()
    assert (pages / "0.9.0" / "index.html").read_text() == "0.9.0"


def test_a_version_replaces_itself_whole(tmp_path: Path) -> None:
    site, pages = tmp_path / "site", tmp_path / "pages"
    (pages / "latest").mkdir(parents=True)
    (pages / "latest" / "gone.html").touch()
    site.mkdir()
    place_site.place(site, pages, "latest")
    assert not (pages / "latest" / "gone.html").exists()
    assert "latest/" in (pages / "index.html").read_text()


def test_other_versions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="three numbers"):
        place_site.place(tmp_path, tmp_path, "../elsewhere")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pictures_have_alternative_texts_and_captions_that_github_shows_too(page: Path) -> None:
    text = page.read_text("utf-8")
    assert "```{figure}" not in text
    assert "```{image}" not in text
    assert "[](" not in text, "GitHub shows a link without text as nothing"
    images = list(IMAGE.finditer(text))
    assert len(images) == len(re.findall(r"!\[", text)), "a picture is a paragraph of its own"
    for image in images:
        assert len(image["alt"]) > 20
        assert image["after"] == "*", f"{image['path']} has a caption in italics below it"
        assert (page.parent / image["path"]).exists()
