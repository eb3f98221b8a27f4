"""A predictor of affinities from features of complexes, with intervals, and flags for unusual complexes."""

import math
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy.typing import NDArray

import holo_types
from holo_types import FormatError, HoloError, NamedArrays
from holo_types.files.atomic import owned, write_errors
from holo_types.files.csv_files import write_csv
from holo_types.reading import reads

from .domain import Domain
from .features import FeatureTable
from .fitted import Fitted
from .member_arrays import members_of, split_members
from .widths import Widths

__all__ = [
    "ComplexPredictor",
    "FlaggedPredictions",
    "read_complex_predictor",
    "write_complex_predictor",
    "write_flagged_predictions",
]

_FORMAT, _KIND, _FILE = 1, "ComplexPredictor", "predictor.h5"
_ARRAYS = ("ids", "vectors", "means", "scales", "lowest", "highest")  # arrays of the domain


@attrs.frozen(eq=False)
class FlaggedPredictions:
    """Predicted affinities with intervals, and flags for complexes unlike those of the training.

    Parameters
    ----------
    ids : Shaped[ndarray, "n"]
        The ids of the complexes.
    values, lower, upper : Float[ndarray, "n"]
        The predictions and their intervals, in pK.
    flags
        Why a complex is unlike all training complexes, in words; empty text if it is not.
    nearest : Shaped[ndarray, "n"]
        The id of the training complex with the nearest features.
    distances : Float[ndarray, "n"]
        The distance to that complex, see `Domain.nearest`.
    """

    ids: Shaped[np.ndarray, "n"]
    values: Float[np.ndarray, "n"]
    lower: Float[np.ndarray, "n"]
    upper: Float[np.ndarray, "n"]
    flags: tuple[str, ...]
    nearest: Shaped[np.ndarray, "n"]
    distances: Float[np.ndarray, "n"]


@attrs.frozen(eq=False)
class ComplexPredictor:
    """Regressors on the same features, whose predictions are averaged, and what they learned from.

    Parameters
    ----------
    blocks
        Names of the blocks of features, for callers that compute them.
    names
        The names of all features that a table must have.
    kept : Int[ndarray, "kept"]
        The indices of the features that are used.
    members
        The fitted regressors.
    domain
        The training complexes.
    widths
        The widths of the intervals.
    """

    blocks: tuple[str, ...]
    names: tuple[str, ...]
    kept: Int[np.ndarray, "kept"]
    members: tuple[Fitted, ...]
    domain: Domain
    widths: Widths

    def __attrs_post_init__(self) -> None:
        width = self.domain.vectors.shape[1]
        if self.kept.dtype != np.int64 or self.kept.shape != (width,):
            raise HoloError(f"kept is {self.kept.dtype} {list(self.kept.shape)}; it must be int64 [{width}]")
        if not ((self.kept >= 0) & (self.kept < len(self.names))).all():
            raise HoloError(f"kept asks for a feature that is none of {len(self.names)}")
        if not self.members or any(member.width not in (None, width) for member in self.members):
            raise HoloError(
                f"the members take {[member.width for member in self.members]} features, and the predictor {width}"
            )

    def predict(self, table: FeatureTable) -> FlaggedPredictions:
        """Predict the affinity of each complex.

        Raises
        ------
        HoloError
            If the features of the table are not those that were learned from.
        """
        if table.names != self.names:
            missing = [name for name in self.names if name not in table.names]
            further = [name for name in table.names if name not in self.names]
            how = (
                f"lack {missing[0]!r}"
                if missing
                else f"have also {further[0]!r}"
                if further
                else "are in another order"
            )
            raise HoloError(f"the features {how}; they must be those that the predictor learned from")
        vectors = self.vectors(table.values)
        distances, nearest = self.domain.nearest(vectors)
        values, spreads = self.mean_and_spread(vectors)
        halves = self.widths.half_widths(distances, spreads)
        flags = self.domain.flags(
            vectors, distances, table.elements, [self.names[column] for column in self.kept.tolist()]
        )
        return FlaggedPredictions(
            table.ids, values, values - halves, values + halves, flags, self.domain.ids[nearest], distances
        )

    def vectors(self, values: Float[np.ndarray, "n features"]) -> Float[np.ndarray, "n kept"]:
        """Return the used features; NaN is replaced by the training mean, infinity by the end of the range."""
        vectors = values[:, self.kept].astype(np.float32).astype(np.float64)  # as trees compare them
        filled = np.where(np.isnan(vectors), self.domain.means, vectors)
        infinite = np.isinf(filled)
        return np.where(infinite, np.clip(filled, self.domain.lowest, self.domain.highest), filled)

    def mean_and_spread(
        self, vectors: Float[np.ndarray, "n kept"]
    ) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
        """Return the mean of the members' predictions and their standard deviation, in pK."""
        each = np.array([member.predict(vectors) for member in self.members]).reshape(len(self.members), -1)
        return each.mean(axis=0), each.std(axis=0)


