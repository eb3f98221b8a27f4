"""The MLflow flavor of a model: structures or holograms go in, and one row per residue or hologram comes out.

MLflow imports this module by name and calls `_load_pyfunc`: no pickle travels with a model. The code that travels, as
wheels, is for environments without Holo.
"""

import base64
import logging
import os
from collections.abc import Iterator
from contextvars import ContextVar
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

from holo_types import Embeddings, HoloError, Holograms, concatenate, to_table
from holo_vae.embedding import embed_unnamed, unchanging
from holo_vae.networks.loading import load
from holo_vae.networks.model import Model

from .decoding import Decoders
from .faults import where
from .forms import COLUMNS, given_rows, is_of_structures, one_batch, structures_of
from .holograms import encode_coefficients, parse_holograms
from .limits import Deadline, Limits, RefusedRequest

__all__ = ["ServedModel", "encode_content", "input_example", "signature"]

_BINARY_SUFFIXES = (".gz", ".bcif")
_EXAMPLE = Path(__file__).parents[1] / "shipped" / "tripeptide.pdb"
_BATCH = 512
_INDEX = {  # index columns of the answer, in either form
    "structure": DataType.string,
    "model": DataType.long,
    "chain": DataType.string,
    "residue_number": DataType.long,
    "insertion_code": DataType.string,
    "residue_name": DataType.string,
    "b_factor": DataType.double,
    "hologram": DataType.long,
    "center_x": DataType.double,
    "center_y": DataType.double,
    "center_z": DataType.double,
}

_logger = logging.getLogger(__name__)


