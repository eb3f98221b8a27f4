"""The MLflow flavour of a model: structures in, one row per residue out.

MLflow imports this module by name and calls `_load_pyfunc`: neither code nor pickle travels with a model.
"""

import base64
import binascii
import json
import re
import tempfile
from pathlib import Path, PureWindowsPath

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from holo_types import HoloError, concatenate, to_table

from .embedding import embed_structures
from .model import Model, read_model

__all__ = ["StructureEmbedder", "encode_content"]

_BINARY_SUFFIXES = (".gz", ".bcif")
_FILE_NAME = re.compile(r"[^.\x00/\\][^\x00/\\]{0,199}")


class InvalidStructure(MlflowException):
    """A structure in a request that cannot be embedded; the caller gets status 400 and one line."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, error_code=INVALID_PARAMETER_VALUE)
        self.reason = " ".join(reason.split())

    def serialize_as_json(self) -> str:
        """Give the body of the response, without the copy of the request that MLflow adds."""
        return json.dumps({"error_code": self.error_code, "message": self.reason})


def encode_content(path: Path) -> str:
    """Give a file's content as a request carries it: text as it is, binary formats as base64."""
    content = path.read_bytes()
    if path.name.endswith(_BINARY_SUFFIXES):
        return base64.b64encode(content).decode("ascii")
    return content.decode()


def _decode_content(name: str, content: str) -> bytes:
    if not name.endswith(_BINARY_SUFFIXES):
        return content.encode()
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidStructure(f"{name}: the content of a binary file must be base64") from None


class StructureEmbedder:
    """What an MLflow scoring server asks: a table of structures to a table of residues.

    Parameters
    ----------
    model
        The model that embeds.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    def predict(self, structures: pd.DataFrame, params: dict[str, object] | None = None) -> pd.DataFrame:
        """Embed structures.

        Parameters
        ----------
        structures
            Columns ``name`` (a file name, whose suffix gives the format) and ``content`` (the file's text, or
            base64 where the name ends in ``.bcif`` or ``.gz``).
        params
            None are known; MLflow passes the argument.

        Returns
        -------
        pandas.DataFrame
            One row per residue, as `holo_types.to_table` gives it.

        Raises
        ------
        InvalidStructure
            If any structure cannot be embedded, naming it.
        """
        names = [PureWindowsPath(str(name)).name for name in structures["name"]]  # knows / and \\
        if len({name.split(".")[0] for name in names}) < len(names) or not all(
            map(_FILE_NAME.fullmatch, names)
        ):
            raise InvalidStructure(
                f"the structures are named {names}; each needs a file name of its own, apart from its ending, "
                "such as 1abc.pdb"
            )
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for name, content in zip(names, structures["content"], strict=True):
                path = Path(folder, name)
                try:
                    path.write_bytes(_decode_content(name, str(content)))
                except OSError as error:
                    raise InvalidStructure(f"{name}: cannot be read as a file ({error})") from None
                paths.append(path)
            embedded = []
            for result in embed_structures(paths, self.model):
                if result.embeddings is None:
                    reason = str(result.encoded.error)
                    raise InvalidStructure(reason.replace(f"{folder}/", "").replace(folder, ""))
                embedded.append(result.embeddings)
        try:
            return to_table(concatenate(embedded))
        except HoloError as error:
            raise InvalidStructure(str(error)) from None


def _load_pyfunc(data_path: str) -> StructureEmbedder:
    """Load the model folder that `holo_vae.tracking` logged (MLflow's entry point)."""
    return StructureEmbedder(read_model(data_path))
