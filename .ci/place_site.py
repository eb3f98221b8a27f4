"""Put a built site among the versions of it that are published: ``place_site.py SITE PAGES VERSION``.

PAGES holds a folder for each version, versions.json, which the switch on every page reads, and index.html, which leads
to the newest release, or to ``latest`` while there is none. Only the standard library is used.
"""

import json
import re
import shutil
import sys
from pathlib import Path

LATEST = "latest"
LEADING_ON = """<!doctype html>
<meta charset="utf-8">
<title>Holo</title>
<meta http-equiv="refresh" content="0; url={version}/">
<a href="{version}/">Holo, {version}</a>
"""


def _order(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def versions_in(pages: Path) -> list[str]:
    """Return the versions that are there: ``latest``, then the releases, the newest first."""
    names = [path.name for path in pages.iterdir() if path.is_dir()]
    releases = sorted(
        (name for name in names if re.fullmatch(r"\d+(\.\d+)*", name)), key=_order, reverse=True
    )
    return [name for name in names if name == LATEST] + releases


def place(site: Path, pages: Path, version: str) -> None:
    """Copy a site in place of an earlier one of its version, and list all versions anew."""
    if version != LATEST and not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise SystemExit(f"version is {version!r}; it must be {LATEST} or three numbers, such as 0.1.0")
    shutil.rmtree(pages / version, ignore_errors=True)
    shutil.copytree(site, pages / version)
    found = versions_in(pages)
    (pages / "versions.json").write_text(json.dumps(found) + "\n", encoding="utf-8")
    first = next((name for name in found if name != LATEST), LATEST)
    (pages / "index.html").write_text(LEADING_ON.format(version=first), encoding="utf-8")
    (pages / ".nojekyll").touch()  # files that begin with an underscore are published as well


if __name__ == "__main__":
    place(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
