"""The page as one HTML file that fetches nothing: scripts, styles, facts and arrays."""

import base64
import hashlib
import html
import re
from graphlib import TopologicalSorter
from importlib.resources import files
from pathlib import Path
from string import Template

import attrs

from holo_lab.report.library_3dmol import library_text
from holo_types import HoloError
from holo_types.files.atomic import replacing

from .contents import Contents, packed, page_arrays, page_facts, script_json

__all__ = ["MOST_BYTES", "page_text", "write_explore_page"]

MOST_BYTES = 15_000_000
_IMPORT = re.compile(r"^import (\{[^}]*\}) from \"\./(\w+)\.js\";$", re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async function|function|class|const) (\w+))", re.MULTILINE)


def write_explore_page(contents: Contents, path: Path) -> bool:
    """Write the page, leaving out the atoms if it would otherwise exceed 15 MB.

    Parameters
    ----------
    contents
        The contents of the page.
    path
        The HTML file, which is replaced if it exists.

    Returns
    -------
    bool
        Whether the page shows residues in 3D.

    Raises
    ------
    HoloError
        If the file cannot be written, or would exceed 15 MB even without the atoms.
    """
    text, atoms = page_text(contents, atoms=True), True
    if len(text) > MOST_BYTES:
        note = f"3D is left out, since the page would have {len(text) / 1e6:.1f} MB with it. {contents.note}".strip()
        text, atoms = page_text(attrs.evolve(contents, note=note), atoms=False), False
    if len(text) > MOST_BYTES:
        raise HoloError(
            f"{path}: the page would have {len(text) / 1e6:.1f} MB; it must have at most {MOST_BYTES / 1e6:.0f} MB: "
            "give fewer residues"
        )
    with replacing(path) as new:
        new.write_bytes(text)
    return atoms


def page_text(contents: Contents, *, atoms: bool) -> bytes:
    """Return the page in UTF-8."""
    arrays, block = packed(page_arrays(contents, atoms=atoms))
    facts = script_json({**page_facts(contents, atoms=atoms), "arrays": arrays})
    styles = _asset("explore.css")
    scripts = [library_text()] * atoms + [_joined_scripts()]
    hashes = " ".join(_hash(script) for script in scripts)
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src {_hash(styles)}; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    page = Template(_asset("explore.html")).substitute(
        title=html.escape(contents.title),
        policy=html.escape(policy, quote=True).replace("&#x27;", "'"),
        styles=styles,
        facts=facts,
        arrays=block,
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )
    return page.encode("utf-8")


def _asset(name: str) -> str:
    return files("holo_lab.explore").joinpath("assets", name).read_text(encoding="utf-8")


def _joined_scripts() -> str:
    """Return the modules as one script, each in its own scope, since a module inside a page cannot import another."""
    assets = files("holo_lab.explore").joinpath("assets").iterdir()
    modules = {
        asset.name[:-3]: asset.read_text(encoding="utf-8") for asset in assets if asset.name.endswith(".js")
    }
    imported = {name: [other for _, other in _IMPORT.findall(modules[name])] for name in sorted(modules)}
    order = TopologicalSorter(imported).static_order()
    return "\n".join(['"use strict";', *(_scope(name, modules[name]) for name in order)])


def _scope(name: str, module: str) -> str:
    exported = ", ".join(name for _, name in _EXPORT.findall(module))
    body = _IMPORT.sub(r"const \1 = \2Module;", _EXPORT.sub(r"\1", module))
    return f"const {name}Module = (() => {{\n{body}return {{ {exported} }};\n}})();"


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