def write_complex_predictor(predictor: ComplexPredictor, folder: Path) -> None:
    """Write a predictor to a folder as ``predictor.h5``: arrays and their meaning, in Holo's HDF5 format.

    Raises
    ------
    HoloError
        If the folder cannot be written.
    """
    arrays, members = split_members(predictor.members)
    domain = predictor.domain
    arrays |= {f"domain_{name}": getattr(domain, name) for name in _ARRAYS}
    arrays |= {"kept": predictor.kept, "names": np.array(predictor.names)}
    header = {
        "format": _FORMAT,
        "blocks": predictor.blocks,
        "elements": sorted(domain.elements),
        "limit": domain.limit if math.isfinite(domain.limit) else None,
        "most_outside": domain.most_outside,
        "widths": attrs.asdict(predictor.widths),
        "members": members,
    }
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with owned(folder):
        holo_types.save(NamedArrays(_KIND, arrays, header), folder / _FILE)


@reads("a predictor of complexes")
def read_complex_predictor(folder: Path) -> ComplexPredictor:
    """Read a predictor from its folder.

    Raises
    ------
    FormatError
        If the folder holds no predictor, one that is damaged or has another format, or content that Holo never writes.
    """
    path = folder / _FILE
    if not path.exists():
        raise FormatError(f"{folder}: holds no {_FILE}; it must be a folder that `holo affinity fit` made")
    stored = holo_types.load(path, kind=NamedArrays)
    plain = stored.header
    if stored.kind != _KIND or plain.get("format") != _FORMAT:
        raise FormatError(
            f"{path}: holds {stored.kind} of format {plain.get('format')!r}; it must hold {_KIND} of format {_FORMAT}"
        )
    try:
        return _read(stored.arrays, plain)
    except (KeyError, TypeError, ValueError, AttributeError, HoloError) as error:
        raise FormatError(f"{path}: does not describe a predictor ({error})") from None


def _read(arrays: Any, plain: dict[str, Any]) -> ComplexPredictor:
    domain = {name: arrays[f"domain_{name}"] for name in _ARRAYS}
    for name, each in domain.items():
        _check(name, each, "U" if name == "ids" else "f")
    _check("names", arrays["names"], "U")
    texts = {name: tuple(plain[name]) for name in ("blocks", "elements")}
    if not all(isinstance(word, str) for words in texts.values() for word in words):
        raise ValueError("its blocks or elements are not text")
    limit = math.inf if plain["limit"] is None else plain["limit"]
    if type(limit) is not float or type(plain["most_outside"]) is not int:
        raise ValueError(f"its limit is {limit!r}, and most_outside {plain['most_outside']!r}")
    return ComplexPredictor(
        texts["blocks"],
        tuple(arrays["names"].tolist()),
        arrays["kept"],
        members_of(arrays, plain["members"]),
        Domain(
            **{**domain, "ids": domain["ids"].astype(np.str_)},
            elements=frozenset(texts["elements"]),
            limit=limit,
            most_outside=plain["most_outside"],
        ),
        Widths(**plain["widths"]),
    )


def _check(name: str, values: NDArray[Any], kind: str) -> None:
    dimensions = 2 if name == "vectors" else 1
    is_kind = (
        all(isinstance(value, str) for value in values.tolist())
        if kind == "U"
        else values.dtype == np.float64
    )
    if values.ndim != dimensions or not is_kind:
        raise ValueError(f"{name} is {values.dtype} {list(values.shape)}")


def write_flagged_predictions(predictions: FlaggedPredictions, path: Path) -> None:
    """Write predictions as CSV, with the columns id, prediction, lower, upper, flags, nearest.

    Raises
    ------
    HoloError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "predictions.csv")
    >>> one, name = np.array([6.5]), np.array(["2abc"])
    >>> found = FlaggedPredictions(np.array(["1abc"]), one, one - 1, one + 1, ("",), name, one)
    >>> write_flagged_predictions(found, path)
    >>> path.read_text().split()
    ['id,prediction,lower,upper,flags,nearest', '1abc,6.5,5.5,7.5,,2abc']
    """
    numbers = (predictions.values, predictions.lower, predictions.upper)
    columns = (
        predictions.ids.tolist(),
        *(np.round(each, 4).tolist() for each in numbers),
        predictions.flags,
        predictions.nearest.tolist(),
    )
    write_csv(path, ("id", "prediction", "lower", "upper", "flags", "nearest"), zip(*columns, strict=True))
