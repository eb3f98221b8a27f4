"""Damage to files, both random and specific to a format.

Every function takes the content and a `random.Random`, which alone determines the damage.
"""

import gzip
import re
import zlib
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import cache
from random import Random
from typing import Any

import msgpack  # type: ignore[import-untyped]
from originals import originals

__all__ = ["SUFFIXES", "TOKENS", "containers", "mutated", "overwrite_pdb_field", "overwrite_token", "packed"]

SUFFIXES = {"pdb": ".pdb", "mmcif": ".cif", "binarycif": ".bcif", "off": ".off", "idx": ".idx"}

Mutation = Callable[[bytes, Random], bytes]

# Values that do not belong where a number, a name or a count is expected.
_NUMBERS = """nan inf -inf Infinity NAN(1) 1e400 -1e400 1e39 3.5e38 1e-400 1e5 1E2 -0 +1.5 .5 5. -.5 0x10 1_0 1_0.5 1.2x
    1.2.3 --1 +-1 1e 1d3 1.5(3) 1,5 ******** 99999 -999 999999999999 2147483648 -2147483649 18446744073709551616 007
    1.000000000000000000001 0 1 2 -1 3 4294967295 A000 a000 zzzz ZZZZ A-1*"""
_WORDS = """? . - + * ' " ; # $ _x [ loop_ data_x save_ stop_ global_ null TRUE C CA Ca ca H D T X Xx S HETATM ATOM
    MSE ALA HOH UNK A B 'C' "C" 'a'b' C1' 1abc %s {} <a>"""
_ODD = ("", " ", "1 2", "1\t2", "'1 2'", "9" * 400, "A" * 300, "\u0663", "\uff11\uff12", "1\u2028", "\u00e5")
_CONTROL = ("\x0b", "\x0c", "\x1c", "\x85", "\x00", "\x7f")
TOKENS = (*_NUMBERS.split(), *_WORDS.split(), *_ODD, *_CONTROL)


def _span(length: int, random: Random, most: int = 200) -> slice:
    start = random.randrange(length + 1)
    return slice(start, min(length, start + random.randint(1, most)))


# --------------------------------------------------------------------------------------------- bytes


