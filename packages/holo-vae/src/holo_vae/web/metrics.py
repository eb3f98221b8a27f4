"""The metrics of the service, for Prometheus.

One process communicates with all clients, so its counts cover all workers.
"""

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from holo_types import ModelReference

__all__ = ["Metrics"]

_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
_LOSSES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)
_DISTANCES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """The counters, gauges and histograms of a service."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "holo_requests", "Requests by the status of their answer.", ["status"], registry=registry
        )
        self.seconds = Histogram(
            "holo_request_seconds",
            "Time from a request's headers to its answer.",
            ["status"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.waited = Histogram(
            "holo_queue_seconds",
            "Time that a request waited for others.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.queue = Gauge(
            "holo_queue_requests", "Requests that are being answered or are waiting.", registry=registry
        )
        self.connections = Gauge("holo_connections", "Connections that are open.", registry=registry)
        self.closed = Counter(
            "holo_connections_closed", "Connections that were closed, and why.", ["reason"], registry=registry
        )
        self.residues = Counter(
            "holo_residues", "Residues and holograms that were embedded.", registry=registry
        )
        self.batch = Histogram(
            "holo_batch_requests", "Requests in a batch.", buckets=_BATCH, registry=registry
        )
        self.workers = Gauge("holo_workers", "Processes that hold the model.", registry=registry)
        self.model = Gauge(
            "holo_model_info", "The model that answers.", ["name", "version", "digest"], registry=registry
        )
        self._loss = Histogram(
            "holo_reconstruction_cosine_loss",
            "Cosine loss of each residue or hologram: 0 is perfect.",
            buckets=_LOSSES,
            registry=registry,
        )
        self._distance = Histogram(
            "holo_training_distance",
            "Distance of each z to the nearest training row, in units of their own distances.",
            buckets=_DISTANCES,
            registry=registry,
        )

    def answered(self, status: int, seconds: float) -> None:
        """Count an answer."""
        self.requests.labels(str(status)).inc()
        self.seconds.labels(str(status)).observe(seconds)

    def embedded(self, losses: NDArray[np.floating] | None, distances: NDArray[np.floating] | None) -> None:
        """Count the rows of an answer by their losses and distances."""
        for histogram, values in ((self._loss, losses), (self._distance, distances)):
            for value in () if values is None else values.tolist():
                histogram.observe(value)

    def use(self, model: ModelReference) -> None:
        """Set which model answers."""
        self.model.clear()
        self.model.labels(model.name, model.version, model.digest).set(1)

    def page(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
