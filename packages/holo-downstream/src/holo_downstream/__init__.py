"""Embeddings to predictions and scores."""

from ._version import __version__
from .bootstrap import Interval, bootstrap_mean
from .cross_validation import Estimator
from .probes import Probe, ProbeResult, ProbeTable, probe, probe_embeddings, scalar_coefficients
from .table import write_probes

__all__ = [
    "Estimator",
    "Interval",
    "Probe",
    "ProbeResult",
    "ProbeTable",
    "__version__",
    "bootstrap_mean",
    "probe",
    "probe_embeddings",
    "scalar_coefficients",
    "write_probes",
]
