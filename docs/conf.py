"""The configuration of the site, which `python3 start.py -s docs` builds."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

from holo_lab.cli.program import app as program

sys.path.insert(0, str(Path(__file__).parent))
from changes import changes  # modules beside this file
from gallery_pages import executed
from site_pages import links_of_the_site, package_page

project = "Holo"
author = "The Holo developers"
copyright = f"2026, {author}"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "demo", "gallery", "jobs/*.json", "results/*/*"]
default_role = "py:obj"

autodoc_default_options = {"members": True, "imported-members": True}
autodoc_typehints_format = "short"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "jobs",
    "filename_pattern": executed(),
    "within_subsection_order": "gallery_pages.JobOrder",
    "subsection_order": ["gallery/proteins", "gallery/points", "gallery/models"],
    "image_scrapers": ("gallery_pages.scrape_figures",),
    "remove_config_comments": True,
    "reset_modules": (),
    "capture_repr": (),
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "abort_on_example_error": True,
}

html_theme = "furo"
html_title = "Holo"
html_static_path = ["static"]
html_css_files = ["holo.css"]
html_js_files = ["versions.js"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#00695c", "color-brand-content": "#00695c"},
    "dark_css_variables": {"color-brand-primary": "#4db6ac", "color-brand-content": "#4db6ac"},
}


def escape_bars(
    _app: Sphinx, _what: str, _name: str, _object: object, _options: object, lines: list[str]
) -> None:
    """Escape |x| in docstrings, which reStructuredText would read as a substitution."""
    for number, line in enumerate(lines):
        pieces = line.split("``")
        pieces[::2] = [piece.replace("|", r"\|") for piece in pieces[::2]]
        lines[number] = "``".join(pieces)


def skip_aliases(
    _app: Sphinx, _what: str, _name: str, member: object, skip: bool, _options: object
) -> bool | None:
    """Leave out the fields of named tuples, which their class describes."""
    return (
        True
        if (getattr(member, "__doc__", None) or "").startswith("Alias for field number")
        else skip or None
    )


def write_command_line(app: Sphinx) -> None:
    """Write the page that describes every command of ``holo``, from the program itself."""
    text = program.generate_docs(output_format="markdown", recursive=True, usage_name="holo")
    text = text.replace("# holo", "# Command line", 1)
    _write_page(app, "reference/command-line.md", text)


def write_changelog(app: Sphinx) -> None:
    """Write the page of all changes, from the changelogs of the packages."""
    _write_page(
        app, "reference/changes.md", changes(sorted(Path(app.srcdir).parent.glob("packages/*/CHANGELOG.md")))
    )


def write_packages(app: Sphinx) -> None:
    """Write a page for each package."""
    for package in sorted(Path(app.srcdir).parent.glob("packages/holo-*")):
        _write_page(app, f"packages/{package.name.removeprefix('holo-')}.md", package_page(package))


def rewrite_links(_app: Sphinx, page: str, source: list[str]) -> None:
    """Let links to files of the repository lead to the pages that are made of them."""
    source[0] = links_of_the_site(source[0], page)


def _write_page(app: Sphinx, name: str, text: str) -> None:
    page = Path(app.srcdir) / name
    page.parent.mkdir(exist_ok=True)
    if not page.is_file() or page.read_text(encoding="utf-8") != text:  # otherwise Sphinx would read it again
        page.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Connect the hooks (Sphinx calls this)."""
    app.connect("builder-inited", write_command_line)
    app.connect("builder-inited", write_changelog)
    app.connect("builder-inited", write_packages)
    app.connect("source-read", rewrite_links)
    app.connect("autodoc-process-docstring", escape_bars)
    app.connect("autodoc-skip-member", skip_aliases)
