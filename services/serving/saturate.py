"""Keep the service at saturation, with some clients that misbehave, and check that it stays healthy.

Eight clients request a residue, a chain or holograms as fast as they are answered, four send invalid requests, and a
crowd of others opens connections and never sends a complete request. Every valid answer is compared with the first of
its kind, byte for byte. The program prints a line every minute. It fails on a wrong answer or an unexpected status, if
memory or the log grew more than the requests explain, or if the service does not end on SIGTERM.
"""

import argparse
import collections
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from check import body_of, free_port, wait_until_ready
from recording import Moment, draw, read_metrics

import holo_features
from holo_vae import Model, load
from holo_vae.serving.holograms import encode_coefficients
from holo_vae.serving.service import encode_content

RUDE = 400
LINE = 500  # bytes of the log allowed for each request
GROWTH = 1.3  # growth of memory after the first tenth of the time
EVERY = 10.0  # seconds between two looks at the metrics
MOST_FAULTS = 100  # lines of the log that are shown

ARROW = {"Content-Type": "application/json", "Accept": "application/vnd.apache.arrow.stream"}


class Clients:
    """Clients of one service, and the answers that they received."""

    def __init__(self, port: int, good: dict[str, bytes], bad: list[bytes]) -> None:
        self._port, self._good, self._bad = port, good, bad
        self.seen: collections.Counter[str] = collections.Counter()
        self.wrong: list[str] = []
        self._first: dict[str, bytes] = {}
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(8)]
        self._threads += [threading.Thread(target=self._annoy, args=(number,)) for number in range(4)]
        self._threads.append(threading.Thread(target=self._crowd))

    def start(self) -> None:
        """Start the clients."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop the clients after their current requests."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _post(self, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=300)
        try:
            connection.request("POST", "/invocations", body, ARROW)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _ask(self, number: int) -> None:
        kinds = list(self._good)
        while not self._over.is_set():
            kind = kinds[number % len(kinds)]
            number += 1
            try:
                status, content = self._post(self._good[kind])
            except OSError as error:  # the crowd has all connections
                self.seen[f"good: {type(error).__name__}"] += 1
                time.sleep(0.5)
                continue
            self.seen[f"good: {status}"] += 1
            if status == 200 and self._first.setdefault(kind, content) != content:
                self.wrong.append(f"{kind}: another answer than before")
            elif status == 429:
                time.sleep(0.2)
            elif status != 200:
                self.wrong.append(f"{kind}: status {status}, {content[:200]!r}")

    def _annoy(self, number: int) -> None:
        while not self._over.is_set():
            number += 1
            try:
                status, content = self._post(self._bad[number % len(self._bad)])
            except OSError as error:
                self.seen[f"bad: {type(error).__name__}"] += 1
                time.sleep(0.5)
                continue
            self.seen[f"bad: {status}"] += 1
            if status not in (400, 429):
                self.wrong.append(f"a bad request: status {status}, {content[:200]!r}")
            time.sleep(0.05)

    def _crowd(self) -> None:
        while not self._over.is_set():
            crowd = []
            for number in range(RUDE):
                with contextlib.suppress(OSError):
                    client = socket.create_connection(("127.0.0.1", self._port), timeout=5)
                    crowd.append(client)
                    client.sendall(b"POST /invocations HTTP/1.1\r\nContent-Le" if number % 2 else b"")
            self.seen["half-open"] += len(crowd)
            self._over.wait(15)
            for client in crowd:
                client.close()


def resident(process: int) -> float:
    """Return the memory of a process and its child processes, in MB."""
    asked = ["ps", "-o", "rss=", "-p", str(process), "--ppid", str(process)]
    tree = subprocess.run(asked, capture_output=True, text=True, check=False)
    return sum(map(int, tree.stdout.split())) / 1024


def main() -> None:
    """Run the clients against a service, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--model", default="microenvironment-z128")
    parser.add_argument("--picture", type=Path, help="of the metrics over the time, .png or .webp")
    arguments = parser.parse_args()
    basis = load(arguments.model, Model).config.basis
    path = holo_features.datasets.example_structures()[0]
    chain = {"name": path.name, "content": encode_content(path)}
    rows = np.random.default_rng(0).normal(size=(4, basis.dim)).astype(np.float32)
    few = {"holograms": encode_coefficients(rows), "basis": basis.digest}
    good = {
        "a chain": body_of([chain]),
        "a residue": body_of([{**chain, "residues": "A:30"}]),
        "holograms": body_of([few]),
    }
    bad = [
        b"rubbish",
        b"[" * 100_000,
        b" " * (2**24 + 1),
        body_of([{"name": "rubbish.pdb", "content": "rubbish"}]),
        body_of([{**chain, "x" * 100_000: "1"}]),
        body_of([{**few, "holograms": encode_coefficients(rows * 1e38)}]),
    ]
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with log.open("wb") as output:
            service = subprocess.Popen(
                [sys.executable, "-m", "holo_vae", "serve", "--model", arguments.model, "--port", str(port)],
                stdout=output, stderr=output, env=dict(os.environ))  # fmt: skip
        try:
            wait_until_ready(f"http://127.0.0.1:{port}/ready", service, log)
            clients = Clients(port, good, bad)
            wrong, moments = watch(service, log, clients, 60 * arguments.minutes, f"http://127.0.0.1:{port}")
            if arguments.picture:
                draw(moments, arguments.picture)
            sys.exit(wrong)
        finally:
            service.kill()


