"""A fitted predictor of affinities, and its folder on disk."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import attrs
import numpy as np
from jaxtyping import Float, Shaped

import holo_types
from holo_downstream.vectors.pooling import Pooling
from holo_downstream.vectors.tables import KINDS, Source, VectorTable
from holo_types import FormatError, HoloError, ModelReference, NamedArrays
from holo_types.contents import read_content
from holo_types.files.atomic import owned, write_errors
from holo_types.files.csv_files import write_csv
from holo_types.reading import reads

from .fitted import Fitted, fitted
from .member_arrays import members_of, split_members
from .skops_files import read_estimators

__all__ = [
    "Predictions",
    "Predictor",
    "conformal_half_width",
    "read_predictor",
    "write_predictions",
    "write_predictor",
]

_FORMAT, _KIND, _FILE = 2, "AffinityPredictor", "predictor.h5"
_JSON, _SKOPS = "predictor.json", "predictor.skops"  # files of format 1


@attrs.frozen(eq=False)
class Predictions:
    """Predicted affinities with intervals.

    Parameters
    ----------
    ids : Shaped[ndarray, "n"]
        The ids of the complexes.
    values, lower, upper : Float[ndarray, "n"]
        The predictions and their intervals, in pK.
    """

    ids: Shaped[np.ndarray, "n"]
    values: Float[np.ndarray, "n"]
    lower: Float[np.ndarray, "n"]
    upper: Float[np.ndarray, "n"]


@attrs.frozen(eq=False)
class Predictor:
    """Regressors that differ in their seed, whose predictions are averaged, and the vectors that they take.

    Parameters
    ----------
    members
        The fitted regressors.
    source
        The required origin of the vectors.
    by, pooling
        How the vectors of residues are pooled to complexes.
    width
        The width of the pooled vectors.
    half_width
        Half the width of the interval around each prediction, in pK.
    coverage
        The share of labels that the interval is intended to contain.
    """

    members: tuple[Fitted, ...]
    source: Source
    by: str
    pooling: Pooling
    width: int
    half_width: float
    coverage: float

    def predict(self, table: VectorTable) -> Predictions:
        """Predict the affinity of each complex.

        The interval has the same width for every complex (split conformal, from the residuals of validation complexes).

        Raises
        ------
        HoloError
            If the vectors come from another model, basis or kind than those that were learned from.
        """
        self.source.check(table.source)
        if table.vectors.shape[1] != self.width:
            raise HoloError(
                f"the vectors have {table.vectors.shape[1]} components; they must have {self.width}"
            )
        values = self.predict_vectors(table.vectors)
        return Predictions(table.ids, values, values - self.half_width, values + self.half_width)

    def predict_vectors(self, vectors: Float[np.ndarray, "n width"]) -> Float[np.ndarray, "n"]:
        """Return the mean prediction of the members, for vectors of known source."""
        if len(vectors) == 0:
            return np.empty(0)
        return np.asarray(np.mean([member.predict(vectors) for member in self.members], axis=0))


def conformal_half_width(residuals: Float[np.ndarray, "n"], coverage: float) -> tuple[float, float]:
    """Return the largest distance of the label of a new complex from its prediction, with a given probability.

    This is the ceil((n + 1) coverage)-th smallest of n absolute residuals of complexes that the model did not learn
    from [1]_. It holds for similar complexes; for new families, more labels may be outside.

    Parameters
    ----------
    residuals : Float[ndarray, "n"]
        Predictions minus labels.
    coverage
        The requested probability.

    Returns
    -------
    tuple of float and float
        The half width, and its actual coverage: with n residuals, at most n / (n + 1).

    Raises
    ------
    HoloError
        If there is no residual, or the coverage is not between 0 and 1.

    References
    ----------
    .. [1] J. Lei et al., Distribution-Free Predictive Inference for Regression, JASA 113, 1094 (2018).

    Examples
    --------
    >>> conformal_half_width(np.array([-0.5, 0.1, 2.0, 0.9]), 0.6)
    (0.9, 0.6)
    """
    if len(residuals) == 0 or not 0 < coverage < 1:
        raise HoloError(
            f"there are {len(residuals)} residuals for a coverage of {coverage:g}; at least one is needed, and a "
            "coverage between 0 and 1"
        )
    count = len(residuals)
    # In floating point, a coverage such as 0.9 may be slightly too large, which must not require one more residual.
    rank = min(math.ceil((count + 1) * coverage - 1e-9), count)
    return float(np.sort(np.abs(residuals))[rank - 1]), min(coverage, count / (count + 1))


def write_predictor(predictor: Predictor, folder: Path) -> None:
    """Write a predictor to a folder as ``predictor.h5``: arrays and their meaning, in Holo's HDF5 format.

    Raises
    ------
    HoloError
        If the folder cannot be written.
    """
    about = attrs.asdict(predictor, filter=lambda field, _: field.name != "members")
    arrays, members = split_members(predictor.members)
    arrays["members"] = np.arange(len(members))  # constants have no arrays, and a file needs at least one
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    header = {"format": _FORMAT, **about, "members": members}
    with owned(folder):
        holo_types.save(NamedArrays(_KIND, arrays, header), folder / _FILE)


@reads("a predictor of affinities")
def read_predictor(folder: Path) -> Predictor:
    """Read a predictor from its folder, or from the folder of its study.

    Predictors of format 1, in which skops wrote scikit-learn's estimators, can also be read, without skops.

    Raises
    ------
    FormatError
        If the folder holds no predictor, one that is damaged or has another format, or content that Holo never writes.
    """
    folder = next((each for each in (folder, folder / "model") if _is_predictor(each)), folder)
    path = folder / (_FILE if (folder / _FILE).exists() else _JSON)
    try:
        return _read(path) if path.name == _FILE else _read_format_1(path)
    except OSError as error:
        raise FormatError(f"{folder}: is not a predictor of affinities: {error.strerror or error}") from None
    except FormatError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise FormatError(f"{path}: does not describe a predictor ({error})") from None


def _is_predictor(folder: Path) -> bool:
    return (folder / _FILE).exists() or (folder / _JSON).exists()


def _read(path: Path) -> Predictor:
    stored = holo_types.load(path, kind=NamedArrays)
    plain = stored.header
    if stored.kind != _KIND or plain.get("format") != _FORMAT:
        raise FormatError(
            f"{path}: holds {stored.kind} of format {plain.get('format')!r}; it must hold {_KIND} of format {_FORMAT}"
        )
    return _predictor(members_of(stored.arrays, plain["members"]), plain)


def _read_format_1(path: Path) -> Predictor:
    plain = json.loads(read_content(path))
    if not isinstance(plain, dict) or plain.get("format") != 1:
        found = plain.get("format") if isinstance(plain, dict) else plain
        raise FormatError(f"{path}: has the format {found!r}; this version reads 1 and {_FORMAT}")
    estimators = path.with_name(_SKOPS)
    digest = hashlib.sha256(read_content(estimators)).hexdigest()
    if plain.get("skops_sha256") != digest:
        raise FormatError(
            f"{estimators}: its digest is {digest[:12]}, but {_JSON} has another one, so it is damaged"
        )
    return _predictor([fitted(each) for each in read_estimators(estimators)], plain)


def _predictor(members: Sequence[Fitted], plain: Mapping[str, Any]) -> Predictor:
    """Return a predictor made from the content of a file."""
    by, pooling, width = plain["by"], plain["pooling"], plain["width"]
    half_width, coverage = plain["half_width"], plain["coverage"]
    if not isinstance(by, str) or pooling not in get_args(Pooling) or type(width) is not int:
        raise ValueError(f"by is {by!r}, pooling {pooling!r} and width {width!r}")
    if not all(type(each) is float and math.isfinite(each) for each in (half_width, coverage)):
        raise ValueError(f"half_width is {half_width!r} and coverage {coverage!r}")
    if not members or any(member.width not in (None, width) for member in members):
        raise ValueError(
            f"its members take {[member.width for member in members]} components, and it {width}"
        )
    return Predictor(tuple(members), _source(plain["source"]), by, pooling, width, half_width, coverage)


def _source(plain: object) -> Source:
    if not isinstance(plain, dict) or plain["kind"] not in KINDS or type(plain["basis_digest"]) is not str:
        raise ValueError("its source is not valid")
    return Source(
        plain["kind"],
        None if plain["model"] is None else ModelReference(**plain["model"]),
        plain["basis_digest"],
        tuple(plain["columns"]),
        tuple(_source(other) for other in plain["beside"]),
    )


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write predictions as CSV, with the columns id, prediction, lower, upper, in pK.

    Raises
    ------
    HoloError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "predictions.csv")
    >>> one = np.array([6.5])
    >>> write_predictions(Predictions(np.array(["1abc"]), one, one - 1, one + 1), path)
    >>> path.read_text().split()
    ['id,prediction,lower,upper', '1abc,6.5,5.5,7.5']
    """
    columns = (
        predictions.ids.tolist(),
        *(v.tolist() for v in (predictions.values, predictions.lower, predictions.upper)),
    )
    write_csv(path, ("id", "prediction", "lower", "upper"), zip(*columns, strict=True))