class _IgnoredColumns(logging.Filter):
    """Detect that MLflow ignores columns which the signature does not name; MLflow reports this only in its log.

    Otherwise, a misspelt ``residues`` would embed all residues. Each request has its own thread and context.
    """

    seen: ContextVar[bool] = ContextVar("ignored_columns", default=False)

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass every record except that one, which quotes the request."""
        if "Found extra inputs" not in str(record.msg):
            return True
        self.seen.set(True)
        return False


def _watch_ignored_columns() -> None:
    source = logging.getLogger("mlflow.models.utils")
    source.setLevel(logging.WARNING)  # regardless of what is shown
    if not any(isinstance(known, _IgnoredColumns) for known in source.filters):
        source.addFilter(_IgnoredColumns())


def encode_content(path: Path) -> str:
    """Return the content of a structure file in the form that a request carries: text unchanged, binary as base64."""
    content = path.read_bytes()
    if path.name.lower().endswith(_BINARY_SUFFIXES):
        return base64.b64encode(content).decode("ascii")
    return content.decode()


def input_example(model: Model) -> pd.DataFrame:
    """Return a request that a model can answer: a structure, or holograms if its basis is one of a sphere."""
    if model.config.basis.radial is not None:
        return pd.DataFrame([{"name": _EXAMPLE.name, "content": _EXAMPLE.read_text()}])
    holograms = _random_holograms(model)
    return pd.DataFrame(
        [{"holograms": encode_coefficients(holograms.coefficients), "basis": holograms.basis.digest}]
    )


def signature(model: Model) -> ModelSignature:
    """Return the columns of requests and answers.

    All columns of requests are optional, so that the two forms can be told apart and `ServedModel.predict` words the
    refusal: MLflow's own message quotes the request.
    """
    values = to_table(embed_unnamed(model, _random_holograms(model)))
    kinds = {"float32": DataType.float, "float64": DataType.double, "bool": DataType.boolean}
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, name, required=False) for name in COLUMNS]),
        outputs=Schema(
            [
                *(ColSpec(kind, name, required=False) for name, kind in _INDEX.items()),
                *(ColSpec(kinds[str(values[name].dtype)], name) for name in values.columns),
            ]
        ),
    )


def _random_holograms(model: Model) -> Holograms:
    basis = model.config.basis
    rows = np.random.default_rng(0).normal(size=(2, basis.dim))
    return Holograms(rows.astype(np.float32), basis)


class ServedModel:
    """The interface to MLflow's scoring server: it turns a table of structures or holograms into one of embeddings.

    Parameters
    ----------
    model
        The model that embeds.
    limits
        The limits of one request; by default `Limits()`.

    Examples
    --------
    >>> from holo_types import Basis
    >>> from holo_vae import HolographicAutoencoder, ModelConfig
    >>> basis = Basis(lmax=2, radial=None, channels=("image",))
    >>> config = ModelConfig(basis=basis, latent_dim=4, lmax=(2, 1), channels=(6, 6))
    >>> served = ServedModel(Model(HolographicAutoencoder(config), name="untrained"))
    >>> list(served.predict(input_example(served.model)))[:3]
    ['hologram', 'z_0', 'z_1']
    """

    def __init__(self, model: Model, limits: Limits | None = None) -> None:
        self.model = unchanging(model)
        self.limits = Limits() if limits is None else limits
        basis = model.config.basis
        readable = basis.radial is not None and find_spec("holo_features") is not None
        self.decoders = Decoders(basis, self.limits) if readable else None
        _watch_ignored_columns()

    @property
    def python_model(self) -> Model:
        """The model itself, which MLflow's `unwrap_python_model` returns: its digest follows its weights."""
        return Model(self.model.network, self.model.name, self.model.version)

    def predict(self, request: pd.DataFrame, params: dict[str, object] | None = None) -> pd.DataFrame:
        """Embed the content of a request.

        Parameters
        ----------
        request
            Either one row per structure: ``name``, a file name whose ending gives the format; ``content``, the text of
            the file, or base64 if the name ends in ``.bcif`` or ``.gz``; and, unless all residues are to be embedded,
            ``residues``, such as ``"A:10-50,B:7,C"``. Or a single row: ``holograms``, a ``.npy`` file in base64,
            float32 or float64 [n, dim]; and ``basis``, the digest of its basis.
        params
            No parameters are supported.

        Returns
        -------
        pandas.DataFrame
            One row per residue or hologram, as returned by `holo_types.to_table`; holograms are numbered in the column
            ``hologram``. Answers of a conditional model have no ``reconstruction_cosine_loss`` (0 is perfect).

        Raises
        ------
        RefusedRequest
            If the request is not valid or exceeds a limit; one line says why, and in which row, counted from 0.
        """
        ignored, deadline = _IgnoredColumns.seen.get(), Deadline(self.limits.max_seconds)
        _IgnoredColumns.seen.set(False)
        try:
            # Because the signature has no parameters, MLflow passes an empty mapping for any that it drops.
            if params is not None:
                raise RefusedRequest("the request has params, which are not supported")
            if ignored:
                raise RefusedRequest("the request has a column that is not known")
            return self._table(request, deadline)
        except RefusedRequest as refused:
            raise _ToMlflow(refused.reason, refused.error_code) from None
        except Exception as error:  # noqa: BLE001 - a bug in the service: it is logged, and the service continues
            _logger.error("a request failed: %s", where(error))
            raise _ToMlflow("the service failed; its log says why", "INTERNAL_ERROR") from None

    def _table(self, request: pd.DataFrame, deadline: Deadline) -> pd.DataFrame:
        rows = given_rows(request.iloc[: self.limits.max_residues + 1].to_dict(orient="records"), self.limits)
        blocks = self._structures(rows, deadline) if is_of_structures(rows) else self._holograms(rows)
        embeddings: list[Embeddings] = []
        for block in blocks:
            deadline.check()
            try:
                embeddings.append(embed_unnamed(self.model, block))
            except HoloError:
                first = sum(map(len, embeddings))
                raise RefusedRequest(
                    f"not all of rows {first} to {first + len(block) - 1} of the answer would be finite; a value "
                    "that was sent is too large for the model's precision"
                ) from None
        if not embeddings:
            raise RefusedRequest("no residue of the request has an atom of the model's channels around it")
        return to_table(concatenate(embeddings))

    def _holograms(self, rows: list[dict[str, str]]) -> Iterator[Holograms]:
        digest, text = one_batch(rows)
        holograms = parse_holograms(text, digest, self.model.config.basis, self.limits, "row 0")
        for start in range(0, len(holograms), _BATCH):
            yield holograms[start : start + _BATCH]

    def _structures(self, rows: list[dict[str, str]], deadline: Deadline) -> Iterator[Holograms]:
        if self.model.config.basis.radial is None:
            raise RefusedRequest("the model is one of sphere images; it takes holograms and basis")
        if self.decoders is None:
            raise RefusedRequest("the service has no holo-vae[structures]; it takes holograms and basis")
        return self.decoders.holograms(structures_of(rows), deadline)


class _ToMlflow(RefusedRequest, MlflowException):
    """A refusal in the form that MLflow's scoring server expects."""

    def __init__(self, reason: str, error_code: str) -> None:
        super().__init__(reason, error_code)
        self.message = reason


def _load_pyfunc(data_path: str) -> ServedModel:
    """Load the model folder that `holo_vae.tracking.run` logged (MLflow's entry point)."""
    return ServedModel(load(data_path, Model), Limits.from_environment(os.environ))
