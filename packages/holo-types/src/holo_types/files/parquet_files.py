"""Parquet files with a digest of the whole, so that no flipped bit goes unnoticed. They need the extra ``table``.

Parquet has checksums of its pages, but none of the metadata: a flipped bit there gives a column another name, or the
rows of another page. So a digest of all other bytes is stored before the footer, where readers do not look::

    PAR1, pages | "holo file digest", SHA-256 | footer, its length, PAR1
"""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from holo_types.contents import most_unpacked, regular_file
from holo_types.errors import FormatError, HoloError
from holo_types.extras import extra
from holo_types.parquet_footer import claims_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["check_digest", "column_names", "read_parquet", "seal", "write_parquet"]

_EXTRA = "holo-types[table]"
_MAGIC = b"PAR1"
_MARK = b"holo file digest"
_SEAL = len(_MARK) + hashlib.sha256().digest_size
_PIECE = 1 << 20
_NUMBER = 8  # bytes of a stored length
_RATIO = 10  # values to bytes of a large file; for small ones see `most_unpacked`


def write_parquet(table: "pa.Table", path: Path, **how: Any) -> None:
    """Write a table with checksums of its pages and a digest of the file.

    Parameters
    ----------
    table
        The table.
    path
        The file.
    **how
        Arguments of `pyarrow.parquet.write_table`.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    from pyarrow import parquet  # noqa: PLC0415

    parquet.write_table(table, path, write_page_checksum=True, **how)
    seal(path)


def read_parquet(path: Path, columns: "list[str] | None" = None) -> "pa.Table":
    """Read a table, and verify its digest and the checksums of its pages if it has them.

    Parameters
    ----------
    path
        A file that Holo or another program wrote.
    columns
        Columns to read; by default all.

    Raises
    ------
    FormatError
        If it cannot be read, is damaged, has a column with anything but one number or text in each row, or expands
        to far more data than real tables do.
    HoloError
        If pyarrow is missing.
    """
    with _reading(path):
        from pyarrow import parquet  # noqa: PLC0415

        check_digest(regular_file(path))
        _check_size(path, columns)
        table = parquet.read_table(path, columns=columns, page_checksum_verification=True, partitioning=None)
        # For files of other programs: text that is not UTF-8 is reported here, not where it is used.
        table.validate(full=True)
        return table


def column_names(path: Path) -> list[str]:
    """Return the names of the columns of a table in order, without reading any value.

    Raises
    ------
    FormatError
        If it cannot be read.
    HoloError
        If pyarrow is missing.
    """
    with _reading(path):
        from pyarrow import parquet  # noqa: PLC0415

        names: list[str] = parquet.read_metadata(regular_file(path)).schema.to_arrow_schema().names
        return names


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    with extra(_EXTRA):
        from pyarrow import ArrowException  # noqa: PLC0415
    try:
        yield
    except HoloError:
        raise
    except (OSError, ValueError, ArrowException) as error:
        raise FormatError(f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}") from None


def _check_size(path: Path, columns: "list[str] | None") -> None:
    """Refuse a table of far more values than its bytes can hold, before the values are read.

    A few bytes can stand for any number of lists or strings of bytes, so the columns must have one number or text in
    each row. For text that Parquet stores once and points to, only the pointers are read here.
    """
    from pyarrow import compute, parquet  # noqa: PLC0415

    size = path.stat().st_size
    most = max(most_unpacked(size), _RATIO * size)
    meta = parquet.read_metadata(path)
    asked = None if columns is None else set(columns)
    fields = [field for field in meta.schema.to_arrow_schema() if asked is None or field.name in asked]
    for field in fields:
        if not (_is_text(field.type) or _is_number(field.type)):
            raise FormatError(
                f"{path}: its column {field.name!r} is of {field.type}; it must hold a number, truth value or text in "
                "each row"
            )
    claims = claims_of(_footer(path), {field.name for field in fields})
    rows = max(claims.rows, meta.num_rows)
    if rows * len(fields) * _NUMBER > most:
        raise FormatError(f"{path}: has {rows} rows of {len(fields)} columns, more than its bytes hold")
    if claims.unpacked > most:
        raise FormatError(f"{path}: its pages unpack to {claims.unpacked} bytes, more than its bytes hold")
    texts = [field.name for field in fields if _is_text(field.type)]
    table = parquet.read_table(path, columns=texts, read_dictionary=texts, partitioning=None)
    claimed = 0
    for column in table.columns:
        for chunk in column.chunks:
            lengths = compute.binary_length(chunk.dictionary)
            claimed += compute.sum(compute.take(lengths, chunk.indices)).as_py() or 0
    if claimed > most:
        raise FormatError(f"{path}: has texts of {claimed} characters, more than its bytes hold")


def _footer(path: Path) -> bytes:
    with path.open("rb") as file:
        start = _footer_start(file)
        file.seek(start)
        return file.read()[:-_NUMBER]


def _is_text(kind: "pa.DataType") -> bool:
    from pyarrow import types  # noqa: PLC0415

    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_number(kind: "pa.DataType") -> bool:
    """Return whether a type has values of few bytes each, which are numbers, truth values, times, or all missing."""
    from pyarrow import types  # noqa: PLC0415

    plain = (
        types.is_boolean,
        types.is_integer,
        types.is_floating,
        types.is_decimal,
        types.is_temporal,
        types.is_null,
    )
    if types.is_dictionary(kind):
        kind = kind.value_type
    return any(fits(kind) for fits in plain)


def seal(path: Path) -> None:
    """Insert the digest of a Parquet file before its footer."""
    with path.open("r+b") as file:
        start = _footer_start(file)
        file.seek(start)
        footer = file.read()
        digest = _digest(file, start, footer)
        file.seek(start)
        file.write(_MARK + digest + footer)


def check_digest(path: Path) -> None:
    """Verify the digest of a Parquet file; a file without one passes.

    Raises
    ------
    FormatError
        If the digest does not match.
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        start = _footer_start(file)
        before = start - _SEAL
        if before < 0:
            return
        file.seek(before)
        mark, digest, footer = file.read(len(_MARK)), file.read(_SEAL - len(_MARK)), file.read()
        if mark == _MARK and digest != _digest(file, before, footer):
            raise FormatError(f"{path}: does not match its digest; the file is damaged or was changed")


def _footer_start(file: BinaryIO) -> int:
    """Return where the footer of a Parquet file begins; 0 if the file has none, which its reader will report."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 8))
    length, magic = file.read(4), file.read(4)
    return max(0, size - 8 - int.from_bytes(length, "little")) if magic == _MAGIC else 0


def _digest(file: BinaryIO, stop: int, footer: bytes) -> bytes:
    digest = hashlib.sha256()
    for piece in _pieces(file, stop):
        digest.update(piece)
    digest.update(footer)
    return digest.digest()


def _pieces(file: BinaryIO, stop: int) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(min(_PIECE, stop - file.tell())):
        yield piece
