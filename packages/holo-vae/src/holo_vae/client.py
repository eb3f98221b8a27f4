"""A client of the embedding service (extra ``client``): the same results without torch and without a model."""

import base64
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from holo_types import Embeddings, HoloError, Index, ModelReference, concatenate
from holo_types.extras import extra

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Service"]

_ARROW = "application/vnd.apache.arrow.stream"
_MODEL = b"holo.model"
_AT_ONCE = 4  # requests; the service has a queue, which one client should not fill alone
_TRIES = 8
_PAUSE = 0.5  # seconds before the second try; the pause doubles before each further one
_LONGEST_PAUSE = 60.0
_SECONDS = 300.0  # to wait for an answer
_LATER = (429, 502, 503)  # the service is full, is restarting, or has no model yet
_BINARY = (".gz", ".bcif")


class Service:
    """An embedding service, as ``holo-vae serve`` runs one.

    A request that the service has no room for, or whose connection is lost, is sent again up to seven times: after
    the delay that the service asks for, or after pauses that grow.

    Parameters
    ----------
    url
        The address of the service, such as ``"https://holo.example.org"``.
    headers
        Headers sent with each request, such as ``{"Authorization": "Basic ..."}`` for a proxy that requires it.

    Raises
    ------
    HoloError
        If urllib3 or pyarrow is not installed.

    Examples
    --------
    >>> Service("http://127.0.0.1:5001").url
    'http://127.0.0.1:5001'
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        with extra("holo-vae[client]"):
            import pyarrow  # noqa: F401, PLC0415 - an extra
            import urllib3  # noqa: PLC0415 - an extra
        self.url = url.rstrip("/")
        retry = urllib3.Retry(
            _TRIES - 1,
            status_forcelist=_LATER,
            allowed_methods=None,  # the same request always has the same answer
            backoff_factor=_PAUSE,
            backoff_max=_LONGEST_PAUSE,
            raise_on_status=False,
        )
        self._headers = {**(headers or {}), "Content-Type": "application/json", "Accept": _ARROW}
        self._pool = urllib3.PoolManager(retries=retry, timeout=_SECONDS, maxsize=_AT_ONCE)

    def embed(self, paths: Sequence[Path | str]) -> Embeddings:
        """Embed every residue of structure files on the service, with the results of `holo_vae.embed`.

        Parameters
        ----------
        paths
            PDB, mmCIF or BinaryCIF files, which may be gzipped.

        Raises
        ------
        HoloError
            If a file cannot be read, or the service refuses it or does not answer; the one-line message names the file.
        """
        return concatenate([_embeddings(answer, self.url) for answer in self._asked(paths, "/invocations")])

    def neighbors(
        self,
        paths: Sequence[Path | str],
        *,
        count: int = 10,
        other: Literal["structure", "cluster", "none"] = "structure",
        any_type: bool = False,
    ) -> Index:
        """Find the residues in the service's index that are most similar to each residue of structure files.

        Parameters
        ----------
        paths
            PDB, mmCIF or BinaryCIF files, which may be gzipped.
        count, other, any_type
            As for `holo_downstream.search_residues`.

        Returns
        -------
        Index
            One row for each neighbor, with the columns of `holo_downstream.neighbor_table`.

        Raises
        ------
        HoloError
            If a file cannot be read, or the service has no index, refuses the file or does not answer; the one-line
            message names the file.
        """
        asked = f"/neighbors?count={count}&other={other}&any_type={str(any_type).lower()}"
        return Index.concatenate([_neighbors(answer, self.url) for answer in self._asked(paths, asked)])

    def _asked(self, paths: Sequence[Path | str], page: str) -> list[bytes]:
        """Send each file to a page of the service and return the answers."""
        if not paths:
            raise HoloError("paths is empty; it must name a structure file")
        with ThreadPoolExecutor(_AT_ONCE, "holo-client") as pool:
            return list(pool.map(partial(self._ask, page), map(Path, paths)))

    def _ask(self, page: str, path: Path) -> bytes:
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        body = json.dumps({"dataframe_records": [{"name": path.name, "content": _content(path)}]}).encode()
        try:
            answer = self._pool.request("POST", f"{self.url}{page}", body=body, headers=self._headers)
        except HTTPError as error:
            reason = str(error.args[-1] if error.args else error).splitlines()[0]
            raise HoloError(f"{path}: {self.url} does not answer ({reason})") from None
        if answer.status != 200:
            raise HoloError(
                f"{path}: refused by {self.url} with status {answer.status}: {_reason(answer.data)}"
            )
        return answer.data


def _content(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise HoloError(f"{path}: cannot be read ({error.strerror})") from None
    if path.name.lower().endswith(_BINARY):
        return base64.b64encode(content).decode("ascii")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise HoloError(f"{path}: is not text; a file with this name must be text") from None


def _reason(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, LookupError, TypeError):
        return "no reason given"


def _embeddings(body: bytes, url: str) -> Embeddings:
    return _of_table(*_table(body, url, "embeddings"))


def _neighbors(body: bytes, url: str) -> Index:
    table, _ = _table(body, url, "neighbors")
    return Index({name: _values(table[name]) for name in table.column_names})


def _table(body: bytes, url: str, what: str) -> "tuple[pa.Table, ModelReference]":
    import pyarrow as pa  # noqa: PLC0415

    try:
        table = pa.ipc.open_stream(body).read_all()
        return table, ModelReference(**json.loads(table.schema.metadata[_MODEL]))
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError):
        raise HoloError(f"{url}: its answer is not a table of {what}") from None


def _of_table(table: "pa.Table", model: ModelReference) -> Embeddings:
    """Restore the embeddings that `holo_types.to_table` made into a table."""
    columns = {name: _values(table[name]) for name in table.column_names}
    size = sum(name.startswith("z_") for name in columns)

    def matrix(names: list[str]) -> NDArray[Any] | None:
        found = [columns.pop(name, None) for name in names]
        return (
            None
            if any(each is None for each in found)
            else np.stack([f for f in found if f is not None], axis=1)
        )

    invariants = matrix([f"z_{i}" for i in range(size)])
    frames = matrix([f"frame_{axis}{component}" for axis in "xyz" for component in "xyz"])
    centers = matrix([f"center_{axis}" for axis in "xyz"])
    log_variances = matrix([f"log_variance_{i}" for i in range(size)])
    if invariants is None or frames is None:
        raise HoloError("the table lacks the columns z_0, frame_xx and those that follow them")
    degenerate = columns.pop("degenerate", None)
    losses = columns.pop("reconstruction_cosine_loss", None)
    return Embeddings(
        invariants,
        frames.reshape(-1, 3, 3),
        model,
        columns,
        centers=centers,
        log_variances=log_variances,
        degenerate=degenerate,
        reconstruction_cosine_loss=losses,
    )


def _values(column: "pa.ChunkedArray") -> NDArray[Any]:
    values: NDArray[Any] = column.to_numpy()
    return values.astype(str) if values.dtype.kind == "O" else values
