"""Pages that only the site has, and links that lead to them there and to what is in the repository elsewhere.

In the sources links lead to files of the repository, so that they work on GitHub: to the README of a package, and to
the folder of the gallery's scripts. On the site they lead to the page that is made of these.
"""

import re
from collections.abc import Iterable
from pathlib import Path

__all__ = ["links_of_the_site", "package_page"]

_README = re.compile(r"\]\((?:\.\./)+packages/holo-(\w+)/README\.md(?=[#)])")
_GALLERY = re.compile(r"\]\(((?:\.\./)*)gallery/README\.rst(?=[#)])")

# Modules whose names a package does not have itself, and what they are about.
_FURTHER: dict[str, dict[str, tuple[str, ...]]] = {
    "holo_features": {"Data that comes with it": ("holo_features.datasets",)},
    "holo_vae": {
        "Promotion": (
            "holo_vae.promotion.promotions",
            "holo_vae.promotion.rollbacks",
            "holo_vae.promotion.history",
        ),
        "Behind MLflow's scoring server": ("holo_vae.serving.service",),
    },
}


def links_of_the_site(text: str, page: str) -> str:
    """Return the text of a page, such as ``guides/training``, with the links that the site has.

    Examples
    --------
    >>> links_of_the_site("[holo-nn](../../packages/holo-nn/README.md)", "guides/training")
    '[holo-nn](../packages/nn.md)'
    >>> links_of_the_site("the [gallery](gallery/README.rst)", "index")
    'the [gallery](jobs/index.rst)'
    """
    above = "../" * page.count("/")
    return _GALLERY.sub(r"](\1jobs/index.rst", _README.sub(rf"]({above}packages/\1.md", text))


def package_page(package: Path) -> str:
    """Return the page of a package, given its folder: its README, and what its public docstrings say."""
    module = package.name.replace("-", "_")
    sections: dict[str, tuple[str, ...]] = {"## Reference": (module,)}
    sections |= {f"### {title}": names for title, names in _FURTHER.get(module, {}).items()}
    return f"```{{include}} ../../packages/{package.name}/README.md\n```\n" + "".join(
        f"\n{title}\n\n```{{eval-rst}}\n{_directives(names)}\n```\n" for title, names in sections.items()
    )


def _directives(modules: Iterable[str]) -> str:
    return "\n\n".join(f".. automodule:: {name}" for name in modules)
