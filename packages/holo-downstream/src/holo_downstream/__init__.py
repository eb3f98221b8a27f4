"""Embeddings to predictions and scores."""

from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__
from .bootstrap import Interval, bootstrap_mean
from .classification import KNNAccuracy, knn_accuracy, linear_accuracy
from .clustering import ClusterScores, cluster_scores
from .comparison import Comparison, compare_studies, write_comparison
from .cross_validation import Estimator
from .datasets import example_series
from .labels import LabelColumns, Labelled, LabelTable, Unit, pk_of, read_labels, with_ligand_keys
from .pooling import Pooling, pool_rows, pool_vectors
from .predictor import Predictions, Predictor, read_predictor, write_predictions, write_predictor
from .probes import Probe, ProbeResult, ProbeTable, probe, probe_embeddings
from .regressors import GRIDS, Regressor, choose
from .retrieval import RetrievalScores, retrieval_scores
from .spectra import power_spectrum, scalar_coefficients
from .splits import Leak, leak_check, split_by_cluster
from .statistics import PairedTest, RegressionScores, paired_test, regression_scores, scores_by_family
from .study import Study, StudySettings, run_study
from .study_files import write_study
from .table import write_probes
from .vector_tables import Source, VectorTable, pool, read_vectors, set_beside

if TYPE_CHECKING:
    from .transformers import BagPooling

__all__ = [
    "GRIDS",
    "BagPooling",
    "ClusterScores",
    "Comparison",
    "Estimator",
    "Interval",
    "KNNAccuracy",
    "LabelColumns",
    "LabelTable",
    "Labelled",
    "Leak",
    "PairedTest",
    "Pooling",
    "Predictions",
    "Predictor",
    "Probe",
    "ProbeResult",
    "ProbeTable",
    "RegressionScores",
    "Regressor",
    "RetrievalScores",
    "Source",
    "Study",
    "StudySettings",
    "Unit",
    "VectorTable",
    "__version__",
    "bootstrap_mean",
    "choose",
    "cluster_scores",
    "compare_studies",
    "example_series",
    "knn_accuracy",
    "leak_check",
    "linear_accuracy",
    "paired_test",
    "pk_of",
    "pool",
    "pool_rows",
    "pool_vectors",
    "power_spectrum",
    "probe",
    "probe_embeddings",
    "read_labels",
    "read_predictor",
    "read_vectors",
    "regression_scores",
    "retrieval_scores",
    "run_study",
    "scalar_coefficients",
    "scores_by_family",
    "set_beside",
    "split_by_cluster",
    "with_ligand_keys",
    "write_comparison",
    "write_predictions",
    "write_predictor",
    "write_probes",
    "write_study",
]


def __getattr__(name: str) -> object:
    # Its class needs scikit-learn to be made, which takes a second that nothing else here waits for.
    if name != "BagPooling":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(".transformers", __name__).BagPooling
