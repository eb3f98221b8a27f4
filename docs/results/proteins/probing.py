"""What simple estimators read from z, beside what they read from invariants that nobody has to learn."""

from collections.abc import Iterator, Mapping

import attrs
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from holo_downstream import (
    Interval,
    Probe,
    ProbeResult,
    bootstrap_mean,
    power_spectrum,
    probe,
    scalar_coefficients,
)
from holo_types import Holograms
from holo_vae import Model

__all__ = ["Features", "ProbeScore", "Spectrum", "features_of", "probe_target"]

Features = Mapping[str, Float[np.ndarray, "n d"]]


@attrs.frozen(kw_only=True)
class ProbeScore:
    """How often a property of residues is read right, cross-validated by cluster.

    Parameters
    ----------
    target
        What is read.
    features, estimator
        From what, and by what.
    rows, classes
        How many residues have a label, and how many labels there are.
    majority
        The accuracy of naming the commonest label of the training folds.
    accuracy, balanced_accuracy
        Over residues, with a 95 % interval from a bootstrap over clusters; and over classes.
    z_above
        By how much z is better with the same estimator, on the same folds, paired; None of z itself.
    """

    target: str
    features: str
    estimator: str
    rows: int
    classes: int
    majority: float
    accuracy: Interval
    balanced_accuracy: float
    z_above: Interval | None


class Spectrum:
    """The first principal components of standardized power spectra, as training residues have them.

    Parameters
    ----------
    training
        Whose mean, scale and components they are.
    components
        How many are kept.
    """

    def __init__(self, training: Holograms, components: int) -> None:
        powers = power_spectrum(training).astype(np.float64)
        kept = min(components, *powers.shape)
        self._transform = make_pipeline(StandardScaler(), PCA(kept, random_state=0)).fit(powers)

    def of(self, holograms: Holograms) -> Float[np.ndarray, "n d"]:
        """Give the components of holograms."""
        reduced: NDArray[np.float64] = self._transform.transform(power_spectrum(holograms).astype(np.float64))
        return reduced


def features_of(model: Model, holograms: Holograms, spectrum: Spectrum) -> Features:
    """Give z beside the baselines."""
    return {
        "z": model.encode(holograms).invariants,
        "l = 0": scalar_coefficients(holograms),
        "power spectrum": spectrum.of(holograms),
    }


def probe_target(
    target: str,
    features: Features,
    labels: NDArray[np.str_],
    groups: NDArray[np.str_],
    *,
    forest_rows: int,
    folds: int,
    seed: int,
) -> Iterator[ProbeScore]:
    """Probe each kind of features for one property.

    Parameters
    ----------
    target, labels, groups
        The property, its value for each residue (empty: the residue is left out), and what stays in one fold.
    features
        What is read from; the first is z.
    forest_rows
        A forest sees at most so many residues, drawn at random: it takes much longer than the linear one.
    folds, seed
        Of the cross-validation; of the draw, the forests and the bootstraps.

    Yields
    ------
    ProbeScore
        For each kind of features and each estimator.
    """
    known = np.flatnonzero(labels != "")
    few = np.sort(np.random.default_rng(seed).permutation(known)[:forest_rows])
    rows: dict[Probe, NDArray[np.int64]] = {"linear": known, "forest": few}
    for estimator, chosen in rows.items():
        wanted, grouped = labels[chosen], groups[chosen]
        best: NDArray[np.float64] | None = None
        for name, matrix in features.items():
            result = probe(matrix[chosen], wanted, grouped, estimator=estimator, folds=folds, seed=seed)
            right = (result.predictions == wanted).astype(np.float64)
            best = right if best is None else best
            yield ProbeScore(
                target=target,
                features=name,
                estimator=estimator,
                rows=len(chosen),
                classes=len(np.unique(wanted)),
                majority=_majority(result),
                accuracy=result.accuracy,
                balanced_accuracy=result.balanced_accuracy,
                z_above=None if best is right else bootstrap_mean(best - right, grouped, seed=seed),
            )


def _majority(result: ProbeResult) -> float:
    assert result.above_majority is not None
    return result.accuracy.estimate - result.above_majority.estimate
