"""Embeddings as the body of an answer: JSON, Parquet or Arrow."""

import gzip
import io
import json
from collections.abc import Iterable

import attrs
import orjson
import pandas as pd
import pyarrow as pa
from pyarrow import ipc, parquet

from holo_types import Embeddings, ModelReference, to_table

__all__ = [
    "ARROW",
    "JSON",
    "MODEL",
    "PARQUET",
    "accepts_gzip",
    "body_of",
    "chosen_type",
    "packed",
    "table_body",
]

JSON = "application/json"
PARQUET = "application/vnd.apache.parquet"
ARROW = "application/vnd.apache.arrow.stream"
MODEL = b"holo.model"  # key in a table's metadata: the model that made it, as JSON
_GZIP_LEAST = 1024  # bytes; shorter bodies are not worth compressing
_GZIP_LEVEL = 1  # for digits of random numbers, higher levels take ten times as long and save a few percent

Headers = Iterable[tuple[bytes, bytes]]


def chosen_type(headers: Headers) -> str:
    """Return the media type of the answer that a client asks for: JSON, unless it names another supported one.

    Examples
    --------
    >>> chosen_type([(b"accept", b"application/vnd.apache.parquet, */*")])
    'application/vnd.apache.parquet'
    >>> chosen_type([(b"accept", b"text/html")])
    'application/json'
    """
    asked = [part.split(";")[0].strip().lower() for part in _values(headers, b"accept")]
    return next((each for each in asked if each in (JSON, PARQUET, ARROW)), JSON)


def accepts_gzip(headers: Headers) -> bool:
    """Return whether a client accepts answers compressed with gzip.

    Examples
    --------
    >>> accepts_gzip([(b"accept-encoding", b"br, gzip")]), accepts_gzip([(b"accept-encoding", b"gzip;q=0")])
    (True, False)
    """
    for part in _values(headers, b"accept-encoding"):
        coding, _, quality = part.partition(";")
        if coding.strip().lower() in ("gzip", "*"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _values(headers: Headers, name: bytes) -> list[str]:
    return [
        part for key, value in headers if key.lower() == name for part in value.decode("latin-1").split(",")
    ]


def body_of(embeddings: Embeddings, media_type: str) -> bytes:
    """Return embeddings as the body of an answer.

    Parameters
    ----------
    embeddings
        The embeddings to answer with.
    media_type
        A media type that `chosen_type` returned.
    """
    return table_body(to_table(embeddings), embeddings.model, media_type)


def table_body(table: pd.DataFrame, model: ModelReference, media_type: str) -> bytes:
    """Return a table as the body of an answer.

    Parameters
    ----------
    table
        The table to answer with.
    model
        The model that made it.
    media_type
        A media type that `chosen_type` returned.
    """
    if media_type == JSON:
        columns = [table[name].tolist() for name in table]
        names = list(table)
        return orjson.dumps({"predictions": [dict(zip(names, row)) for row in zip(*columns)]})  # noqa: B905
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    arrow = arrow.replace_schema_metadata({MODEL: json.dumps(attrs.asdict(model))})
    file = io.BytesIO()
    if media_type == PARQUET:
        parquet.write_table(arrow, file, write_page_checksum=True)
    else:
        with ipc.new_stream(file, arrow.schema) as stream:
            stream.write_table(arrow)
    return file.getvalue()


def packed(body: bytes) -> bytes | None:
    """Return a body compressed with gzip; None if it is too short to be worth it."""
    return gzip.compress(body, _GZIP_LEVEL, mtime=0) if len(body) >= _GZIP_LEAST else None
