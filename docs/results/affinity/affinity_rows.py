"""The rows of the study: their features and estimators."""

import attrs
import numpy as np
from numpy.typing import NDArray

from holo_downstream.affinity.regressors import (
    ENSEMBLE,
    Forest,
    HistogramBoosting,
    Mean,
    Settings,
    fit,
)

Values = NDArray[np.float64]

FOREST = Forest(max_features="sqrt", min_samples_leaf=2, trees=100)
BOOSTING = HistogramBoosting(
    trees=300, leaves=8, min_samples_leaf=15, learning_rate=0.04, penalty=5.0, max_features=0.2
)
ESTIMATORS: dict[str, Settings] = {"forest": FOREST, "boosting": BOOSTING, "ensemble": ENSEMBLE}

_SHELLS, _ALL = ("contacts in shells", "burial"), ("elements", "descriptors")


@attrs.frozen
class Row:
    """A row of the tables.

    Parameters
    ----------
    name
        The features in words.
    groups
        The groups of `Counted` that it uses.
    estimators
        The names in `ESTIMATORS` of the estimators, which are used separately.
    """

    name: str
    groups: tuple[str, ...]
    estimators: tuple[str, ...] = ("forest", "boosting")


MEAN = Row("mean of the labels", ("ligand",), ("mean",))
CONTACTS = Row("28 contacts by element pair within 10 Å", ("contacts",))
SHELLS = Row("shells, burial, ligand", (*_SHELLS, "ligand"))
ALL = Row("shells, burial, all descriptors", (*_SHELLS, *_ALL), ("forest", "boosting", "ensemble"))
WITH_RF_SCORE = Row("shells, burial, RF-Score-v3, all descriptors", (*_SHELLS, "RF-Score", *_ALL))
ROWS = (
    MEAN,
    Row("ligand: size, log P, TPSA, rotatable bonds, donors, acceptors, rings", ("ligand",)),
    Row("ligand: elements and all of RDKit's descriptors", _ALL),
    Row("ligand removed: protein atoms around its place", ("place",)),
    CONTACTS,
    Row("contacts in shells", ("contacts in shells",)),
    Row("burial", ("burial",)),
    Row("RF-Score-v3", ("RF-Score",)),
    SHELLS,
    ALL,
    WITH_RF_SCORE,
)


# The candidates with the learned view, each compared with the same row and estimator without it.
LOG_ODDS = "log-odds of atoms"
LEARNED = (
    Row(
        "shells, burial, all descriptors, log-odds of atoms",
        (*ALL.groups, LOG_ODDS),
        ("forest", "boosting", "ensemble"),
    ),
)


def predicted(estimator: str, train: Values, labels: Values, test: Values, *, seed: int = 0) -> Values:
    """Fit on training rows and predict the others, without features that are constant in training."""
    settings = Mean() if estimator == "mean" else ESTIMATORS[estimator]
    varied = np.ptp(train, axis=0) > 0
    rounded = train[:, varied].astype(np.float32).astype(np.float64)
    fitted = fit(settings, rounded, labels, seed=seed)
    found: Values = np.asarray(fitted.predict(test[:, varied].astype(np.float32).astype(np.float64)))
    return found