def flip(content: bytes, random: Random) -> bytes:
    """Change single bytes."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 4, 16))):
        if changed:
            place = random.randrange(len(changed))
            changed[place] = random.choice(
                (random.randrange(256), changed[place] ^ (1 << random.randrange(8)))
            )
    return bytes(changed)


def delete(content: bytes, random: Random) -> bytes:
    """Leave out a stretch."""
    gone = _span(len(content), random, random.choice((1, 4, 200, 5000)))
    return content[: gone.start] + content[gone.stop :]


def insert(content: bytes, random: Random) -> bytes:
    """Insert a token or noise at some position."""
    place = random.randrange(len(content) + 1)
    token = random.choice(
        (random.choice(TOKENS).encode(), random.randbytes(random.randint(1, 8)), b"\n", b" ", b"\r")
    )
    return content[:place] + token + content[place:]


def repeat(content: bytes, random: Random) -> bytes:
    """Repeat a piece of the file in place or elsewhere."""
    piece = content[_span(len(content), random)]
    place = random.randrange(len(content) + 1)
    return content[:place] + piece + content[place:]


def truncate(content: bytes, random: Random) -> bytes:
    """Cut the end off."""
    return content[: random.randrange(len(content) + 1)]


_BYTES: tuple[Mutation, ...] = (flip, delete, insert, repeat, truncate)


# --------------------------------------------------------------------------------------------- lines


def duplicate_line(content: bytes, random: Random) -> bytes:
    """Repeat a line, once or often."""
    lines = content.split(b"\n")
    place = random.randrange(len(lines))
    return b"\n".join([*lines[:place], *[lines[place]] * random.choice((2, 2, 3, 20)), *lines[place + 1 :]])


def swap_lines(content: bytes, random: Random) -> bytes:
    """Exchange two lines."""
    lines = content.split(b"\n")
    first, second = random.randrange(len(lines)), random.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


def drop_lines(content: bytes, random: Random) -> bytes:
    """Leave out one line or some."""
    lines = content.split(b"\n")
    del lines[_span(len(lines), random, random.choice((1, 1, 30)))]
    return b"\n".join(lines)


def cut_line(content: bytes, random: Random) -> bytes:
    """Cut a line short."""
    lines = content.split(b"\n")
    place = random.randrange(len(lines))
    lines[place] = lines[place][: random.randrange(len(lines[place]) + 1)]
    return b"\n".join(lines)


def line_ends(content: bytes, random: Random) -> bytes:
    """End all lines, or one, in another way."""
    end = random.choice((b"\r\n", b"\r", b"\n\n", b"\x0b", b"\x0c", b" \n", b"\t\n", b"\x85\n", b"\n\r"))
    if random.random() < 0.5:
        return content.replace(b"\n", end)
    places = [match.start() for match in re.finditer(b"\n", content)] or [0]
    place = random.choice(places)
    return content[:place] + end + content[place + 1 :]


_ENDS = (
    *(
        b"TER",
        b"END",
        b"ENDMDL",
        b"MODEL        1",
        b"MODEL        2",
        b"MODEL     nine",
        b"REMARK 465",
        b"HETATM",
    ),
    *(
        b"ATOM",
        b"ANISOU    1  N   VAL A  -3     1000   2000   3000    100    200    300       N  ",
        b"CONECT    1    2",
    ),
    *(
        b"MASTER",
        b"SIGATM",
        b"loop_",
        b"data_other",
        b"save_frame",
        b"#",
        b";",
        b";\ntext\n;",
        b"_atom_site.id 1",
    ),
    *(b"_atom_site.Cartn_x", b"_a.b c", b"LOOP_", b"Data_Y", b"global_", b"stop_", b"OFF", b"", b"# a note"),
    *(
        b"\xef\xbb\xbf",
        b"0 0 0",
        b"3 0 1 2",
        b"4 0 1 2 3",
        b"loop_\n_atom_site.id\n_atom_site.Cartn_x\n1 2\n2 3",
    ),
)


def insert_line(content: bytes, random: Random) -> bytes:
    """Insert a line that ends or begins something."""
    line = random.choice(_ENDS)
    lines = content.split(b"\n")
    lines.insert(random.randrange(len(lines) + 1), line)
    return b"\n".join(lines)


def hybrid(content: bytes, random: Random) -> bytes:
    """Join half of this file with half of another, possibly of another format."""
    other = random.choice(originals(random.choice(tuple(SUFFIXES))))
    return content[: random.randrange(len(content) + 1)] + other[random.randrange(len(other) + 1) :]


_LINES: tuple[Mutation, ...] = (
    duplicate_line,
    swap_lines,
    drop_lines,
    cut_line,
    line_ends,
    insert_line,
    hybrid,
)


# ----------------------------------------------------------------------------------------------- PDB

_PDB_FIELDS = (
    (0, 6), (6, 11), (12, 16), (16, 17), (17, 20), (20, 22), (21, 22), (22, 26), (26, 27), (30, 38), (38, 46), (46, 54),
    (54, 60), (60, 66), (72, 76), (76, 78), (78, 80),
)  # fmt: skip


def overwrite_pdb_field(content: bytes, line: int, field: int, value: str) -> bytes:
    """Write a value into a field of an atom record, as wide as the field."""
    lines = content.split(b"\n")
    records = [number for number, text in enumerate(lines) if text.startswith((b"ATOM", b"HETATM"))]
    if not records:
        return content
    number = records[line % len(records)]
    start, stop = _PDB_FIELDS[field % len(_PDB_FIELDS)]
    width = stop - start
    text = value.encode("utf-8", "surrogatepass")[:width].rjust(width)
    lines[number] = lines[number].ljust(stop)[:start] + text + lines[number][stop:]
    return b"\n".join(lines)


def pdb_field(content: bytes, random: Random) -> bytes:
    """Overwrite fields of an atom record."""
    for _ in range(random.choice((1, 1, 1, 3))):
        value = random.choice(TOKENS)
        value = random.choice((value, value.ljust(8), value + random.choice("019 ")))
        content = overwrite_pdb_field(content, random.randrange(10**6), random.randrange(100), value)
    return content


def pdb_shift(content: bytes, random: Random) -> bytes:
    """Shift the rest of a record by a column, or insert a tab."""
    lines = content.split(b"\n")
    number, column = random.randrange(len(lines)), random.randrange(80)
    text = lines[number]
    before, after = text[:column], text[column + 1 :]
    shifted = (before + b" " + text[column:], before + after, before + b"\t" + after)
    forms = (text.lower(), text + b" " * 60 + b"x", text.rstrip(), text.replace(b" ", b"\t"))
    lines[number] = random.choice((*shifted, *forms))
    return b"\n".join(lines)


def pdb_column(content: bytes, random: Random) -> bytes:
    """Blank, drop or exchange a column of every record."""
    start, stop = random.choice(_PDB_FIELDS)
    other = random.choice(_PDB_FIELDS)
    kind = random.randrange(3)

    def changed(line: bytes) -> bytes:
        if not line.startswith((b"ATOM", b"HETATM")):
            return line
        if kind == 0:
            return line[:start] + b" " * (stop - start) + line[stop:]
        if kind == 1:
            return line[:start] + line[stop:]
        value = line[slice(*other)][: stop - start].ljust(stop - start)
        return line[:start] + value + line[stop:]

    return b"\n".join(map(changed, content.split(b"\n")))


# --------------------------------------------------------------------------------------------- mmCIF


def overwrite_token(content: bytes, place: int, value: str) -> bytes:
    """Write a value in place of a word."""
    words = list(re.finditer(rb"[^\s]+", content))
    if not words:
        return content
    word = words[place % len(words)]
    return content[: word.start()] + value.encode("utf-8", "surrogatepass") + content[word.end() :]


def token(content: bytes, random: Random) -> bytes:
    """Overwrite words; in half of the cases one of the first, where counts and tags are."""
    for _ in range(random.choice((1, 1, 1, 3))):
        place = random.randrange(random.choice((8, 10**6)))
        content = overwrite_token(content, place, random.choice(TOKENS))
    return content


def word_form(content: bytes, random: Random) -> bytes:
    """Write a word differently: quoted, as a text field, in capitals, twice, or not at all."""
    words = list(re.finditer(rb"[^\s]+", content))
    if not words:
        return content
    word = random.choice(words)
    text = word.group()
    quoted = (b"'" + text + b"'", b'"' + text + b'"', b"\n;" + text + b"\n;\n", b"'" + text + b" '")
    half_quoted = (b"'" + text, text + b"'", b";" + text, b"\n;" + text + b"\nloop_\n_x.y\n;\n")
    noted = (text + b" # note", b"#" + text, text + b"#")
    other = (text.upper(), text.lower(), text[::-1], text[:-1], text + b" " + text, b"")
    spaced = (text + b"\n", text + b"\t", b"  " + text)
    form = random.choice((*quoted, *half_quoted, *noted, *other, *spaced))
    return content[: word.start()] + form + content[word.end() :]


def cif_tag(content: bytes, random: Random) -> bytes:
    """Change the tags of the atoms' table: one missing, repeated, exchanged, in capitals, or with another name."""
    tags = list(re.finditer(rb"_atom_site\.[^\s]+\n", content))
    if not tags:
        return content
    tag, other = random.choice(tags), random.choice(tags)
    text = tag.group()
    kind = random.randrange(6)
    if kind == 5:
        return (
            content.replace(text, b"\0", 1).replace(other.group(), text, 1).replace(b"\0", other.group(), 1)
        )
    forms = (b"", text + text, text.upper(), b"_atom_site.unknown\n", text.replace(b".", b"_"))
    return content[: tag.start()] + forms[kind] + content[tag.end() :]


