"""Parse CIF text to tables, strictly by the grammar of CIF 1.1, and fast for the usual layout of atoms."""

import re
from collections.abc import Collection, Iterator

import attrs
import numpy as np
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from numpy.typing import NDArray

from holo_types import FormatError

from .columns import decimals, integers, text as characters, windows
from .tables import ListColumn, Table, bad_value, check_length

__all__ = ["aligned_loop", "categories"]

_TOKEN = re.compile(
    r"""\#[^\n]*+(?:\s++\#[^\n]*+)*+
    | ^;(?P<field>.*?)\n;(?=\s|\Z)
    | '(?P<single>[^\n]*?)'(?=\s|\Z)
    | "(?P<double>[^\n]*?)"(?=\s|\Z)
    | (?P<bare>[^\s]+)
    | \s{64,}+""",  # all at once
    re.VERBOSE | re.MULTILINE | re.DOTALL | re.ASCII,
)
_RESERVED = ("data_", "loop_", "save_", "global_", "stop_")
_OPEN = (".", "?")
_MOST_BLOCKS = 100_000  # twice the number in the Chemical Component Dictionary; structures have one
_BLANK = 32


# ------------------------------------------------------------------------------------- any CIF, value by value


@attrs.frozen
class _Token:
    """A value (None if it is not closed) or, in lower case, a tag or a reserved word."""

    line: int
    value: str | None
    word: str = ""


def _tokens(text: str) -> Iterator[_Token]:
    line, counted = 1, 0
    for match in _TOKEN.finditer(text):
        line += text.count("\n", counted, match.start())
        counted = match.start()
        kind = match.lastgroup
        if kind is None:
            continue
        value = match[kind]
        if kind != "bare":
            yield _Token(line, value)
        elif value[0] in "'\"" or (value[0] == ";" and text[match.start() - 1 : match.start()] in "\n"):
            raise FormatError(f"line {line}: what begins with {value[:20]!r} is never closed")
        elif value[0] == "$" or not value.isascii():
            raise FormatError(f"line {line}: {value[:20]!r} must be in quotes")
        elif value == "_":
            raise FormatError(f"line {line}: '_' is not a tag")
        elif value[0] == "_" or value.lower().startswith(_RESERVED):
            yield _Token(line, None, value.lower())
        else:
            yield _Token(line, None if value in _OPEN else value)


def categories(text: str, wanted: Collection[str]) -> list[dict[str, Table]]:
    """Read the wanted categories of each data block of a CIF file.

    Parameters
    ----------
    text
        The file, with lines ended by newlines.
    wanted
        Names of categories in lower case, such as ``"atom_site"``.

    Returns
    -------
    list of dict
        For each data block, the wanted categories that it has; columns have lower-case names.

    Raises
    ------
    FormatError
        If it is not CIF; the message names the line.

    Examples
    --------
    >>> block, = categories("data_x loop_ _a.id _a.Name 1 'O5 ' 2 ? _b.c 5", ["a"])
    >>> block["a"].columns["name"].text().tolist(), list(block)
    (['O5 ', ''], ['a'])
    """
    blocks: list[_Block] = []
    open_tag: str | None = None
    loop: list[str] | None = None
    count, line = 0, 0

    def end_loop() -> None:
        if open_tag is not None:
            raise FormatError(f"line {line}: {open_tag} has no value")
        if loop is not None and (not loop or count % len(loop) or not count):
            raise FormatError(
                f"line {line}: the loop of {', '.join(loop[:1]) or 'nothing'} ends after {count} values; it must "
                f"have a multiple of {len(loop)}"
            )

    for token in _tokens(text):
        line = token.line
        if token.word.startswith("_"):
            if loop is not None and count == 0:
                loop.append(token.word)
            else:
                end_loop()
                loop, open_tag = None, token.word
            _block(blocks, line).add(token.word, wanted, line)
        elif token.word.startswith("data_"):
            end_loop()
            loop = None
            if len(blocks) == _MOST_BLOCKS:
                raise FormatError(f"line {line}: it has more than {_MOST_BLOCKS} data blocks")
            blocks.append(_Block())
        elif token.word == "loop_":
            end_loop()
            loop, count = [], 0
        elif token.word:
            raise FormatError(f"line {line}: {token.word!r} has no place in a file of structures")
        elif loop:
            _block(blocks, line).put(loop[count % len(loop)], token.value)
            count += 1
        elif open_tag is not None:
            _block(blocks, line).put(open_tag, token.value)
            open_tag = None
        else:
            raise FormatError(f"line {line}: the value {token.value!r} belongs to no tag")
    end_loop()
    return [block.tables() for block in blocks]


