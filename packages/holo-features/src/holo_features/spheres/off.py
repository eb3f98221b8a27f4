"""Read OFF files into vertices and triangles."""

import re

import numpy as np
from jaxtyping import Float, Int

from holo_types import FormatError

__all__ = ["read_off"]

# Colors, normals and texture coordinates may follow the position; four coordinates (4OFF) or n (nOFF) may not.
_HEAD = re.compile(rb"\s*+(?:ST)?C?N?OFF")
_COMMENT = re.compile(rb"#[^\n]*")
_NUMERIC = b"0123456789+-.eE \t\n"
_SHORTEST = 3  # corners of a polygon


def read_off(content: bytes) -> tuple[Float[np.ndarray, "vertices 3"], Int[np.ndarray, "faces 3"]]:
    r"""Read a mesh; its polygons are cut into fans of triangles.

    Parameters
    ----------
    content
        The content of the file. Its counts may follow ``OFF`` without a blank, as in many files of ModelNet.

    Returns
    -------
    vertices : Float[ndarray, "vertices 3"]
        Positions.
    faces : Int[ndarray, "faces 3"]
        Vertices of the triangles, in the order of the file.

    Raises
    ------
    FormatError
        If it is not an OFF file, or its counts differ from its lines; the message does not name the file.

    Notes
    -----
    Geomview's format, http://www.geomview.org/docs/html/OFF.html, with one vertex or face on each line.

    Examples
    --------
    >>> vertices, faces = read_off(b"OFF\n4 1 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3\n")
    >>> vertices.shape, faces.tolist()
    ((4, 3), [[0, 1, 2], [0, 2, 3]])
    """
    text = _COMMENT.sub(b"", content.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    head = _HEAD.match(text)
    if head is None:
        raise FormatError("it does not begin with OFF")
    body = text[head.end() :]
    if other := body.translate(None, _NUMERIC):
        raise FormatError(f"it has {other[:1].decode('latin-1')!r} among its numbers")
    lines = [words for line in body.split(b"\n") if (words := line.split())]
    counts = _integers(lines[0], 1) if lines else []
    if len(counts) not in {2, 3} or min(counts) < 0:
        raise FormatError("its first line does not count vertices and faces")
    vertices, faces = counts[:2]
    if len(lines) != 1 + vertices + faces:
        raise FormatError(
            f"it counts {vertices} vertices and {faces} faces; it has {len(lines) - 1} lines for them"
        )
    positions = _positions(lines[1 : vertices + 1])
    triangles: list[tuple[int, int, int]] = []
    for number, line in enumerate(lines[vertices + 1 :], start=1):
        triangles += _fan(line, vertices, number)
    return positions, np.array(triangles, dtype=np.int64).reshape(-1, 3)


def _positions(lines: list[list[bytes]]) -> Float[np.ndarray, "vertices 3"]:
    for number, line in enumerate(lines, start=1):
        if len(line) < 3:
            raise FormatError(f"vertex {number} has {len(line)} coordinates; it must have 3")
    try:
        return np.array([line[:3] for line in lines], dtype=np.float64).reshape(-1, 3)
    except ValueError as error:
        raise FormatError(f"a coordinate is not a number: {error}") from None


def _fan(line: list[bytes], vertices: int, number: int) -> list[tuple[int, int, int]]:
    """Cut a polygon into triangles."""
    (size,) = _integers(line[:1], number)
    corners = _integers(line[1 : max(size, 0) + 1], number)
    if size < _SHORTEST or len(corners) < size:
        raise FormatError(
            f"face {number} has {len(corners)} corners; it says {size}, and must have 3 at least"
        )
    if min(corners) < 0 or max(corners) >= vertices:
        raise FormatError(f"face {number} has a vertex that is not among its {vertices}")
    return [(corners[0], corners[i], corners[i + 1]) for i in range(1, size - 1)]


def _integers(words: list[bytes], number: int) -> list[int]:
    try:
        return [int(word) for word in words]
    except ValueError:
        shown = b" ".join(words).decode("ascii")
        raise FormatError(f"{shown!r} (line {number} of its kind) must be integers") from None
