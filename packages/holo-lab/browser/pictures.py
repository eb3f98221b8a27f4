"""The pictures of the guide: a page of all shipped structures, in both themes and on a phone.

`nox -s browser -- --pictures docs/guides/explore` takes them again.
"""

import argparse
import io
import tempfile
from pathlib import Path

from conftest import ARGUMENTS, chromium
from pages import real_contents
from PIL import Image
from playwright.sync_api import ViewportSize, sync_playwright

from holo_lab.explore.page import write_explore_page

PICTURES = {
    "light": ("#residue=2rn2_A+A+70&color=secondary_structure", 1440, 860),
    "dark": ("#residue=1bvc_A+A+64&color=residue_name&theme=dark", 1440, 860),
    "density": ("#residue=1bvc_A+A+64&color=burial&density=2", 1440, 860),
    "phone": ("#color=z_cluster&residue=1bvc_A+A+93", 390, 780),
}
SETTLED = 2500  # ms
QUALITY = 82


def take(path: Path, folder: Path) -> None:
    """Take the pictures of an existing page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        for name, (fragment, width, height) in PICTURES.items():
            size = ViewportSize(width=width, height=height)
            page = browser.new_page(viewport=size, device_scale_factor=1.25 if width > 600 else 1.5)
            page.goto(path.absolute().as_uri() + fragment)
            page.wait_for_selector("body[data-ready]")
            page.wait_for_timeout(SETTLED)
            whole = page.screenshot(full_page=True)
            picture = Image.open(io.BytesIO(whole))
            picture.convert("RGB").save(folder / f"{name}.webp", quality=QUALITY, method=6)
            page.close()
        browser.close()


def main() -> None:
    """Make the page of the shipped structures, and take its pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        path = Path(made, "shipped.html")
        write_explore_page(real_contents(40, "umap"), path)
        take(path, folder)


if __name__ == "__main__":
    main()
