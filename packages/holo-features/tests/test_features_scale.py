"""Many files over several processes: in order, to the bit, even if processes are killed."""

import csv
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
from holo_features import encode_structures
from holo_features.datasets import example_structures
from holo_features.encoding.parallel import map_files, map_in_order, workers_lost
from holo_types import Basis, HoloError, Zernike

SCRIPT = shutil.which("holo-features", path=str(Path(sys.executable).parent)) or "holo-features"
cloudpickle = pytest.importorskip("cloudpickle")

BASIS = Basis(2, Zernike(4, 9.0), ("C", "N", "O", "S"))

needs_posix = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")


class ByValue:
    """Return a function that workers can load, although they cannot import this module."""

    def __init__(self, function):
        self.function = function

    def __call__(self, *arguments):
        return self.function(*arguments)

    def __reduce__(self):
        return cloudpickle.loads, (cloudpickle.dumps(self.function),)


@pytest.mark.timeout(300)
def test_results_come_in_the_order_of_the_items_from_several_processes_of_one_thread(tmp_path):
    @ByValue
    def square(number):
        (tmp_path / str(os.getpid())).touch()
        while len(list(tmp_path.iterdir())) < 2:  # until the other process is there
            time.sleep(0.01)
        time.sleep(0.02 if number % 3 else 0.0)
        return number**2, os.getpid(), os.environ["OMP_NUM_THREADS"]

    results = list(map_in_order(square, iter(range(50)), workers=2))
    assert [result[0] for result in results] == [number**2 for number in range(50)]
    assert len({result[1] for result in results} - {os.getpid()}) == 2
    assert {result[2] for result in results} == {"1"}


def test_little_waits_to_be_taken_however_slowly_it_is_taken():
    taken = 0

    def items():
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield number

    results = map_in_order(abs, items(), workers=2)
    for number in range(5):
        assert next(results) == number
        time.sleep(0.2)
        assert taken <= number + 1 + 4 * 2
    results.close()


@needs_posix
def test_what_a_killed_worker_was_doing_is_done_again(tmp_path):
    @ByValue
    def once_deadly(number):
        marker = tmp_path / "dead"
        time.sleep(0.01)
        if number == 7 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return -number

    before = workers_lost()
    assert list(map_in_order(once_deadly, range(30), workers=2)) == [-number for number in range(30)]
    assert (tmp_path / "dead").exists()
    assert workers_lost() - before == 1