@attrs.define
class _Block:
    """The wanted categories of a data block."""

    tags: set[str] = attrs.field(factory=set)
    values: dict[str, dict[str, list[str | None]]] = attrs.field(factory=dict)

    def add(self, tag: str, wanted: Collection[str], line: int) -> None:
        if tag in self.tags:
            raise FormatError(f"line {line}: {tag} is there twice")
        self.tags.add(tag)
        category, _, item = tag[1:].partition(".")
        if category in wanted:
            self.values.setdefault(category, {})[item] = []

    def put(self, tag: str, value: str | None) -> None:
        category, _, item = tag[1:].partition(".")
        if category in self.values:
            self.values[category][item].append(value)

    def tables(self) -> dict[str, Table]:
        tables = {}
        for category, items in self.values.items():
            lengths = sorted({len(values) for values in items.values()})
            if len(lengths) > 1:
                raise FormatError(f"columns of its {category} have {lengths[0]} and {lengths[-1]} rows")
            columns = {name: ListColumn(name, values) for name, values in items.items()}
            tables[category] = Table(category, columns, lengths[0])
        return tables


def _block(blocks: list[_Block], line: int) -> _Block:
    if not blocks:
        raise FormatError(f"line {line}: a CIF file begins with data_ and a name")
    return blocks[-1]


# ------------------------------------------------------------------------- a loop, one row a line, all at once


def aligned_loop(content: bytes, category: str, begins: Collection[bytes]) -> Table | None:
    r"""Read a loop with one row on each line, as programs write atoms, without parsing the rest of the file.

    Parameters
    ----------
    content
        The file, with lines ended by newlines.
    category
        Name of the category.
    begins
        The beginnings of its rows. No line after the loop may begin like that, or the loop would have ended too early.

    Returns
    -------
    Table or None
        Columns have lower-case names. None if anything about the loop is unusual; `categories` then reports what.

    Examples
    --------
    >>> table = aligned_loop(b"data_x\nloop_\n_a.id\n_a.name\n1 N\n22 ?\n#\n", "a", [b"1", b"2"])
    >>> table.columns["id"].integers(-1).tolist(), table.columns["name"].text().tolist()
    ([1, 22], ['N', ''])
    """
    prefix = re.escape(category.encode())
    head = re.search(rb"\nloop_[ \t]*+\n((?:[ \t]*+_" + prefix + rb"\.[!-~]++[ \t]*+\n)++)", content)
    if head is None or not content.startswith(b"data_"):
        return None
    before = content[: head.start() + 1]
    names = [line.strip().partition(b".")[2].decode().lower() for line in head[1].splitlines()]
    # A text field begins and ends with a semicolon at the beginning of a line.
    within_field = (before.count(b"\n;") + before.startswith(b";")) % 2
    found = [content.find(mark, head.end() - 1) for mark in _FOLLOWS]
    end = min((place + 1 for place in found if place >= 0), default=len(content))
    mark = b"_" + category.encode() + b"."
    elsewhere = (
        _has_tag(before, mark)
        or _has_tag(content[end - 1 :], mark)
        or any(content.find(b"\n" + word, end - 1) >= 0 for word in begins)
    )
    if within_field or elsewhere or len(set(names)) < len(names):
        return None
    body = content[head.end() : end]
    # A comment does not end a loop; and only for rows with required beginnings is it certain that none comes later.
    if not body.startswith(tuple(begins)) or not _AFTER.match(content, end):
        return None
    # Without these characters it has no comment, text field, tag, reserved word or frame.
    if any(mark in body for mark in b"#;_$") or not body.isascii():
        return None
    return _rows(body, category, names)


def _has_tag(content: bytes, mark: bytes) -> bool:
    """Return whether a tag begins like this; inside quotes, where entries list revisions, it is not a tag."""
    place = content.find(mark)
    while place > 0 and not content[place - 1 : place].isspace():
        place = content.find(mark, place + 1)
    return place >= 0