def cif_column(content: bytes, random: Random) -> bytes:
    """Leave out a column, tag and values, or set all its values to one."""
    lines = content.split(b"\n")
    tags = [number for number, line in enumerate(lines) if line.startswith(b"_atom_site.")]
    if not tags:
        return content
    column = random.randrange(len(tags))
    value = random.choice((None, *TOKENS))
    for number in range(tags[-1] + 1, len(lines)):
        words = lines[number].split()
        if len(words) == len(tags):
            words[column : column + 1] = [] if value is None else [value.encode()]
            lines[number] = b" ".join(words)
    if value is None:
        del lines[tags[column]]
    return b"\n".join(lines)


# ----------------------------------------------------------------------------------------- BinaryCIF

_LEAVES: tuple[Any, ...] = (
    *(None, True, False, "", "x", b"", b"\x00", b"\xff" * 8, [], [1], {}, "_atom_site", "Cartn_x"),
    *(0, 1, -1, 2, 3, 7, 255, 32, 33, 1000, 10**6, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, -(2**63)),
    *(0.0, -1.5, 1e-300, 1e300, float("nan"), float("inf")),
    *(
        "RunLength",
        "StringArray",
        "ByteArray",
        "Delta",
        "FixedPoint",
        "IntegerPacking",
        "IntervalQuantization",
    ),
    {"kind": "Delta", "srcType": 3, "origin": 0},
    {"kind": "RunLength", "srcType": 3, "srcSize": 2 * 10**9},
    {"kind": "ByteArray", "type": 3},
    {"kind": "IntegerPacking", "byteCount": 1, "srcSize": 10, "isUnsigned": True},
)