@needs_posix
@pytest.mark.timeout(300)
def test_a_worker_that_is_killed_while_it_sends_its_result_is_noticed(tmp_path):
    @ByValue
    def dies_while_sending(number):
        import holo_features.encoding.parallel

        def send_half(pipe, content):
            pipe.write(len(content).to_bytes(8))
            pipe.write(content[: len(content) // 2])
            pipe.flush()
            os.kill(os.getpid(), signal.SIGKILL)

        marker = tmp_path / "dead"
        if number == 7 and not marker.exists():
            marker.touch()
            holo_features.encoding.parallel._send = send_half
        return bytes([number]) * (50_000_000 if number == 7 else 30_000)

    results = map_in_order(dies_while_sending, range(20), workers=2)
    for number, result in enumerate(results):
        assert result == bytes([number]) * (50_000_000 if number == 7 else 30_000)
    assert number == 19
    assert (tmp_path / "dead").exists()


@needs_posix
@pytest.mark.timeout(300)
def test_no_process_is_left_when_no_more_results_are_taken():
    @ByValue
    def process_of(number):
        if number > 3:
            time.sleep(100)
        return os.getpid()

    results = map_in_order(process_of, range(100), workers=2)
    processes = {next(results) for _ in range(4)}
    results.close()
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


@needs_posix
def test_an_item_that_always_ends_its_worker_is_named_after_what_came_before_it():
    @ByValue
    def deadly(number):
        if number == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        return -number

    results = []
    with pytest.raises(HoloError, match="ended 3 times, killed or out of memory, over 7; take it away"):
        results.extend(map_in_order(deadly, range(30), workers=2))
    for result in map_in_order(deadly, range(7), workers=2):  # the pool is as good as new
        assert result in results
    assert results == [-number for number in range(7)]


def test_what_the_function_raises_is_raised_here():
    @ByValue
    def fail(number):
        raise HoloError(f"number {number} is bad")

    for workers in (1, 2):
        with pytest.raises(HoloError, match="number 3 is bad") as raised:
            list(map_in_order(fail, [3], workers=workers))
    (note,) = raised.value.__notes__
    assert note.startswith("In a worker process:\nTraceback")
    assert "in fail" in note


def test_what_cannot_be_pickled_is_raised_as_text():
    @ByValue
    def fail(number):
        error = ValueError(f"number {number} is bad")
        error.lock = threading.Lock()
        raise error

    with pytest.raises(RuntimeError, match="ValueError: number 3 is bad"):
        list(map_in_order(fail, [3], workers=2))


def test_what_the_function_prints_harms_nothing():
    @ByValue
    def talk(number):
        os.write(1, b"so it goes\n")
        return number, sys.stdin.read()

    assert list(map_in_order(talk, range(3), workers=2)) == [(number, "") for number in range(3)]


def test_no_workers_are_refused():
    with pytest.raises(HoloError, match="workers is 0; it must be at least 1"):
        map_in_order(abs, [1], workers=0)


def test_small_files_share_a_task_and_large_ones_do_not(tmp_path):
    files = []
    for number, size in enumerate([10] * 20 + [300_000] * 3):
        path = tmp_path / f"{number}.pdb"
        path.write_bytes(b" " * size)
        files.append((path, str(number)))
    files.append((tmp_path / "missing.pdb", "missing"))
    results = list(map_files(ByValue(lambda path, name: (name, os.getpid(), id(path))), files, workers=2))
    assert [result[0] for result in results] == [name for _, name in files]


def test_encoding_does_not_depend_on_the_number_of_workers(tmp_path):
    bad = tmp_path / "bad.pdb"
    bad.write_text("nonsense")
    paths = [*example_structures()[:9], bad, *example_structures()[9:20]]
    alone = list(encode_structures(paths, BASIS))
    shared = list(encode_structures(paths, BASIS, workers=2))
    assert [one.path for one in shared] == paths
    for one, other in zip(alone, shared, strict=True):
        assert (one.path, one.name, str(one.error)) == (other.path, other.name, str(other.error))
        assert one.holograms == other.holograms  # to the bit, with index
        assert (one.skipped, one.left_out_atoms) == (other.skipped, other.left_out_atoms)


# The command, stopped


def command(inputs, out, *options):
    return [SCRIPT, "structures", *map(str, inputs), "--out", str(out), *map(str, options)]


def run(inputs, out, *options, **about):
    done = subprocess.run(
        command(inputs, out, *options), capture_output=True, text=True, timeout=600, check=False, **about
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def table(out):
    with out.with_suffix(".skipped.csv").open(encoding="utf-8", newline="") as file:
        return sorted(tuple(row.values()) for row in csv.DictReader(file))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Return files of which the first and one in the middle are bad, for a run long enough to be stopped."""
    folder = tmp_path_factory.mktemp("inputs")
    for name in ("first.pdb", "amid.pdb"):
        (folder / name).write_text("no structure\n")
    examples = example_structures()
    return [folder / "first.pdb", *examples[:15], folder / "amid.pdb", *examples[15:]]


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory):
    """Return the result of an undisturbed run in one process."""
    out = tmp_path_factory.mktemp("whole") / "out.h5"
    assert run(inputs, out).returncode == 3
    return out


def check_equal(out, whole):
    with holo_types.open(out) as reader, holo_types.open(whole) as expected:
        assert reader.complete
        assert reader[:] == expected[:]
    assert table(out) == table(whole)
    assert len(table(out)) == 2


def held(inputs, folder):
    """Return inputs of which a late one is a pipe, at which a run waits until it is stopped."""
    late = folder / inputs[30].name
    os.mkfifo(late)
    return [*inputs[:30], late, *inputs[31:]]


def let_go(inputs, paths):
    """Replace the pipe by the file."""
    paths[30].unlink()
    shutil.copy(inputs[30], paths[30])


def started(paths, out, *options):
    """Start a run and wait until some rows are in the output."""
    # The tests may run where a shell ignores the signal; the run would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        command(paths, out, *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    signal.signal(signal.SIGINT, before)
    limit = time.monotonic() + 300
    while not out.exists() and time.monotonic() < limit:
        time.sleep(0.01)
    assert process.poll() is None
    return process


def test_two_workers_write_the_same_file_and_name_the_same_bad_ones(inputs, whole, tmp_path):
    out = tmp_path / "out.h5"
    done = run(inputs, out, "--workers", 2)
    assert done.returncode == 3
    assert f"{len(inputs) - 2} of {len(inputs)} files gave results, 2 failed" in done.stdout
    assert f"{inputs[0]}: it holds no ATOM record" in done.stderr
    check_equal(out, whole)


@needs_posix
@pytest.mark.parametrize(("stop", "workers"), [("SIGKILL", 2), ("SIGINT", 1), ("SIGINT", 2)])
def test_a_stopped_run_is_resumed(inputs, whole, tmp_path, stop, workers):
    out, paths = tmp_path / "out.h5", held(inputs, tmp_path)
    process = started(paths, out, "--workers", workers)
    os.killpg(process.pid, signal.Signals[stop])  # as a terminal does: the workers get it too
    _, errors = process.communicate(timeout=300)
    if stop == "SIGINT":
        assert process.returncode == 130
        assert "Interrupted. What was already written is kept." in errors
        assert "Traceback" not in errors
    with holo_types.open(out) as reader, holo_types.open(whole) as expected:
        assert 0 < len(reader) < len(expected)
        assert not reader.complete
    let_go(inputs, paths)
    assert run(paths, out, "--workers", workers if stop == "SIGKILL" else 1, "--resume").returncode == 3
    check_equal(out, whole)


@needs_posix
def test_a_run_that_a_full_disk_stopped_is_resumed(inputs, whole, tmp_path):
    import resource

    out = tmp_path / "out.h5"
    limit = whole.stat().st_size // 2
    done = run(
        inputs,
        out,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 1
    assert f"Error: {out}: cannot be written: File too large" in done.stderr
    with holo_types.open(out) as reader:
        assert len(reader) > 0
        assert not reader.complete
    assert run(inputs, out, "--resume").returncode == 3
    check_equal(out, whole)


@needs_posix
def test_a_run_outlives_its_workers(inputs, whole, tmp_path):
    psutil = pytest.importorskip("psutil")
    out = tmp_path / "out.h5"
    paths = held(inputs, tmp_path)
    process = started(paths, out, "--workers", 2)
    let_go(inputs, paths)
    children = psutil.Process(process.pid).children(recursive=True)
    workers = [child for child in children if "import work" in "".join(child.cmdline()[-1:])]
    assert len(workers) == 2
    for worker in workers:  # one waits at the pipe, one for something to do
        worker.kill()
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 3
    assert re.search(r"[12] worker process(es were| was) lost, killed or out of memory, and", said)
    process.stderr.close()
    check_equal(out, whole)
