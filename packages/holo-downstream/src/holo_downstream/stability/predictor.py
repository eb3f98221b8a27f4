"""A fitted predictor of the effect of substitutions on stability, and its file."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

import holo_types
from holo_types import FormatError, HoloError, NamedArrays
from holo_types.reading import reads

from .kernels import KernelSettings, Scaled, natural_kernel, odd_kernel
from .substitutions import Substitutions

__all__ = [
    "Scales",
    "StabilityChanges",
    "StabilityPredictor",
    "read_stability_predictor",
    "write_stability_predictor",
]

_FORMAT, _KIND = 1, "StabilityPredictor"
_LEAST_DEVIATION = 1e-9  # of a column that is practically constant, and is ignored
_BLOCK = 1024  # substitutions that are predicted at once
_PARTS = ("sites", "wild_types", "mutants", "changes")


@attrs.frozen(eq=False)
class StabilityChanges:
    """Predicted changes of stability with intervals, in kcal/mol; negative values are destabilizing.

    Parameters
    ----------
    values, lower, upper : Float[ndarray, "n"]
        The predictions, and the intervals that contain most measured values.
    """

    values: Float[np.ndarray, "n"]
    lower: Float[np.ndarray, "n"]
    upper: Float[np.ndarray, "n"]


@attrs.frozen(eq=False)
class Scales:
    """The shifts and factors that are applied to the columns before they are compared.

    Parameters
    ----------
    blocks
        The blocks of site features that are used, in this order.
    site_means, site_factors
        The means of the columns of these blocks, and their factors.
    type_factors, change_factors
        The factors of the features of amino acids and of changes; differences need no mean.
    """

    blocks: tuple[str, ...]
    site_means: Float[np.ndarray, "s"]
    site_factors: Float[np.ndarray, "s"]
    type_factors: Float[np.ndarray, "t"]
    change_factors: Float[np.ndarray, "c"]

    @classmethod
    def of(cls, exchanges: Substitutions, settings: KernelSettings) -> "Scales":
        """Compute the scales from the substitutions to learn from.

        Raises
        ------
        HoloError
            If a block of the settings is missing.
        """
        missing = [name for name in settings.sharpness if name not in exchanges.sites]
        if missing:
            raise HoloError(
                f"the sites have the blocks {', '.join(exchanges.sites)}; {missing[0]!r} is needed and missing"
            )
        blocks = tuple(settings.sharpness)
        values = [exchanges.sites[name].values for name in blocks]
        factors = [
            np.sqrt(settings.sharpness[name] / each.shape[1]) / _deviations(each)
            for name, each in zip(blocks, values, strict=True)
        ]
        types = np.concatenate([exchanges.wild_types.values, exchanges.mutants.values])
        changes = exchanges.changes.values
        sizes = np.sqrt(
            (changes**2).mean(axis=0)
        )  # no mean is subtracted from a change, since its sign is meaningful
        return cls(
            blocks,
            np.concatenate([each.mean(axis=0) for each in values]),
            np.concatenate(factors),
            np.sqrt(settings.type_sharpness / types.shape[1]) / _deviations(types),
            _inverse(sizes) / np.sqrt(changes.shape[1]),
        )

    def scale(self, exchanges: Substitutions) -> Scaled:
        """Return substitutions with scaled features."""
        sites = np.concatenate([exchanges.sites[name].values for name in self.blocks], axis=1)
        return Scaled(
            (sites - self.site_means) * self.site_factors,
            exchanges.wild_types.values * self.type_factors,
            exchanges.mutants.values * self.type_factors,
            exchanges.changes.values * self.change_factors,
        )


def _deviations(values: Float[np.ndarray, "n d"]) -> NDArray[np.float64]:
    deviations: NDArray[np.float64] = 1 / _inverse(values.std(axis=0))
    return deviations


def _inverse(sizes: Float[np.ndarray, "d"]) -> NDArray[np.float64]:
    """Return 1 / size, or practically 0 for a column that does not vary."""
    return 1 / np.where(sizes > _LEAST_DEVIATION, sizes, 1 / _LEAST_DEVIATION)


@attrs.frozen(eq=False)
class StabilityPredictor:
    """A Gaussian process on substitutions, with its training data.

    Parameters
    ----------
    settings
        The settings of its kernels.
    columns
        The names of the features that it learned from, by part.
    scales
        The scales of these features.
    learned
        The substitutions that it learned from.
    weights
        The weight of each of them, in kcal/mol.
    half_width, odd_half_width
        Half the width of the interval around a prediction, and around the odd part alone, in kcal/mol.
    coverage
        The share of measured values that the intervals are intended to contain.
    """

    settings: KernelSettings
    columns: Mapping[str, tuple[str, ...]]
    scales: Scales
    learned: Scaled
    weights: Float[np.ndarray, "n"]
    half_width: float
    odd_half_width: float
    coverage: float

    def predict(self, exchanges: Substitutions, *, natural: bool = True) -> StabilityChanges:
        """Predict the effect of substitutions on stability.

        Intervals have the same width for every substitution (conformal, from the residuals of families that were
        predicted from other families).

        Parameters
        ----------
        exchanges
            The substitutions, with the features that the predictor learned from.
        natural
            Whether the residue in the structure was selected by evolution: this adds the term for natural residues.
            Without it, the reverse of a substitution at the same site has the negative value.

        Raises
        ------
        HoloError
            If the features are not those that the predictor learned from.
        """
        there = exchanges.columns(self.scales.blocks)
        for part, names in self.columns.items():
            given = there.get(part)
            if given != names:
                raise HoloError(
                    f"the exchanges have {len(given or ())} numbers for {part!r}; the predictor has learned from "
                    f"{len(names)}, which must be the same"
                )
        scaled = self.scales.scale(exchanges)
        values = np.zeros(len(exchanges))
        for start in range(0, len(exchanges), _BLOCK):
            rows = slice(start, start + _BLOCK)
            some = Scaled(*(getattr(scaled, name)[rows] for name in _PARTS))
            kernel = odd_kernel(some, self.learned, self.settings)
            if natural:
                kernel += natural_kernel(some, self.learned, self.settings)
            values[rows] = kernel @ self.weights
        width = self.half_width if natural else self.odd_half_width
        return StabilityChanges(values, values - width, values + width)


def write_stability_predictor(
    predictor: StabilityPredictor, path: Path, header: Mapping[str, object] | None = None
) -> None:
    """Write a predictor to one file, in Holo's HDF5 format.

    Parameters
    ----------
    predictor
        The predictor to write.
    path
        The file, which must end in ``.h5``.
    header
        Additional plain values by name, such as the model whose features the predictor uses.

    Raises
    ------
    HoloError
        If the file cannot be written.
    """
    arrays = {f"learned_{name}": getattr(predictor.learned, name) for name in _PARTS}
    scales = attrs.asdict(predictor.scales)
    blocks = scales.pop("blocks")
    arrays |= {"weights": predictor.weights, **scales}
    plain = {
        "format": _FORMAT,
        "settings": attrs.asdict(predictor.settings),
        "columns": {part: list(names) for part, names in predictor.columns.items()},
        "blocks": list(blocks),
        "half_width": predictor.half_width,
        "odd_half_width": predictor.odd_half_width,
        "coverage": predictor.coverage,
        "about": dict(header or {}),
    }
    holo_types.save(NamedArrays(_KIND, arrays, plain), path)


@reads("a predictor of stability")
def read_stability_predictor(path: Path) -> tuple[StabilityPredictor, dict[str, Any]]:
    """Read a predictor, and the additional values in its file.

    Raises
    ------
    FormatError
        If the file is not a predictor, is damaged, has another format, or its parts do not match each other.
    """
    stored = holo_types.load(path, kind=NamedArrays)
    plain, arrays = stored.header, stored.arrays
    if stored.kind != _KIND or plain.get("format") != _FORMAT:
        raise FormatError(
            f"{path}: holds {stored.kind} of format {plain.get('format')!r}; it must hold {_KIND} of format {_FORMAT}"
        )
    try:
        said = dict(plain["settings"])
        sharpness = {str(name): _number(value) for name, value in said.pop("sharpness").items()}
        numbers = {name: _number(value) for name, value in said.items()}
        settings = KernelSettings(sharpness, **numbers)
        scales = Scales(
            tuple(plain["blocks"]),
            *(arrays[name] for name in ("site_means", "site_factors", "type_factors", "change_factors")),
        )
        predictor = StabilityPredictor(
            settings,
            {str(part): tuple(names) for part, names in plain["columns"].items()},
            scales,
            Scaled(*(arrays[f"learned_{name}"] for name in _PARTS)),
            arrays["weights"],
            *(_number(plain[name]) for name in ("half_width", "odd_half_width", "coverage")),
        )
        _check(predictor)
        return predictor, dict(plain["about"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"{path}: does not describe a predictor of stability ({error})") from None


def _number(value: object) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
        raise ValueError(f"{value!r} is not a finite number")
    return float(value)  # type: ignore[arg-type]


def _check(predictor: StabilityPredictor) -> None:
    """Refuse parts that do not match each other."""
    columns, learned, scales = predictor.columns, predictor.learned, predictor.scales
    widths = {
        "sites": sum(len(columns[f"site {name}"]) for name in scales.blocks),
        "wild_types": len(columns["amino acid"]),
        "mutants": len(columns["amino acid"]),
        "changes": len(columns["change"]),
    }
    expected = {name: (len(predictor.weights), width) for name, width in widths.items()}
    found = {name: getattr(learned, name).shape for name in _PARTS}
    if found != expected:
        raise ValueError(f"the rows learned from are {found}; they must be {expected}")
    factors = {
        "sites": (scales.site_means, scales.site_factors),
        "wild_types": (scales.type_factors,),
        "changes": (scales.change_factors,),
    }
    for name, vectors in factors.items():
        if any(vector.shape != (widths[name],) for vector in vectors):
            raise ValueError(f"the scales of {name} do not have {widths[name]} numbers")
    numbers = [*(getattr(learned, name) for name in _PARTS), predictor.weights, *sum(factors.values(), ())]
    if any(each.dtype != np.float64 or not np.isfinite(each).all() for each in numbers):
        raise ValueError("an array is not of finite float64")
