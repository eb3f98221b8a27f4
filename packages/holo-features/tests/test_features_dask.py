"""Work on a Dask cluster: a real scheduler and real worker processes, on loopback."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import holo_types
from holo_features.datasets import example_structures
from holo_features.encoding.parallel import map_in_order
from holo_types import HoloError

pytest.importorskip("distributed")

SCRIPT = shutil.which("holo-features", path=str(Path(sys.executable).parent)) or "holo-features"
# One failure of a task's worker is one too many for this scheduler, so that giving up is tested too.
ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "2s",
}


def start(folder, *arguments):
    command = [sys.executable, "-m", f"distributed.cli.dask_{arguments[0]}", *map(str, arguments[1:])]
    with (folder / f"{arguments[0]}.log").open("a") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=ENVIRONMENT, cwd=folder)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Yield the address of a scheduler with two worker processes, which are restarted when they are killed."""
    folder = tmp_path_factory.mktemp("cluster")
    scheduler = start(folder, "scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard")
    processes = [scheduler]
    try:
        log, found, limit = folder / "scheduler.log", None, time.monotonic() + 300
        while found is None and time.monotonic() < limit:
            time.sleep(0.1)
            found = re.search(r"Scheduler at: +(tcp://127\.0\.0\.1:\d+)", log.read_text())
        assert found is not None, log.read_text()
        address = found.group(1)
        workers = ("--nworkers", 2, "--nthreads", 1, "--no-dashboard", "--host", "127.0.0.1")
        processes.append(start(folder, "worker", address, *workers))
        from distributed import Client

        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=300)
        yield address
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(timeout=300)


def run(*arguments, cwd):
    done = subprocess.run(
        [SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=cwd,
        env=ENVIRONMENT,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_the_command_writes_the_same_file_over_a_cluster(cluster, tmp_path):
    bad = tmp_path / "bad.pdb"
    bad.write_text("no structure\n")
    shutil.copy(example_structures()[0], tmp_path / "near.bcif.gz")
    # Given relative to this process's working folder, which is not that of the workers.
    inputs = ("near.bcif.gz", *example_structures()[1:12], "bad.pdb")
    assert run("structures", *inputs, "--out", "alone.h5", cwd=tmp_path).returncode == 3
    done = run("structures", *inputs, "--out", "shared.h5", "--scheduler", cluster, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "12 of 13 files gave results, 1 failed" in done.stdout
    assert holo_types.load(tmp_path / "shared.h5") == holo_types.load(tmp_path / "alone.h5")
    (row,) = (tmp_path / "shared.skipped.csv").read_text().splitlines()[1:]
    assert row.startswith("bad.pdb,,")


def test_both_workers_work_and_a_killed_one_costs_nothing(cluster):
    from distributed import Client

    def square(number):
        time.sleep(0.05)
        return number**2, os.getpid()

    results = []
    with Client(cluster, set_as_default=False) as client:
        before = set(client.run(os.getpid).values())

    def kill():
        os.kill(min(before), signal.SIGKILL if os.name == "posix" else signal.SIGTERM)

    for result in map_in_order(square, range(60), scheduler=cluster):
        results.append(result)
        if len(results) == 5:
            threading.Thread(target=kill).start()
    assert [result[0] for result in results] == [number**2 for number in range(60)]
    assert before <= {result[1] for result in results}


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_what_always_ends_its_worker_is_named(cluster):
    def deadly(number):
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    with pytest.raises(HoloError, match="ended 3 times, killed or out of memory, over 3; take it away"):
        list(map_in_order(deadly, range(6), scheduler=cluster))


def test_a_scheduler_that_cannot_be_reached_is_named(tmp_path):
    out = tmp_path / "out.h5"
    done = run(
        "structures", example_structures()[0], "--out", out, "--scheduler", "tcp://127.0.0.1:9", cwd=tmp_path
    )
    assert done.returncode == 1
    assert "scheduler tcp://127.0.0.1:9: cannot be reached" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not out.exists()


def test_without_the_extra_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(HoloError, match=r"distributed is not installed: pip install 'holo-features\[dask\]'"):
        next(map_in_order(abs, [1], scheduler="tcp://127.0.0.1:9"))
