"""Scripts by which PyMOL and ChimeraX color a structure.

They contain no text from a file. Atoms are selected by their serial numbers in the written structure, and the only name
is that of the file of the structure, whose characters are checked.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from holo_types import HoloError
from holo_types.files.atomic import replacing
from holo_types.folders import no_link

from .scales import NO_VALUE, ColorScale

__all__ = ["script_paths", "write_scripts"]

_SIGNS = frozenset(" _-.+()")
_PYMOL, _CHIMERAX = ".pml", ".cxc"


def script_paths(structure: Path) -> tuple[Path, Path]:
    """Return the paths of the scripts for PyMOL and ChimeraX beside a structure.

    Raises
    ------
    HoloError
        If the name of the file contains characters that have a meaning in a script.

    Examples
    --------
    >>> [path.name for path in script_paths(Path("painted.cif"))]
    ['painted.pml', 'painted.cxc']
    """
    wrong = next((sign for sign in structure.name if not (sign.isalnum() or sign in _SIGNS)), None)
    if wrong is not None:
        raise HoloError(
            f"{structure}: has {wrong!r} in its name, which a script cannot name; letters, digits, blanks and any of "
            "_-.+() are possible"
        )
    return no_link(structure.with_suffix(_PYMOL)), no_link(structure.with_suffix(_CHIMERAX))


def write_scripts(
    structure: Path, values: Float[np.ndarray, "atoms"], scale: ColorScale, arrows: Path | None = None
) -> tuple[Path, Path]:
    """Write the scripts that color a structure by its B-factors, in the same folder.

    Parameters
    ----------
    structure
        The file of the structure, with the values as its B-factors and with serial numbers from 1.
    values : Float[ndarray, "atoms"]
        The value of each atom, or NaN if it has none.
    scale
        The colors of the values.
    arrows
        A ``.bild`` file in the same folder, which ChimeraX also opens, but hides.

    Returns
    -------
    tuple of Path and Path
        The scripts for PyMOL and for ChimeraX, each written atomically.

    Raises
    ------
    HoloError
        If a file cannot be written, or `script_paths` refuses the name.
    """
    pymol, chimerax = script_paths(structure)
    name = "holo_" + re.sub(r"[^0-9A-Za-z]", "_", structure.stem)
    without = _runs(np.isnan(values))
    for path, lines in (
        (pymol, _pymol(structure.name, name, without, scale)),
        (chimerax, _chimerax(structure.name, name, without, scale, arrows)),
    ):
        with replacing(path) as new:
            new.write_text("\n".join([*lines, ""]), encoding="utf-8", newline="\n")
    return pymol, chimerax


def _pymol(file: str, name: str, without: list[tuple[int, int]], scale: ColorScale) -> Iterator[str]:
    yield "# For PyMOL: File > Run Script, or name it after `pymol` in a shell."
    yield "python"
    yield "import os"
    yield f'cmd.load(os.path.join(os.path.dirname(__script__), {file!a}), "{name}")'
    yield "python end"
    yield f"as cartoon, {name}"
    yield f"show sticks, {name} and organic"
    yield f"show spheres, {name} and inorganic"
    if scale.classes:
        yield f"color 0x{NO_VALUE}, {name}"
        for number, color in enumerate(scale.colors, start=1):
            yield f"color 0x{color}, {name} and b > {number - 0.5} and b < {number + 0.5}"
    else:
        colors, (least, most) = " ".join(f"0x{color}" for color in scale.colors), scale.limits
        yield f"spectrum b, {colors}, {name}, minimum={least:.6g}, maximum={most:.6g}"
    for first, last in without:
        yield f"color 0x{NO_VALUE}, {name} and id {first}-{last}"
    yield f"orient {name}"


def _chimerax(
    file: str, name: str, without: list[tuple[int, int]], scale: ColorScale, arrows: Path | None
) -> Iterator[str]:
    model = f'##name="{name}"'
    yield "# For ChimeraX: File > Open."
    yield f'open "{file}" name {name}'
    if scale.classes:
        yield f"color {model} #{NO_VALUE}"
        for number, color in enumerate(scale.colors, start=1):
            yield f"color {model} & @@bfactor>{number - 0.5} & @@bfactor<{number + 0.5} #{color}"
    else:
        palette, (least, most) = ":".join(f"#{color}" for color in scale.colors), scale.limits
        yield f"color byattribute a:bfactor {model} palette {palette} range {least:.6g},{most:.6g}"
    for first, last in without:
        yield f"color {model} & @@serial_number>={first} & @@serial_number<={last} #{NO_VALUE}"
    if arrows is not None:
        yield f'# The frames are there, but hidden: show {model[:-1]}_frames" models'
        yield f'open "{arrows.name}" name {name}_frames'
        yield f'hide ##name="{name}_frames" models'
    yield f"view {model}"


def _runs(chosen: Bool[np.ndarray, "atoms"]) -> list[tuple[int, int]]:
    """Return the first and the last serial number, counted from 1, of each run of chosen atoms."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
    return [(int(first) + 1, int(last)) for first, last in edges.reshape(-1, 2)]
