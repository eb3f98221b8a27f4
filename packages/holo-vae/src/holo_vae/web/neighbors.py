"""Neighbors of a request's residues, in the search index of the service (extra ``evaluation``)."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl

import attrs
import pandas as pd

from holo_types import Embeddings, FormatError, HoloError, Index, ModelReference
from holo_types.extras import extra
from holo_vae.serving.limits import Deadline, RefusedRequest

if TYPE_CHECKING:
    from holo_downstream import SearchIndex

__all__ = ["Asked", "IndexSearch", "read_index"]

_BLOCK = 128  # residues that are compared with the index at once
_MOST = 100
_FIELDS = 3
Other = Literal["structure", "cluster", "none"]  # as in holo-downstream, which is an extra
_OTHERS: tuple[Other, ...] = ("structure", "cluster", "none")


@attrs.frozen
class Asked:
    """The neighbors that a request asks for.

    Parameters
    ----------
    count
        The number of neighbors for each residue.
    other
        Which residues are left out, as for `holo_downstream.search_residues`.
    any_type
        Whether neighbors may be of another residue type.
    """

    count: int = 10
    other: Other = "structure"
    any_type: bool = False

    @classmethod
    def parse(cls, query: bytes) -> "Asked":
        """Parse the query string of an address.

        Raises
        ------
        RefusedRequest
            If a parameter is unknown, or has a value that is not allowed.

        Examples
        --------
        >>> Asked.parse(b"count=3&other=none")
        Asked(count=3, other='none', any_type=False)
        """
        try:
            found = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_FIELDS)
        except ValueError:  # there are more parameters
            found = [("", "")]
        given = dict(found)
        if len(given) < len(found) or not set(given) <= {"count", "other", "any_type"}:
            raise RefusedRequest(
                "the parameters of neighbors are count, other and any_type, each once at most"
            )
        count, other, any_type = (
            given.get("count", "10"),
            given.get("other", "structure"),
            given.get("any_type", "false"),
        )
        if not (count.isascii() and count.isdigit() and len(count) < 4 and 1 <= int(count) <= _MOST):
            raise RefusedRequest(f"count must be a number from 1 to {_MOST}")
        if any_type not in ("true", "false"):
            raise RefusedRequest("any_type must be true or false")
        for each in _OTHERS:
            if other == each:
                return cls(int(count), each, any_type == "true")
        raise RefusedRequest(f"other must be one of {', '.join(_OTHERS)}")


class IndexSearch:
    """An index in memory, which requests search one at a time.

    Parameters
    ----------
    index
        The search index of a model's residues.
    """

    def __init__(self, index: "SearchIndex") -> None:
        self.index = index
        self._turn = threading.Lock()

    def check_model(self, model: ModelReference) -> None:
        """Refuse a model other than that of the index.

        Raises
        ------
        RefusedRequest
            If the model is another one.
        """
        mine = self.index.model
        if model.digest != mine.digest:
            raise RefusedRequest(
                f"the index is of {mine.name} {mine.version} ({mine.digest[:12]}); the model that answers is "
                f"{model.name} {model.version} ({model.digest[:12]})"
            )

    def table(self, embeddings: Embeddings, asked: Asked, deadline: Callable[[], Deadline]) -> pd.DataFrame:
        """Return the neighbors of residues, as returned by `holo_downstream.neighbor_table`.

        Parameters
        ----------
        embeddings
            Embeddings made by the model of the index.
        asked
            The neighbors that are requested.
        deadline
            Returns when the time of the request is over, or raises an error to end it.

        Raises
        ------
        RefusedRequest
            If the embeddings are not of residues, a cluster that is to be left out is unknown, or the search takes too
            long.
        """
        from holo_downstream import neighbor_table, search_residues  # noqa: PLC0415 - an extra

        if "residue_name" not in embeddings.index:
            raise RefusedRequest("only residues have neighbors; the request must hold structures")
        parts, left = [], deadline()
        for start in range(0, len(embeddings), _BLOCK):
            with self._turn:
                deadline()
                left.check()
                block = embeddings[start : start + _BLOCK]
                try:
                    found = search_residues(
                        self.index, block, count=asked.count, other=asked.other, any_type=asked.any_type
                    )
                except HoloError:  # its message would quote the request
                    raise RefusedRequest(
                        "the cluster of a structure is not known to the index; other must be structure or none"
                    ) from None
                parts.append(neighbor_table(found, self.index))
        columns = Index.concatenate(parts)
        return pd.DataFrame(
            {
                name: values.astype(object) if values.dtype.kind == "U" else values
                for name, values in columns.items()
            }
        )


def read_index(folder: Path) -> IndexSearch:
    """Read the search index of a service.

    Raises
    ------
    HoloError
        If holo-downstream is missing, or the folder is not an index, is damaged, or has no residue.
    """
    with extra("holo-vae[evaluation]"):
        from holo_downstream import read_search_index  # noqa: PLC0415 - an extra
    index = read_search_index(folder)
    if not len(index):
        raise FormatError(f"{folder}: has no residue; an index to search must have some")
    return IndexSearch(index)
