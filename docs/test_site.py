"""Versions of the site lie beside one another, and the pages tell what their pictures show."""

import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from PIL import Image

import holo_lab
from holo_types import FormatError

sys.path.insert(0, str(Path(__file__).parent))
from changes import changes
from page_tables import PLACES, inlined
from site_pages import links_of_the_site, package_page

ROOT = Path(__file__).parent.parent
INDEX = ROOT / "docs" / "index.md"
LONGEST = 121  # characters of a line of code, of which a wide screen shows 117
PAGES = sorted(
    {
        ROOT / "README.md",
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("docs/guides/*.md"),
        *ROOT.glob("docs/results/*.md"),
    }
)
SHOWN = sorted({*PAGES, *ROOT.glob("*.md"), *ROOT.glob("packages/*/*.md"), *ROOT.glob("services/*.md")})
IMAGE = re.compile(r"^!\[(?P<alt>.*?)\]\((?P<path>[^)]+)\)\n\n(?P<after>.)", re.MULTILINE)


def script(name: str, path: Path) -> ModuleType:
    """Import a script by its path."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


place_site = script("place_site", ROOT / ".ci" / "place_site.py")
speed = script("speed", ROOT / "docs" / "results" / "speed.py")


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


def spans(tokens: list[Token]) -> Iterator[tuple[str, str]]:
    """Find the links in what is inside a block: where each leads, and what is shown of it."""
    for number, token in enumerate(tokens):
        if token.type == "link_open":
            rest = tokens[number + 1 :]
            inside = rest[: [one.type for one in rest].index("link_close")]
            shown = "".join(one.content if one.type != "image" else "an image" for one in inside)
            yield str(token.attrs["href"]), shown


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: str(page.relative_to(ROOT)))
def test_github_shows_all_of_a_page(page: Path) -> None:
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8")):
        if token.type == "fence":
            assert not token.info.startswith("{") or (page == INDEX and token.info == "{toctree}")
            longest = max(map(len, token.content.splitlines()))
            assert longest <= LONGEST, "code that is wider than its column is cut off"
        written = [one.content for one in token.children or () if one.type == "text"]
        assert not [text for text in written if re.search(r"\{[\w:-]+\}$", text)], (
            "GitHub does not know roles"
        )
        for leads, shown in spans(token.children or []):
            assert shown.strip(), f"GitHub shows the link to {leads} as nothing"
            here = not re.match(r"https?:|mailto:|#", leads) and not leads.startswith("reference/")
            assert not here or (page.parent / leads.partition("#")[0]).exists(), f"{leads} does not exist"


def test_links_lead_to_what_the_site_has() -> None:
    text = "[a](../packages/holo-nn/README.md#layers), [b](gallery/README.rst), [c](guides/search.md)"
    there = "[a](packages/nn.md#layers), [b](jobs/index.rst), [c](guides/search.md)"
    assert links_of_the_site(text, "index") == there
    menu = re.findall(r"^packages/(.+)$", INDEX.read_text("utf-8"), re.MULTILINE)
    packages = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
    assert sorted(menu) == [path.name.removeprefix("holo-") for path in packages]
    for path in packages:
        assert f"automodule:: {path.name.replace('-', '_')}\n" in package_page(path)


@pytest.mark.parametrize(
    "picture",
    sorted(
        {page.parent / image["path"] for page in PAGES for image in IMAGE.finditer(page.read_text("utf-8"))}
    ),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_pictures_have_a_ground_of_their_own_and_are_readable_on_dark_pages_too(picture: Path) -> None:
    pixels = np.asarray(Image.open(picture).convert("RGBA"))
    assert (pixels[..., 3] == 255).all()


def test_the_recipe_of_the_guide_is_that_of_the_demo() -> None:
    recipe = (ROOT / "docs" / "demo" / "recipe.yaml").read_text("utf-8")
    guide = (ROOT / "docs" / "guides" / "training.md").read_text("utf-8")
    assert f"```yaml\n{recipe}```" in guide
    basis = yaml.safe_load(recipe)["model"]["basis"]
    assert f"--lmax {basis['lmax']} --nmax {basis['radial']['nmax']} " in guide


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


def test_ratios_are_read_from_what_the_benchmark_printed(tmp_path: Path) -> None:
    bench = tmp_path / "bench.txt"
    bench.write_text(
        "protein          1 thread(s)  encode + decode  holo      900   reference       50 samples/s   ratio 18.0\n"
        "protein          peak memory of training above the start: holo  40   reference  320 MiB   share 0.125\n"
    )
    assert speed.read_ratios(bench) == {
        "residues, encode + decode": 18.0,
        "residues, memory of training": 8.0,
    }
    bench.write_text("protein          1 thread(s)  encode           holo    1,361 samples/s\n")
    with pytest.raises(FormatError, match="no line"):
        speed.read_ratios(bench)


def test_the_table_of_distances_is_the_one_that_was_measured() -> None:
    results = ROOT / "docs" / "results"
    assert (results / "distances" / "table.md").read_text("utf-8") in (results / "distances.md").read_text(
        "utf-8"
    )
