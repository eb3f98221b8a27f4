"""Threads share compiled work: each part is done once, whoever calls, and also after a fork."""

import ctypes
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from ctypes import c_int64, c_void_p
from functools import partial
from struct import pack

import pytest

import holo_kernels
from holo_kernels import threads

pytestmark = pytest.mark.skipif(holo_kernels.load("threads") is None, reason="no library for this processor")


class Recorder:
    """Work that records the parts for which it was called, and by which thread."""

    def __init__(self, wait: Callable[[], object] = lambda: None) -> None:
        self.done: list[tuple[int, int, int]] = []
        self.arguments: set[int | None] = set()
        self.by: set[int] = set()

        @ctypes.CFUNCTYPE(None, c_void_p, c_int64, c_int64)
        def work(argument: int | None, part: int, parts: int) -> None:
            wait()
            self.by.add(threading.get_ident())
            self.arguments.add(argument)
            self.done.append((part, parts, os.getpid()))

        self.work = work
        self.address = ctypes.cast(work, c_void_p).value or 0


@pytest.mark.parametrize("parts", [2, 3, 7])
def test_every_part_is_done_once(parts: int) -> None:
    for argument in range(1, 200):
        recorder = Recorder()
        threads.in_parts([(recorder.address, argument, parts)])
        assert sorted(recorder.done) == [(part, parts, os.getpid()) for part in range(parts)]
        assert recorder.arguments == {argument}


def test_parts_are_done_at_the_same_time_and_helpers_come_again_after_sleep() -> None:
    for pause in (0.0, 0.01, 0.05):
        # Each part waits until the other has begun.
        recorder = Recorder(threading.Barrier(2, timeout=60).wait)
        time.sleep(pause)
        threads.in_parts([(recorder.address, 0, 2)])
        assert len(recorder.done) == 2
        assert len(recorder.by) == 2


def test_a_piece_begins_when_the_one_before_is_done() -> None:
    for pause in (0.0, 0.01):
        recorders = [Recorder(partial(time.sleep, pause)) for _ in range(4)]
        done = recorders[0].done
        for recorder in recorders:
            recorder.done = done
        numbers = (3, 1, 2, 3)
        threads.in_parts([(each.address, 0, n) for each, n in zip(recorders, numbers, strict=True)])
        assert [parts for _, parts, _ in done] == [3, 3, 3, 1, 2, 2, 3, 3, 3]


def test_callers_in_several_threads_do_not_meet() -> None:
    recorders = [Recorder() for _ in range(4)]

    def call(recorder: Recorder) -> None:
        for _ in range(100):
            threads.in_parts([(recorder.address, 0, 3)])

    callers = [threading.Thread(target=call, args=(recorder,)) for recorder in recorders]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    for recorder in recorders:
        assert sorted(part for part, _, _ in recorder.done) == sorted([*range(3)] * 100)


def _in_child(queue: "multiprocessing.SimpleQueue[int]") -> None:
    recorder = Recorder()
    threads.in_parts([(recorder.address, 0, 3)])
    queue.put(len(recorder.done))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own() -> None:
    threads.in_parts([(Recorder().address, 0, 3)])
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=_in_child, args=(queue,))
    child.start()
    child.join(300)
    assert child.exitcode == 0
    assert queue.get() == 3


def test_nobody_waits_for_a_thread_that_does_not_come() -> None:
    recorder = Recorder()
    team = threads._Team(2)
    for lock in team.locks:
        assert lock.acquire(timeout=0.1) is False  # the helpers sleep in these
    # A team whose helpers are never woken: the caller does all parts.
    library = threads._library()
    pieces = pack("6q", recorder.address, 5, 3, recorder.address, 6, 2)
    library.team_begin(team.address, pieces, team.asleep)
    assert team.asleep.raw == b"\x01\x01"
    library.team_finish(team.address, pieces[24:], 1)
    assert [(part, parts) for part, parts, _ in recorder.done] == [(0, 3), (1, 3), (2, 3), (0, 2), (1, 2)]
    assert recorder.arguments == {5, 6}
    assert recorder.by == {threading.get_ident()}
