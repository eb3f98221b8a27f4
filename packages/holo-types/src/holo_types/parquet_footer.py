"""How many rows and bytes the chunks of a Parquet file claim to hold, read from its footer before any value is.

pyarrow ends the process at a damaged description of a chunk, while it reads the chunk itself without looking at that
description. So the three numbers that are needed are read here, from Thrift's compact protocol [1]_ [2]_.

References
----------
.. [1] https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
.. [2] https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from collections.abc import Collection, Iterator

import attrs

__all__ = ["Claims", "claims_of"]

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_LONG = 15  # the size of a list follows
_DEEPEST = 32
_MOST_BITS = 70  # of an integer of 64 bits, in pieces of 7
# Fields of FileMetaData, RowGroup, ColumnChunk and ColumnMetaData.
_ROW_GROUPS = 4
_COLUMNS, _GROUP_ROWS = 1, 3
_META = 3
_PATH, _VALUES, _UNPACKED = 3, 5, 6


@attrs.frozen
class Claims:
    """What the chunks of some columns claim.

    Parameters
    ----------
    rows
        The number of rows; of chunks that disagree, the largest.
    unpacked
        The bytes of all pages before compression.
    """

    rows: int
    unpacked: int


def claims_of(footer: bytes, columns: Collection[str]) -> Claims:
    """Read what the chunks of some columns claim.

    Parameters
    ----------
    footer
        The footer of a Parquet file, without its length.
    columns
        The paths of the columns, with dots.

    Raises
    ------
    ValueError
        If it is not such a footer.
    """
    try:
        return _claims(_Thrift(footer), columns)
    except IndexError:
        raise ValueError("its footer is cut off") from None


def _claims(thrift: "_Thrift", columns: Collection[str]) -> Claims:
    rows = unpacked = 0
    for field, kind in thrift.fields():
        if (field, kind) != (_ROW_GROUPS, _LIST):
            thrift.skip(kind)
            continue
        for _ in thrift.structs():
            group = _group(thrift, columns)
            rows, unpacked = rows + group.rows, unpacked + group.unpacked
    return Claims(rows, unpacked)


def _group(thrift: "_Thrift", columns: Collection[str]) -> Claims:
    rows = unpacked = 0
    for field, kind in thrift.fields():
        if (field, kind) == (_COLUMNS, _LIST):
            for _ in thrift.structs():
                for inner, inner_kind in thrift.fields():
                    if (inner, inner_kind) == (_META, _STRUCT):
                        name, chunk = _chunk(thrift)
                        if name in columns:
                            rows, unpacked = max(rows, chunk.rows), unpacked + chunk.unpacked
                    else:
                        thrift.skip(inner_kind)
        elif (field, kind) == (_GROUP_ROWS, _I64):
            rows = max(rows, thrift.integer())
        else:
            thrift.skip(kind)
    return Claims(rows, unpacked)


def _chunk(thrift: "_Thrift") -> tuple[str, Claims]:
    path: list[bytes] = []
    rows = unpacked = 0
    for field, kind in thrift.fields():
        if (field, kind) == (_PATH, _LIST):
            path = [thrift.binary() for _ in thrift.items(_BINARY)]
        elif (field, kind) == (_VALUES, _I64):
            rows = thrift.integer()
        elif (field, kind) == (_UNPACKED, _I64):
            unpacked = max(thrift.integer(), 0)
        else:
            thrift.skip(kind)
    return b".".join(path).decode("utf-8", "replace"), Claims(rows, unpacked)


@attrs.define
class _Thrift:
    """A place in values of Thrift's compact protocol, which moves on as they are read."""

    content: bytes
    place: int = 0

    def fields(self) -> Iterator[tuple[int, int]]:
        """Yield the number and the type of each field of a struct; its value must be read before the next."""
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self.integer()
            yield number, head & 15

    def structs(self) -> Iterator[int]:
        """Yield the place of each struct in a list; it must be read before the next."""
        return self.items(_STRUCT)

    def items(self, wanted: int) -> Iterator[int]:
        """Yield the place of each value in a list of a type; it must be read before the next."""
        kind, count = self._list()
        if count and kind != wanted:
            raise ValueError(f"its footer has a list of type {kind} where {wanted} belongs")
        return iter(range(count))

    def integer(self) -> int:
        """Read a signed integer."""
        coded = self._unsigned()
        return coded >> 1 ^ -(coded & 1)

    def binary(self) -> bytes:
        """Read text."""
        size = self._unsigned()
        self._move(size)
        return self.content[self.place - size : self.place]

    def skip(self, kind: int, depth: int = 0, *, in_list: bool = False) -> None:
        """Pass over a value."""
        if depth > _DEEPEST:
            raise ValueError("its footer is nested too deeply")
        if kind in (_TRUE, _FALSE):
            self._move(int(in_list))
        elif kind == _BYTE:
            self._move(1)
        elif kind in (_I16, _I32, _I64):
            self._unsigned()
        elif kind == _DOUBLE:
            self._move(8)
        elif kind == _BINARY:
            self.binary()
        elif kind in (_LIST, _SET):
            inner, count = self._list()
            for _ in range(count):
                self.skip(inner, depth + 1, in_list=True)
        elif kind == _MAP:
            self._skip_map(depth)
        elif kind == _STRUCT:
            for _, inner in self.fields():
                self.skip(inner, depth + 1)
        else:
            raise ValueError(f"its footer has a value of the unknown type {kind}")

    def _skip_map(self, depth: int) -> None:
        count = self._unsigned()
        kinds = self._byte() if count else 0
        for _ in range(self._possible(count)):
            self.skip(kinds >> 4, depth + 1, in_list=True)
            self.skip(kinds & 15, depth + 1, in_list=True)

    def _list(self) -> tuple[int, int]:
        head = self._byte()
        count = head >> 4 if head >> 4 != _LONG else self._unsigned()
        return head & 15, self._possible(count)

    def _possible(self, count: int) -> int:
        if count > len(self.content) - self.place:  # every value takes a byte
            raise ValueError(f"its footer claims {count} values where fewer bytes are left")
        return count

    def _unsigned(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift >= _MOST_BITS:
                raise ValueError("its footer has an integer of more than 64 bits")

    def _byte(self) -> int:
        byte = self.content[self.place]
        self.place += 1
        return byte

    def _move(self, size: int) -> None:
        if size > len(self.content) - self.place:
            raise ValueError("its footer is cut off")
        self.place += size
