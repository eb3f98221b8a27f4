"""Chromium for the tests, and the pages that it opens. The first error in the console of any page fails its test."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, ViewportSize, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))

from pages import hostile_contents, many_contents, real_contents

from holo_lab.explore.contents import Contents
from holo_lab.explore.page import write_explore_page

Open = Callable[..., Page]

# With these options Chromium draws WebGL without a graphics card, and runs in a container without its sandbox.
ARGUMENTS = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox")
WIDE = ViewportSize(width=1440, height=900)


def chromium() -> str:
    """Return the path of Chromium."""
    names = (os.environ.get("HOLO_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    found = next((path for path in map(shutil.which, filter(None, names)) if path), None)
    if found is None:
        pytest.exit("there is no Chromium: apt install chromium, or name it in HOLO_CHROMIUM", returncode=1)
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Chromium once."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def contents() -> Contents:
    """Return the contents of a page of real residues."""
    return real_contents(6, "pca")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, contents: Contents) -> Path:
    """Write the pages of all tests."""
    made = tmp_path_factory.mktemp("pages")
    write_explore_page(contents, made / "real.html")
    write_explore_page(hostile_contents(contents), made / "hostile.html")
    write_explore_page(many_contents(contents), made / "many.html")
    return made


@pytest.fixture
def open_page(browser: Browser, folder: Path) -> Iterator[Open]:
    """Open a page of the folder, and fail if it fetches anything or reports an error."""
    complaints: list[str] = []
    contexts = []

    def opened(
        name: str = "real",
        fragment: str = "",
        *,
        size: ViewportSize = WIDE,
        dark: bool = False,
        complains: bool = False,
    ) -> Page:
        context = browser.new_context(
            viewport=size, color_scheme="dark" if dark else "light", reduced_motion="reduce", offline=True
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        address = (folder / f"{name}.html").as_uri()

        def fetched(request: Request) -> None:
            if not request.url.startswith((address, "data:", "blob:")):
                complaints.append(request.url[:200])

        if not complains:
            page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", fetched)
        page.goto(f"{address}{fragment}")
        page.wait_for_selector("body[data-ready]")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