def watch(
    service: "subprocess.Popen[bytes]", log: Path, clients: Clients, seconds: float, url: str
) -> tuple[str | None, list[Moment]]:
    """Watch the service while the clients run, and return what is wrong and the metrics over time."""
    began, first, line = time.monotonic(), 0.0, 0.0
    moments: list[Moment] = []
    clients.start()
    while (passed := time.monotonic() - began) < seconds and service.poll() is None:
        time.sleep(1)
        if not moments or passed - moments[-1].seconds >= EVERY:
            with contextlib.suppress(OSError):
                moments.append(Moment(passed, resident(service.pid), read_metrics(url)))
        if not first and passed > seconds / 10:
            first = resident(service.pid)
        if passed >= line:
            line += 60
            seen = ", ".join(f"{what} {count}" for what, count in sorted(clients.seen.items()))
            print(
                f"{passed:5.0f} s  {resident(service.pid):6.0f} MB  log {log.stat().st_size} B  {seen}",
                flush=True,
            )
    last = resident(service.pid)
    clients.stop()
    closed = read_metrics(url).get("holo_connections_closed_total", {})
    reasons = ", ".join(f"{dict(labels)['reason']} {count:.0f}" for labels, count in sorted(closed.items()))
    requests = len(re.findall(r'"event": "request"', log.read_text()))
    service.send_signal(signal.SIGTERM)
    status = service.wait(120)
    lines = log.read_text().splitlines()
    faults = [each for each in lines if not each.startswith("{") or json.loads(each)["level"] != "info"]
    print("\n".join(faults[:MOST_FAULTS]))
    print(
        f"{json.dumps(dict(sorted(clients.seen.items())))}; memory {first:.0f} MB, then {last:.0f} MB; "
        f"log {log.stat().st_size} B for {requests} requests, {len(faults)} lines of faults; "
        f"connections closed: {reasons}; status {status} on SIGTERM"
    )
    wrong = clients.wrong[:3] + faults[:3]
    if status:
        wrong.append(f"status {status} on SIGTERM")
    if last > GROWTH * first:
        wrong.append(f"memory grew from {first:.0f} MB to {last:.0f} MB")
    if log.stat().st_size > LINE * (requests + 10):
        wrong.append("the log grew beyond its lines")
    return "; ".join(wrong) or None, moments


if __name__ == "__main__":
    main()
