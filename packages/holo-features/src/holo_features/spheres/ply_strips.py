"""Read PLY files whose faces are strips of triangles, as written by scanners and Stanford's tools."""

import re
from collections.abc import Iterator, Sequence

import attrs
import numpy as np
from jaxtyping import Float, Int

from holo_types import FormatError

__all__ = ["check_header", "declared_faces", "has_strips", "read_strips"]

_HEADER = re.compile(rb"ply\s.*?end_header[ \t]*\r?\n", re.DOTALL)
# The declaration of the number of faces; no file has more digits.
_FACES = re.compile(rb"^element[ \t]+face[ \t]+(\d{1,18})[ \t]*\r?$", re.MULTILINE)
_DECLARED = re.compile(rb"^[ \t]*(?:element|property)\b", re.MULTILINE)
_MOST_DECLARED = 1000  # elements and properties; a cloud of Gaussians has 63
_STRIPS = re.compile(rb"^element[ \t]+tristrips[ \t]", re.MULTILINE)
_TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}
_END = -1  # the end of a strip in a list of several


@attrs.frozen
class _Element:
    """An element of the header; its properties have types, and lists also a type of their length."""

    name: str
    count: int
    properties: list[tuple[str, str, str | None]]


def has_strips(content: bytes) -> bool:
    """Return whether the header of a PLY file declares strips of triangles."""
    header = _HEADER.match(content)
    return header is not None and bool(_STRIPS.search(header[0]))


def check_header(content: bytes) -> None:
    """Refuse a header of so many elements and properties that reading them would take minutes.

    Raises
    ------
    FormatError
        If there are more than 1,000.
    """
    header = _HEADER.match(content)
    count = len(_DECLARED.findall(header[0])) if header else 0
    if count > _MOST_DECLARED:
        raise FormatError(f"its header has {count} elements and properties; it may have {_MOST_DECLARED}")


def declared_faces(content: bytes) -> int | None:
    r"""Return the number of faces that the header of a PLY file declares, or None if it declares none.

    Examples
    --------
    >>> declared_faces(b"ply\ncomment element face 7\nelement face 12\nend_header\nelement face 9\n")
    12
    """
    header = _HEADER.match(content)
    declared = _FACES.search(header[0]) if header else None
    return int(declared[1]) if declared else None


def read_strips(content: bytes) -> tuple[Float[np.ndarray, "vertices 3"], Int[np.ndarray, "faces 3"]]:
    r"""Read vertices and triangles. Each vertex of a strip after the second forms a triangle with the two before it.

    Every second triangle is reversed, so that all have the same winding; a triangle with a repeated vertex is left out.

    Raises
    ------
    FormatError
        If the header is not PLY's, or the file ends before what it declares.

    Examples
    --------
    >>> header = ["ply", "format ascii 1.0", "element vertex 4", *(f"property float {axis}" for axis in "xyz")]
    >>> header += ["element tristrips 1", "property list int int vertex_indices", "end_header"]
    >>> lines = [*header, "0 0 0", "1 0 0", "0 1 0", "1 1 0", "4 0 1 2 3", ""]
    >>> read_strips("\n".join(lines).encode())[1].tolist()
    [[0, 1, 2], [2, 1, 3]]
    """
    header = _HEADER.match(content)
    if header is None:
        raise FormatError("it has no header that ends in end_header")
    lines = header[0].decode("latin-1").split("\n")
    form = next((line.split()[1] for line in lines if line.startswith("format ")), "")
    elements = list(_elements(lines))
    empty = next((element.name for element in elements if not element.properties), None)
    if empty is not None:
        raise FormatError(f"its element {empty} has no property")
    body = content[header.end() :]
    if form == "ascii":
        values = _ascii(body, elements)
    elif form in ("binary_little_endian", "binary_big_endian"):
        values = _binary(body, elements, "<" if "little" in form else ">")
    else:
        raise FormatError(
            f"its format is {form!r}; it must be ascii, binary_little_endian or binary_big_endian"
        )
    found = {element.name: rows for element, rows in zip(elements, values, strict=True)}
    vertex = next((element for element in elements if element.name == "vertex"), None)
    names = [name for name, _, _ in vertex.properties] if vertex else []
    if not {"x", "y", "z"} <= set(names):
        raise FormatError("its vertices have no x, y and z")
    columns = [names.index(axis) for axis in "xyz"]
    positions = [[row[i][0] for i in columns] for row in found["vertex"]]
    strips = [[int(i) for i in part] for row in found["tristrips"] for part in row if len(part) > 1]
    triangles = [triangle for strip in strips for triangle in _triangles(strip)]
    return (
        np.array(positions, dtype=np.float64).reshape(-1, 3),
        np.array(triangles, dtype=np.int64).reshape(-1, 3),
    )


def _elements(lines: Sequence[str]) -> Iterator[_Element]:
    element: _Element | None = None
    for line in lines:
        words = line.split()
        if words[:1] == ["element"] and len(words) == 3 and words[2].isdigit():
            if element:
                yield element
            element = _Element(words[1], int(words[2]), [])
        elif words[:1] == ["property"] and element:
            kinds = words[2:4] if words[1] == "list" else words[1:2]
            if any(kind not in _TYPES for kind in kinds) or len(words) != (5 if words[1] == "list" else 3):
                raise FormatError(f"its header has {line.strip()!r}, which is not a property")
            length = _TYPES[kinds[0]] if words[1] == "list" else None
            element.properties.append((words[-1], _TYPES[kinds[-1]], length))
    if element:
        yield element


def _ascii(body: bytes, elements: Sequence[_Element]) -> list[list[list[list[float]]]]:
    """Return the values of each property of each row of each element."""
    words = iter(body.split())
    try:
        return [
            [
                [
                    [float(next(words)) for _ in range(1 if length is None else int(next(words)))]
                    for _, _, length in element.properties
                ]
                for _ in range(element.count)
            ]
            for element in elements
        ]
    except StopIteration:
        raise FormatError("it ends before its last element") from None


def _binary(body: bytes, elements: Sequence[_Element], order: str) -> list[list[list[list[float]]]]:
    place = 0

    def take(kind: str, count: int) -> list[float]:
        nonlocal place
        dtype = np.dtype(order + kind)
        end = place + count * dtype.itemsize
        if count < 0 or end > len(body):
            raise FormatError("it ends before its last element")
        values: list[float] = np.frombuffer(body[place:end], dtype=dtype).astype(np.float64).tolist()
        place = end
        return values

    return [
        [
            [
                take(kind, 1 if length is None else int(take(length, 1)[0]))
                for _, kind, length in element.properties
            ]
            for _ in range(element.count)
        ]
        for element in elements
    ]


def _triangles(strip: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    start = 0
    for i, corner in enumerate(strip):
        if corner == _END:
            start = i + 1
        elif i - start >= 2:
            a, b = strip[i - 2], strip[i - 1]
            if len({a, b, corner}) == 3:
                yield (a, b, corner) if (i - start) % 2 == 0 else (b, a, corner)
