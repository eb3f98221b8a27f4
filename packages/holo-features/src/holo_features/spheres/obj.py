"""Convert OBJ files whose faces count vertices backwards to the usual form."""

import re

from holo_types import FormatError

__all__ = ["absolute_indices"]

_RELATIVE = re.compile(rb"^[ \t]*f[ \t][^\n]*-[0-9]", re.MULTILINE)
_COUNTED = (b"v", b"vt", b"vn")  # in the order of the corner of a face, v/vt/vn


def absolute_indices(content: bytes) -> bytes:
    r"""Write the corners of faces as numbers from 1; the format also allows counting backwards from a face.

    Raises
    ------
    FormatError
        If a face refers to more vertices than precede it.

    Examples
    --------
    >>> absolute_indices(b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf -3 -2 -1\n").splitlines()[-1]
    b'f 1 2 3'
    """
    content = re.sub(rb"\\[ \t]*\r?\n", b" ", content)
    if not _RELATIVE.search(content):
        return content
    counts = dict.fromkeys(_COUNTED, 0)
    lines = re.split(rb"\r\n|\r|\n", content)
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


def _corner(value: bytes, counts: dict[bytes, int]) -> bytes:
    parts = value.split(b"/")
    for i, (kind, part) in enumerate(zip(_COUNTED, parts, strict=False)):
        if part.startswith(b"-"):
            index = counts[kind] + int(part) + 1
            if index < 1:
                raise ValueError(f"it has the relative index {int(part)}, and {counts[kind]} come before it")
            parts[i] = b"%d" % index
    return b"/".join(parts)