_AFTER = re.compile(rb"(?:[ \t\n]++|#[^\n]*+)*+(?:_|loop_|data_|\Z)", re.IGNORECASE)
_FOLLOWS = (b"\n#", b"\n_", b"\nloop_", b"\ndata_")
_QUOTES = tuple(b"'\"")


def _rows(body: bytes, category: str, names: list[str]) -> Table | None:
    octets = np.frombuffer(body, dtype=np.uint8)
    edges = np.diff((octets > _BLANK).view(np.int8), prepend=0, append=0)
    begun, ended = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    if len(begun) == 0 or len(begun) % len(names):
        return None
    starts, ends = begun.reshape(-1, len(names)), ended.reshape(-1, len(names))
    # Every row is one line: rows end at newlines, and newlines occur nowhere else.
    newlines = np.flatnonzero(octets == ord("\n"))
    lines = np.searchsorted(newlines, starts[:, 0])
    if (np.searchsorted(newlines, starts[:, -1]) != lines).any() or (np.diff(lines) < 1).any():
        return None
    first, last = octets[starts], octets[ends - 1]
    quoted = np.zeros(first.shape, dtype=bool)
    for quote in _QUOTES if any(quote in body for quote in _QUOTES) else ():
        opened = first == quote
        if (opened & ((last != quote) | (ends - starts < 2))).any():
            return None  # it contains a blank
        quoted |= opened
    starts, ends = starts + quoted, ends - quoted
    lengths = ends - starts
    given = quoted | (lengths != 1) | ((first != ord(".")) & (first != ord("?")))
    # So that a window of any width lies within.
    width = max(int(lengths.max()), 1)
    blanks = np.full(width, _BLANK, dtype=np.uint8)
    padded = np.concatenate([blanks, octets, blanks])
    columns = {
        name: _LoopColumn(name, padded, starts[:, i] + width, lengths[:, i], given[:, i])
        for i, name in enumerate(names)
    }
    return Table(category, columns, len(starts))


@attrs.frozen(eq=False)
class _LoopColumn:
    """Values as positions in the file."""

    name: str
    octets: UInt8[np.ndarray, "bytes"]
    starts: Int[np.ndarray, "rows"]
    lengths: Int[np.ndarray, "rows"]
    given: Bool[np.ndarray, "rows"]

    def present(self) -> Bool[np.ndarray, "rows"]:
        return self.given

    def text(self) -> Shaped[np.ndarray, "rows"]:
        width, shortest = max(int(self.lengths.max()), 1), int(self.lengths.min())
        check_length(self.name, len(self.starts), int(self.lengths.argmax()), width)
        found = windows(self.octets, width)[self.starts]
        # Text ends at the first NUL.
        found[:, shortest:][np.arange(shortest, width) >= self.lengths[:, None]] = 0
        found[~self.given] = 0
        return characters(found)

    def numbers(self, missing: float) -> Float[np.ndarray, "rows"]:
        values, bad = decimals(self._flush_right())
        self._check(bad, "a number")
        values[~self.given] = missing
        return values

    def integers(self, missing: int) -> Int[np.ndarray, "rows"]:
        values, bad = integers(self._flush_right())
        self._check(bad, "an integer")
        values[~self.given] = missing
        return values

    def _flush_right(self) -> UInt8[np.ndarray, "rows width"]:
        """Return the values right-aligned in a column."""
        width, shortest = int(self.lengths.max(initial=1)), int(self.lengths.min())
        check_length(self.name, len(self.starts), int(self.lengths.argmax()), width)
        column: NDArray[np.uint8] = windows(self.octets, width)[self.starts + self.lengths - width]
        before = np.arange(width, shortest, -1) > self.lengths[:, None]
        column[:, : width - shortest][before] = _BLANK
        column[~self.given] = _BLANK
        column[~self.given, -1] = ord("0")  # missing values are read as 0, which is fast
        return column

    def _check(self, bad: Int[np.ndarray, "bad"], kind: str) -> None:
        if len(bad):
            row = int(bad[0])
            start = self.starts[row]
            value = self.octets[start : start + self.lengths[row]].tobytes().decode("ascii")
            raise bad_value(self.name, row, value, kind)
