"""Fitting a predictor of stability changes, with predictions of each family from the other families."""

import attrs
import numpy as np
from jaxtyping import Float, Shaped
from numpy.typing import NDArray

from holo_downstream.affinity.predictor import conformal_half_width
from holo_downstream.validation.cross_validation import group_folds
from holo_downstream.vectors.inputs import text_labels
from holo_types import HoloError

from .kernels import KernelSettings, natural_kernel, odd_kernel
from .predictor import Scales, StabilityPredictor
from .substitutions import Substitutions

__all__ = ["SETTINGS", "StabilityFit", "fit_stability"]

# Chosen with ten folds by family on the measured mutations of docs/results/mutations.md.
SETTINGS = KernelSettings(
    sharpness={"around": 0.5, "kinds": 0.2, "backbone": 0.2, "chain": 0.1},
    type_sharpness=0.3,
    type_weight=0.4,
    site_weight=0.4,
    change_weight=0.5,
    offset=0.06,
    natural_site_weight=0.09,
    natural_type_weight=0.15,
    noise=1.0,
)


@attrs.frozen(eq=False)
class StabilityFit:
    """A fitted predictor, and its cross-validated predictions.

    Parameters
    ----------
    predictor
        The predictor, trained on all rows.
    predicted : Float[ndarray, "n"]
        The prediction of each row from the families of the other folds, in kcal/mol.
    odd : Float[ndarray, "n"]
        The odd part of this prediction alone.
    """

    predictor: StabilityPredictor
    predicted: Float[np.ndarray, "n"]
    odd: Float[np.ndarray, "n"]


def fit_stability(
    exchanges: Substitutions,
    ddg: Float[np.ndarray, "n"],
    families: Shaped[np.ndarray, "n"],
    settings: KernelSettings = SETTINGS,
    *,
    folds: int = 10,
    coverage: float = 0.9,
) -> StabilityFit:
    """Fit a predictor of how substitutions change stability.

    The predictor is a Gaussian process whose covariance is the sum of `odd_kernel` and `natural_kernel`: its mean is
    the sum of an odd part and of a term for natural residues, which are fitted together.

    Parameters
    ----------
    exchanges
        The features of the substitutions.
    ddg : Float[ndarray, "n"]
        The measured changes in kcal/mol; negative values are destabilizing.
    families
        The families of the proteins: the rows of a family are predicted from rows of other families.
    settings
        The settings of the kernels.
    folds
        The number of folds of whole families.
    coverage
        The coverage of the intervals.

    Raises
    ------
    HoloError
        If the numbers of rows differ, a value is not finite, a block of the settings is missing, or there are fewer
        families than folds.

    Notes
    -----
    The folds need no separate fits: with the inverse A of the covariance of all rows and a fold G, the predictions of G
    from the other rows have the errors A_GG⁻¹ (A y)_G [1]_.

    References
    ----------
    .. [1] C. E. Rasmussen, C. K. I. Williams, Gaussian Processes for Machine Learning, section 5.4.2 (2006).

    Examples
    --------
    >>> from holo_downstream.stability.substitutions import Columns
    >>> random = np.random.default_rng(0)
    >>> one, other, around = random.normal(size=(3, 40, 1))
    >>> exchanges = Substitutions(
    ...     {"around": Columns(("atoms",), around)},
    ...     Columns(("volume",), one),
    ...     Columns(("volume",), other),
    ...     Columns(("volume",), other - one),
    ... )
    >>> settings = attrs.evolve(SETTINGS, sharpness={"around": 0.5}, noise=0.01)
    >>> fit = fit_stability(exchanges, (other - one)[:, 0], np.arange(40) % 8, settings, folds=4)
    >>> bool(np.corrcoef(fit.odd, (other - one)[:, 0])[0, 1] > 0.95)
    True
    """
    if len(ddg) != len(exchanges) or not np.isfinite(ddg).all():
        raise HoloError(
            f"fit_stability: ddg are {len(ddg)} numbers, {int((~np.isfinite(ddg)).sum())} of them not finite; they "
            f"must be {len(exchanges)} finite ones, one for each exchange"
        )
    # The scales come from the features, not from the measured values, so a fold's own rows may contribute.
    scales = Scales.of(exchanges, settings)
    scaled = scales.scale(exchanges)
    odd, natural = odd_kernel(scaled, scaled, settings), natural_kernel(scaled, scaled, settings)
    inverse: NDArray[np.float64] = np.linalg.inv(odd + natural + settings.noise * np.eye(len(ddg)))
    weights: NDArray[np.float64] = inverse @ ddg
    predicted, of_odd = np.empty(len(ddg)), np.empty(len(ddg))
    for fold in group_folds(text_labels("families", families, len(ddg)), folds):
        rows = fold.test
        errors = np.linalg.solve(inverse[np.ix_(rows, rows)], weights[rows])
        predicted[rows] = ddg[rows] - errors
        others = (
            weights - inverse[:, rows] @ errors
        )  # 0 at the rows of the fold: only the other rows contribute
        of_odd[rows] = np.delete(odd[rows], rows, axis=1) @ np.delete(others, rows)
    width, reached = conformal_half_width(predicted - ddg, coverage)
    odd_width, _ = conformal_half_width(of_odd - ddg, coverage)
    predictor = StabilityPredictor(
        settings, exchanges.columns(scales.blocks), scales, scaled, weights, width, odd_width, reached
    )
    return StabilityFit(predictor, predicted, of_odd)
