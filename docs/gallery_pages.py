"""The pages of the gallery: the order of the jobs, which of them run, and their pictures for light and dark pages."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from matplotlib import pyplot
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from matplotlib.text import Text

__all__ = ["GALLERY", "JOBS", "LONG", "JobOrder", "save_pictures", "scrape_figures"]

GALLERY = Path(__file__).with_name("gallery")
JOBS = (
    *("embed", "search", "compare", "color", "cluster", "superpose", "affinity", "stability"),
    *("molecule", "crystal", "sky", "shapes"),
    *("digits", "train_and_serve", "messages"),
)
LONG = (
    "train_and_serve",
)  # jobs that need more than a minute or two: `nox -s gallery` runs and records them

_INK = {"light": "#1f2428", "dark": "#d6dbe0"}


class JobOrder:
    """The order of the jobs within a section, in the form that Sphinx-Gallery requires."""

    def __init__(self, _folder: str) -> None:
        pass

    def __call__(self, name: str) -> int:
        """Return the position of a job by the name of its file."""
        return JOBS.index(name.removesuffix(".py"))


def executed() -> str:
    """Return a regular expression for the files that run while the site is built."""
    return rf"/(?!({'|'.join(map(re.escape, LONG))})\.py)\w+\.py$"


def _in_ink(figure: Figure, color: str) -> None:
    """Replace the black of text, axes and ticks by one color, and make the background transparent."""
    figure.patch.set_alpha(0)
    for text in figure.findobj(Text):
        if isinstance(text, Text) and any(
            same_color(text.get_color(), ink) for ink in ("black", *_INK.values())
        ):
            text.set_color(color)
    for axes in figure.axes:
        axes.patch.set_alpha(0)
        axes.tick_params(color=color, labelcolor=color)
        for spine in axes.spines.values():
            spine.set_edgecolor(color)
        if (legend := axes.get_legend()) is not None:
            legend.get_frame().set_alpha(0)


def save_pictures(figure: Figure, path: Path) -> dict[str, Path]:
    """Save a figure for light pages at a path and for dark pages beside it, and return both paths."""
    saved = {}
    for theme, color in _INK.items():
        _in_ink(figure, color)
        saved[theme] = path if theme == "light" else path.with_stem(f"{path.stem}_dark")
        figure.savefig(saved[theme], dpi=160, bbox_inches="tight")
    return saved


def _figures() -> Iterator[Figure]:
    yield from map(pyplot.figure, pyplot.get_fignums())


def scrape_figures(_block: object, block_vars: Mapping[str, Any], gallery_conf: Mapping[str, Any]) -> str:
    """Save the figures of a block of code, titled by their numbers, and return the reStructuredText that shows them."""
    shown = []
    for figure in _figures():
        title = str(figure.get_label())
        for theme, path in save_pictures(figure, Path(next(block_vars["image_path_iterator"]))).items():
            place = path.relative_to(gallery_conf["src_dir"]).as_posix()
            shown.append(figure_directive(f"/{place}", title, theme))
    pyplot.close("all")
    return "\n".join(shown)


def figure_directive(place: str, title: str, theme: str) -> str:
    """Return the reStructuredText of a picture that is shown in one theme, with its caption.

    Examples
    --------
    >>> print(figure_directive("/a.png", "A line", "dark"))
    .. figure:: /a.png
       :alt: A line
       :figclass: job only-dark
    <BLANKLINE>
       A line.
    <BLANKLINE>
    """
    return f".. figure:: {place}\n   :alt: {title}\n   :figclass: job only-{theme}\n\n   {title}.\n"
