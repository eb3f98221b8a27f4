"""Versions of the site lie beside one another, and the pages tell what their pictures show."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest
import yaml

import holo_lab

sys.path.insert(0, str(Path(__file__).parent))
from changes import changes
from page_tables import PLACES, inlined

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


def test_the_citation_is_of_this_version_and_names_the_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert {"cff-version", "message", "title", "authors", "version", "license"} <= citation.keys()
    assert citation["version"] == holo_lab.__version__
    assert citation["preferred-citation"]["doi"] == "10.1103/PhysRevResearch.6.023006"
    assert all(
        author.keys() == {"family-names", "given-names"}
        for author in citation["preferred-citation"]["authors"]
    )


def test_the_page_of_changes_has_those_of_every_package() -> None:
    changelogs = sorted(ROOT.glob("packages/*/CHANGELOG.md"))
    text = changes(changelogs)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [path.parent.name for path in changelogs]
    assert text.count("### 0.1.0") >= len(changelogs)


def test_tables_in_pages_are_those_of_the_files(tmp_path: Path) -> None:
    pages = [page for page in PAGES if "<!-- table: " in page.read_text("utf-8")]
    assert pages
    for page in pages:
        text = page.read_text("utf-8")
        assert len(PLACES.findall(text)) == text.count("<!-- table: ")
        assert inlined(page) == text, f"{page.name} is made current by: python docs/page_tables.py"
    (tmp_path / "tables.md").write_text("<!-- a -->\n| 1 |\n<!-- end a -->\n")
    (tmp_path / "page.md").write_text("<!-- table: tables.md a -->\n\n| 0 |\n\n<!-- end table -->\n")
    assert "| 1 |" in inlined(tmp_path / "page.md")
    (tmp_path / "page.md").write_text("<!-- table: tables.md b -->\n<!-- end table -->\n")
    with pytest.raises(ValueError, match="has no table b"):
        inlined(tmp_path / "page.md")


def test_the_table_of_distances_is_the_one_that_was_measured() -> None:
    results = ROOT / "docs" / "results"
    assert (results / "distances" / "table.md").read_text("utf-8") in (results / "distances.md").read_text(
        "utf-8"
    )
