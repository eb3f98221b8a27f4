"""A fitted predictor of affinities, and its folder on disk."""

import hashlib
import json
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from jaxtyping import Float, Shaped

from holo_downstream.vectors.pooling import Pooling
from holo_downstream.vectors.tables import Source, VectorTable
from holo_types import FormatError, HoloError, ModelReference
from holo_types.files.atomic import replacing, write_errors
from holo_types.files.csv_files import write_csv
from holo_types.files.reading import reads

__all__ = [
    "Predictions",
    "Predictor",
    "conformal_half_width",
    "read_predictor",
    "write_predictions",
    "write_predictor",
]

_FORMAT = 1
_JSON, _SKOPS = "predictor.json", "predictor.skops"
# What skops does not know to be harmless, and forests hold: arrays of the nodes of trees.
_TRUSTED = ("sklearn.tree._tree.Tree",)


@attrs.frozen(eq=False)
class Predictions:
    """Predicted affinities with intervals.

    Parameters
    ----------
    ids : Shaped[ndarray, "n"]
        Of the complexes.
    values, lower, upper : Float[ndarray, "n"]
        pK.
    """

    ids: Shaped[np.ndarray, "n"]
    values: Float[np.ndarray, "n"]
    lower: Float[np.ndarray, "n"]
    upper: Float[np.ndarray, "n"]


@attrs.frozen(eq=False)
class Predictor:
    """Regressors that differ in their seed, whose mean is predicted, and what they take.

    Parameters
    ----------
    members
        Fitted scikit-learn regressors.
    source
        What the vectors must be.
    by, pooling
        How residues are pooled to complexes.
    width
        Of the pooled vectors.
    half_width
        Of the interval about each prediction, in pK.
    coverage
        The share of labels that the interval is meant to hold.
    """

    members: tuple[Any, ...]
    source: Source
    by: str
    pooling: Pooling
    width: int
    half_width: float
    coverage: float

    def predict(self, table: VectorTable) -> Predictions:
        """Predict the affinity of each complex.

        The interval is as wide for every complex (split conformal, from the residuals of validation complexes).

        Raises
        ------
        HoloError
            If the vectors are of another model, basis or kind than those learned from.
        """
        self.source.check(table.source)
        if table.vectors.shape[1] != self.width:
            raise HoloError(
                f"the vectors have {table.vectors.shape[1]} components; they must have {self.width}"
            )
        values = self.predict_vectors(table.vectors)
        return Predictions(table.ids, values, values - self.half_width, values + self.half_width)

    def predict_vectors(self, vectors: Float[np.ndarray, "n width"]) -> Float[np.ndarray, "n"]:
        """Give the mean prediction of the members, for vectors of known source."""
        if len(vectors) == 0:
            return np.empty(0)
        return np.asarray(np.mean([member.predict(vectors) for member in self.members], axis=0))


def conformal_half_width(residuals: Float[np.ndarray, "n"], coverage: float) -> tuple[float, float]:
    """Give how far from a prediction the label of a new complex is, at most, with a probability.

    That is the ceil((n + 1) coverage)-th smallest of n absolute residuals of complexes that the model did not
    learn from [1]_. It holds for complexes like those; of new families more labels may be outside.

    Parameters
    ----------
    residuals : Float[ndarray, "n"]
        Prediction minus label.
    coverage
        The probability asked for.

    Returns
    -------
    tuple of float and float
        The half width, and the coverage that it has: n residuals allow at most n / (n + 1).

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
    # A coverage such as 0.9 is a little more than nine tenths: no residual more for that.
    rank = min(math.ceil((count + 1) * coverage - 1e-9), count)
    return float(np.sort(np.abs(residuals))[rank - 1]), min(coverage, count / (count + 1))


def write_predictor(predictor: Predictor, folder: Path) -> None:
    """Write a predictor to a folder: scikit-learn's estimators by skops, all else as JSON.

    The JSON comes last and holds the digest of the other file, so a folder that was left half-written is no
    predictor.

    Raises
    ------
    HoloError
        If the folder cannot be written.
    """
    import skops.io  # noqa: PLC0415 - a second that --help must not wait for
    from sklearn import __version__ as scikit_learn  # noqa: PLC0415

    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _JSON).unlink(missing_ok=True)
    with replacing(folder / _SKOPS) as new:
        skops.io.dump(list(predictor.members), new, compression=zipfile.ZIP_DEFLATED)
        digest = _digest(new)
    about = {
        "format": _FORMAT,
        "skops_sha256": digest,
        "scikit_learn": scikit_learn,
        **attrs.asdict(predictor, filter=lambda field, _: field.name != "members"),
    }
    with replacing(folder / _JSON) as new:
        new.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


@reads("a predictor of affinities")
def read_predictor(folder: Path) -> Predictor:
    """Read a predictor from its folder, or from the folder of its study.

    Raises
    ------
    FormatError
        If it is none, is damaged, of another format, or holds types that no predictor of ours has; nothing of
        such a file is loaded.
    """
    import skops.io  # noqa: PLC0415

    if not (folder / _JSON).exists() and (folder / "model" / _JSON).exists():
        folder = folder / "model"
    about, estimators = folder / _JSON, folder / _SKOPS
    try:
        plain = json.loads(about.read_text(encoding="utf-8"))
        digest = _digest(estimators)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FormatError(f"{folder}: is no predictor of affinities: {reason}") from None
    if not isinstance(plain, dict) or plain.get("format") != _FORMAT:
        found = plain.get("format") if isinstance(plain, dict) else plain
        raise FormatError(f"{about}: has the format {found!r}; this version reads {_FORMAT}")
    if plain.get("skops_sha256") != digest:
        raise FormatError(
            f"{estimators}: its digest is {digest[:12]}; {_JSON} says another, so it is damaged"
        )
    try:
        unknown = [name for name in skops.io.get_untrusted_types(file=estimators) if name not in _TRUSTED]
        if unknown:
            raise FormatError(f"{estimators}: holds {unknown[0]}, which no predictor has; it is not loaded")
        members = skops.io.load(estimators, trusted=list(_TRUSTED))
        return Predictor(
            tuple(members),
            _source(plain["source"]),
            plain["by"],
            plain["pooling"],
            plain["width"],
            plain["half_width"],
            plain["coverage"],
        )
    except FormatError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        made_with = f"; it was written with scikit-learn {plain.get('scikit_learn')}"
        raise FormatError(f"{folder}: does not describe a predictor ({error}){made_with}") from None


def _source(plain: Mapping[str, Any]) -> Source:
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


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
