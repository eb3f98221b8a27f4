"""Curves of CPU, memory, disk, network and any GPUs of the machine, measured by MLflow's monitors."""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

from .journal import Journal, Metrics

__all__ = ["SystemMetrics"]

_SECONDS = 10.0


@runtime_checkable
class _Monitor(Protocol):
    def collect_metrics(self) -> None: ...

    def aggregate_metrics(self) -> Mapping[str, float]: ...

    def clear_metrics(self) -> None: ...


_KINDS: tuple[Callable[[], _Monitor], ...] = (CPUMonitor, DiskMonitor, NetworkMonitor, GPUMonitor)


def _monitors() -> list[_Monitor]:
    found = []
    for kind in _KINDS:
        with contextlib.suppress(ImportError, RuntimeError):  # no NVIDIA driver
            found.append(kind())
    return found


class SystemMetrics:
    """A thread that writes a point of each curve to a journal, every 10 s and once at the end.

    MLflow's own thread would ask the server each time whether the run continues, and end if there is no answer.

    Parameters
    ----------
    journal
        The journal to write to; the curves are named ``system/...``, as in MLflow.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._monitors = _monitors()
        self._step = max(
            (step + 1 for name, step in journal.last.items() if name.startswith("system/")), default=0
        )
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="holo-vae system metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write the last point and end the thread."""
        self._ended.set()
        self._thread.join()
        self._journal.append(self._point())

    def _work(self) -> None:
        while not self._ended.wait(_SECONDS):
            self._journal.append(self._point())

    def _point(self) -> Metrics:
        values: dict[str, float] = {}
        for monitor in self._monitors:
            monitor.collect_metrics()
            values |= {f"system/{name}": float(value) for name, value in monitor.aggregate_metrics().items()}
            monitor.clear_metrics()
        self._step += 1
        return Metrics(time.time_ns() // 1_000_000, self._step - 1, values)
