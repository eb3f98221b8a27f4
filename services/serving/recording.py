"""The metrics of a service over time, read from its page repeatedly and drawn."""

import urllib.request
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import attrs
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from prometheus_client.parser import text_string_to_metric_families

Labels = tuple[tuple[str, str], ...]
Values = dict[str, dict[Labels, float]]


@attrs.frozen
class Moment:
    """The metrics of a service at one moment.

    Parameters
    ----------
    seconds
        The time since the first moment.
    memory
        The memory of all its processes, in MB.
    values
        The values of each metric by name and labels.
    """

    seconds: float
    memory: float
    values: Values

    def sums(self, name: str, label: str) -> dict[str, float]:
        """Return a metric by one of its labels, summed over the others."""
        found: dict[str, float] = defaultdict(float)
        for labels, value in self.values.get(name, {}).items():
            found[dict(labels).get(label, "")] += value
        return found

    def total(self, name: str) -> float:
        """Return a metric, summed over its labels."""
        return sum(self.values.get(name, {}).values())


def read_metrics(url: str) -> Values:
    """Read a service's page of metrics."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:  # nosec B310 # of the service on loopback
        text = answer.read().decode()
    values: Values = defaultdict(dict)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            values[sample.name][tuple(sorted(sample.labels.items()))] = sample.value
    return values


def draw(moments: Sequence[Moment], path: Path) -> None:
    """Draw the metrics of a service over time."""
    figure = Figure(figsize=(12, 6.6), layout="constrained")
    requests, seconds, open_ones, memory, loss, distance = figure.subplots(2, 3).flat
    minutes = np.array([moment.seconds / 60 for moment in moments])
    _draw_rates(requests, moments, minutes)
    _draw_latencies(seconds, moments, minutes)
    for name, words in (
        ("holo_connections", "open connections"),
        ("holo_queue_requests", "requests under way"),
    ):
        open_ones.plot(minutes, [moment.total(name) for moment in moments], label=words)
    open_ones.set(title="holo_connections, holo_queue_requests", xlabel="minutes")
    open_ones.legend()
    memory.plot(minutes, [moment.memory for moment in moments], color="C3")
    memory.set(title="memory of all processes, MB", xlabel="minutes")
    for axes in (requests, seconds, open_ones, memory):
        axes.set_ylim(bottom=0)
    _draw_histogram(loss, moments[-1], "holo_reconstruction_cosine_loss")
    _draw_histogram(distance, moments[-1], "holo_training_distance")
    figure.savefig(path, dpi=90, pil_kwargs={"quality": 85} if path.suffix == ".webp" else None)


def _draw_rates(axes: Axes, moments: Sequence[Moment], minutes: np.ndarray) -> None:
    for status in sorted(moments[-1].sums("holo_requests_total", "status")):
        rates = [
            (
                late.sums("holo_requests_total", "status")[status]
                - early.sums("holo_requests_total", "status")[status]
            )
            / (late.seconds - early.seconds)
            for early, late in pairwise(moments)
        ]
        axes.plot(minutes[1:], rates, label=status)
    axes.set(title="holo_requests_total, a second, by status", xlabel="minutes")
    axes.legend()


def _draw_latencies(axes: Axes, moments: Sequence[Moment], minutes: np.ndarray) -> None:
    for quantile, words in ((0.5, "median of good requests"), (0.95, "95th percentile")):
        found = [_quantile(early, late, quantile) for early, late in pairwise(moments)]
        axes.plot(minutes[1:], found, label=words)
    axes.set(title="holo_request_seconds, s", xlabel="minutes")
    axes.legend()


def _quantile(early: Moment, late: Moment, quantile: float) -> float:
    """Return a quantile of the good requests between two moments, as Prometheus interpolates it in a bucket."""
    before, after = (
        _buckets(moment, "holo_request_seconds_bucket", status="200") for moment in (early, late)
    )
    if not after:
        return np.nan
    counts = np.array([after[bound] - before.get(bound, 0.0) for bound in sorted(after)])
    bounds = np.array([0.0, *sorted(after)])
    if not counts[-1]:
        return np.nan
    at = int(np.searchsorted(counts, quantile * counts[-1]))
    if np.isinf(bounds[at + 1]):
        return float(bounds[at])
    below = counts[at - 1] if at else 0.0
    share = (quantile * counts[-1] - below) / (counts[at] - below)
    return float(bounds[at] + share * (bounds[at + 1] - bounds[at]))


def _buckets(moment: Moment, name: str, status: str | None = None) -> dict[float, float]:
    return {
        float(dict(labels)["le"]): value
        for labels, value in moment.values.get(name, {}).items()
        if status is None or dict(labels)["status"] == status
    }


def _draw_histogram(axes: Axes, moment: Moment, name: str) -> None:
    buckets = _buckets(moment, f"{name}_bucket")
    counts = np.diff([0.0, *(buckets[bound] for bound in sorted(buckets))])
    words = ["", *(f"{bound:g}" for bound in sorted(buckets)[:-1]), "more"]
    axes.bar(range(len(counts)), counts, width=1.0, align="edge", edgecolor="white")
    axes.set_xticks(range(len(words)), words, fontsize=7)
    axes.set(title=f"{name}, residues")
