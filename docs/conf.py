"""How the site is built: `python3 start.py -s docs`."""

from sphinx.application import Sphinx

project = "Holo"
author = "The Holo developers"
copyright = f"2026, {author}"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "numpydoc"]
exclude_patterns = ["_build", "demo", "results/*/*"]
default_role = "py:obj"

autodoc_default_options = {"members": True, "imported-members": True}
autodoc_typehints_format = "short"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "Holo"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#00695c", "color-brand-content": "#00695c"},
    "dark_css_variables": {"color-brand-primary": "#4db6ac", "color-brand-content": "#4db6ac"},
}


def escape_bars(
    _app: Sphinx, _what: str, _name: str, _object: object, _options: object, lines: list[str]
) -> None:
    """Let |x| in a docstring be a length: to reStructuredText it would be a substitution."""
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


def setup(app: Sphinx) -> None:
    """Connect the hooks (Sphinx calls this)."""
    app.connect("autodoc-process-docstring", escape_bars)
    app.connect("autodoc-skip-member", skip_aliases)
