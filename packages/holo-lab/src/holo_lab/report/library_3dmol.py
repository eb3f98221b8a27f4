"""The script of 3Dmol.js, which draws molecules in 3D."""

from importlib.resources import files

__all__ = ["library_text"]


def library_text() -> str:
    """Return the script with its license; nothing in it would end the HTML script that contains it.

    Examples
    --------
    >>> "</script" in library_text().lower()
    False
    """
    folder = files("holo_lab.report").joinpath("3dmol")
    script = folder.joinpath("3Dmol-min.js").read_text(encoding="utf-8")
    license_ = folder.joinpath("LICENSE").read_text(encoding="utf-8").replace("*/", "* /")
    return f"/*\n{license_}\n*/\n{script}"
