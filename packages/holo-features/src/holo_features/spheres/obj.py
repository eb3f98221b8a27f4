"""Convert OBJ files to their vertices and faces alone, in the usual form."""

import re

import numpy as np

from holo_types import FormatError

__all__ = ["plain_obj"]

_RELATIVE = re.compile(rb"^[ \t]*f[ \t][^\n]*-[0-9]", re.MULTILINE)
# Materials, objects and groups. trimesh would read each part between them on its own, which takes minutes for many.
_PARTS = re.compile(rb"^[ \t]*(?:usemtl|mtllib|o|g|s)(?:[ \t][^\n]*)?$", re.MULTILINE)
_MOST_CORNERS = 10_000  # of a polygon
_MOST_DIGITS = 18  # of an index
_COUNTED = (b"v", b"vt", b"vn")  # in the order of the corner of a face, v/vt/vn


def plain_obj(content: bytes) -> bytes:
    r"""Leave out materials, objects and groups, and write the corners of faces as numbers from 1.

    The format also allows counting backwards from a face. Every line keeps its number, unless a backslash joins lines.

    Raises
    ------
    FormatError
        If a face refers to more vertices than precede it, or has more than 10,000 corners.

    Examples
    --------
    >>> plain_obj(b"usemtl red\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf -3 -2 -1\n").splitlines()[-1]
    b'f 1 2 3'
    """
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    content = _PARTS.sub(b"", re.sub(rb"\\[ \t]*\n", b" ", content))
    _check_corners(content)
    if not _RELATIVE.search(content):
        return content
    counts = dict.fromkeys(_COUNTED, 0)
    lines = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        word, *values = line.partition(b"#")[0].split() or [b""]
        if word in counts:
            counts[word] += 1
        elif word == b"f":
            try:
                corners = [_corner(value, counts) for value in values]
            except ValueError as error:
                raise FormatError(f"line {number}, a face: {error}") from None
            lines[number - 1] = b" ".join([b"f", *corners])
    return b"\n".join(lines)


def _check_corners(content: bytes) -> None:
    ends = np.append(np.flatnonzero(np.frombuffer(content, dtype=np.uint8) == ord("\n")), len(content))
    for number in np.flatnonzero(np.diff(ends, prepend=-1) > 2 * _MOST_CORNERS).tolist():
        word, *corners = content[ends[number - 1] if number else 0 : ends[number]].split() or [b""]
        if word == b"f" and len(corners) > _MOST_CORNERS:
            raise FormatError(
                f"line {number + 1}, a face, has {len(corners)} corners; it may have {_MOST_CORNERS}"
            )


def _corner(value: bytes, counts: dict[bytes, int]) -> bytes:
    parts = value.split(b"/")
    for i, (kind, part) in enumerate(zip(_COUNTED, parts, strict=False)):
        if part.startswith(b"-"):
            if len(part) > _MOST_DIGITS:
                raise ValueError(f"it has a relative index of {len(part) - 1} digits")
            index = counts[kind] + int(part) + 1
            if index < 1:
                raise ValueError(f"it has the relative index {int(part)}, and {counts[kind]} come before it")
            parts[i] = b"%d" % index
    return b"/".join(parts)