def containers(tree: Any) -> list[Any]:
    """Return every list and dictionary of a tree that is not empty."""
    found, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict | list) and node:
            found.append(node)
            waiting += node.values() if isinstance(node, dict) else node
    return found


def _copied(value: Any) -> Any:
    """Copy a part of a tree, so that the tree has no cycles; a part that is too deep yields nothing."""
    try:
        return deepcopy(value)
    except RecursionError:
        return None


def binarycif_tree(content: bytes, random: Random) -> bytes:
    """Change values, types, sizes, order and number of the items of the message."""
    try:
        tree = msgpack.unpackb(content, raw=False, strict_map_key=False)
    except (ValueError, TypeError, msgpack.UnpackException):
        return content
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        nodes = containers(tree)
        if not nodes:
            break
        node = random.choice(nodes)
        key = random.choice(list(node)) if isinstance(node, dict) else random.randrange(len(node))
        old = node[key]
        donor = random.choice(nodes)
        donated = _copied(random.choice(list(donor.values()) if isinstance(donor, dict) else donor))
        near: list[Any] = [deepcopy(random.choice(_LEAVES)), donated]
        if isinstance(old, bool):
            near += [not old, int(old)] * 3
        elif isinstance(old, int):
            near += [
                old + 1,
                old - 1,
                -old,
                old * 2,
                float(old),
                str(old),
                old.to_bytes(8, "little", signed=True),
            ] * 2
        elif isinstance(old, float):
            near += [-old, old * 1e300, int(old) if abs(old) < 1e9 else 0] * 2
        elif isinstance(old, bytes):
            near += [old[: len(old) // 2], old[:-1], old + b"\0", flip(old, random), old * 2, old[::-1]] * 4
        elif isinstance(old, str):
            near += [
                old[:-1],
                old + "x",
                old.upper(),
                old.encode(),
                old * 3,
                old[::-1],
                random.choice(TOKENS),
            ] * 2
        elif isinstance(old, list):
            near += [
                old[1:],
                old[:-1],
                old[::-1],
                old * 2,
                random.sample(old, len(old)),
                dict(enumerate(old)),
            ] * 2
        if random.random() < 0.1:
            del node[key]
        else:
            node[key] = random.choice(near)
    return packed(tree) or content


def binarycif_column(content: bytes, random: Random) -> bytes:
    """Change the encodings or the data of one column that is read."""
    tree = msgpack.unpackb(content, raw=False)
    columns = tree["dataBlocks"][0]["categories"][0]["columns"]
    column, other = random.choice(columns), random.choice(columns)
    part = column["mask"] if column["mask"] and random.random() < 0.3 else column["data"]
    step = random.choice(part["encoding"])
    inner = step.get("dataEncoding") or part["encoding"]
    kind = random.randrange(9)
    if kind == 0:
        column["data"], other["data"] = other["data"], column["data"]
    elif kind == 1:
        column["mask"] = random.choice((other["mask"], other["data"], None))
    elif kind == 2:
        key = random.choice([key for key in step if key != "kind"] or ["kind"])
        step[key] = deepcopy(random.choice(_LEAVES))
    elif kind == 3:
        inner.insert(random.randrange(len(inner) + 1), dict(random.choice(other["data"]["encoding"])))
    elif kind == 4:
        inner.pop(random.randrange(len(inner)))
    elif kind == 5:
        part["data"] = flip(part["data"], random)
    elif kind == 6:
        part["data"] = part["data"][: random.randrange(len(part["data"]) + 1)]
    elif kind == 7:
        column["name"] = random.choice((other["name"], column["name"].upper(), "Cartn_z", "x"))
    else:
        for encoding in part["encoding"]:
            if "srcSize" in encoding:
                encoding["srcSize"] += random.choice((-2, -1, 1, 2, 1000, 2 * 10**9))
    return packed(tree) or content


def packed(tree: Any) -> bytes:
    """Return the message of a tree; empty if the tree is too deep or a number too large."""
    try:
        return bytes(msgpack.packb(tree))
    except (ValueError, OverflowError, RecursionError):
        return b""


def message_bomb(content: bytes, random: Random) -> bytes:
    """Declare the message to be larger or deeper than it is."""
    return random.choice(
        (
            b"\xdd\xff\xff\xff\xff" + content,
            b"\xdf\xff\xff\xff\xff" + content,
            b"\xdb\xff\xff\xff\xf0" + content,
            b"\xc6\x7f\xff\xff\xff" + content,
            b"\x91" * random.choice((500, 1023, 1025, 100_000)) + b"\x01",
            b"\x81\xa1x" * random.choice((500, 5_000)) + b"\x01",
            content.replace(b"\xaadataBlocks", b"\xaadataBlocks\xdd\x10\x00\x00\x00", 1),
            b"\xc7\x05\xff" + content,
            content + content,
        )
    )


# ------------------------------------------------------------------------------------------- idx, OFF


def idx_header(content: bytes, random: Random) -> bytes:
    """Change the header of an idx file."""
    changed = bytearray(content)
    kind = random.randrange(4)
    if kind == 0:
        changed[random.randrange(4)] = random.choice((0, 1, 2, 3, 7, 8, 9, 10, 11, 12, 13, 14, 15, 64, 255))
    elif kind == 1:
        place = 4 + 4 * random.randrange(max(1, changed[3]))
        size = random.choice((0, 1, 2, 2**31 - 1, 2**31, 2**32 - 1, 65536, random.randrange(64)))
        changed[place : place + 4] = size.to_bytes(4, "big")
    elif kind == 2:
        place = 4 + 4 * random.randrange(max(1, changed[3]))
        changed[place : place + 4] = changed[place : place + 4][::-1]
    else:
        count = random.choice((1, 4, 255))
        changed[3:4] = bytes([count])
        changed[4:4] = b"\xff\xff\xff\xff" * (count - 1)
    return bytes(changed)


# ---------------------------------------------------------------------------------------------- gzip


def damaged_gzip(content: bytes, random: Random) -> bytes:
    """Compress, and usually damage the result."""
    whole = gzip.compress(content, 6, mtime=0)
    half = random.randrange(len(content) + 1)
    forms: tuple[Callable[[], bytes], ...] = (
        lambda: whole,
        lambda: flip(whole, random),
        lambda: truncate(whole, random),
        lambda: whole + random.choice((b"\0" * 9, b"x", b"\x1f\x8b", random.randbytes(20))),
        # Two members, which form one file.
        lambda: gzip.compress(content[:half], mtime=0) + gzip.compress(content[half:], mtime=0),
        lambda: content,
        lambda: zlib.compress(content),
        lambda: gzip.compress(whole, mtime=0),
        lambda: _bomb(random.choice((b"\0", b" ", b"\n"))),
    )
    return random.choice(forms)()


@cache
def _bomb(byte: bytes) -> bytes:
    """Return a gigabyte compressed into a megabyte; only its checksum, at the very end, is wrong."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(byte) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(byte * 2**24) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * 64 + packer.flush()


_KNOWING: dict[str, tuple[Mutation, ...]] = {
    "pdb": (pdb_field, pdb_field, pdb_field, pdb_shift, pdb_column, *_LINES),
    "mmcif": (token, token, word_form, word_form, cif_tag, cif_column, *_LINES),
    "binarycif": (binarycif_tree,) * 6 + (binarycif_column,) * 12 + (message_bomb,),
    "off": (token, token, token, word_form, *_LINES),
    "idx": (idx_header, idx_header, idx_header, hybrid),
}
# Formats whose own readers decompress gzip.
_ZIPPED = ("pdb", "mmcif", "binarycif", "idx")


def mutated(form: str, random: Random) -> tuple[bytes, bool]:
    """Return a damaged file of a format, and whether its name must end in .gz."""
    content = random.choice(originals(form))
    mutations: Sequence[Mutation] = _KNOWING[form]
    for i in range(random.choice((0, 1, 1, 1, 1, 2, 2, 3, 5)) if random.random() < 0.98 else 30):
        choices = _BYTES if random.random() < 0.2 else mutations
        if i and choices is mutations and form == "binarycif":
            choices = (*_BYTES, binarycif_tree)  # the others need a whole file
        content = random.choice(choices)(content, random) or content[:0]
        if form == "idx" and len(content) < 8:
            break
    zipped = form in _ZIPPED and random.random() < 0.06
    return (damaged_gzip(content, random), True) if zipped else (content, False)
