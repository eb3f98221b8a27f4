"""Commands that are killed at random moments and resumed, compared with undisturbed runs."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import attrs
from commands import Command
from processes import OTHER, UNFORESEEN, Outcome
from tracked import tracked

__all__ = ["RESUMED", "SERVER", "WHOLE", "kills"]

ORPHAN, LEFT = "a process is left", "an unfinished file is left"
RESUMED, WHOLE = "the same after a kill", "killed too late"

SERVER = "server.txt"  # the tracking server's address, in the folder of inputs

SECONDS = 900.0  # that a run may take; some are usual
_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
# The statuses of an interrupted run: Holo's own, or that of the signal before the command has started.
_ENDS = {
    signal.SIGKILL: {-signal.SIGKILL},
    signal.SIGTERM: {143, -signal.SIGTERM},
    signal.SIGINT: {130, -signal.SIGINT},
}
_LATE = -1000  # a status that no process has
_MARK = "HOLO_ATTACK"  # the variable by which all processes of a run are recognized
_UNFINISHED = (".tmp", ".lock", ".journal", ".rest.h5")


@attrs.frozen
class _End:
    """The end of a run: its status as in Python, the end of its standard error, and whether a process is left."""

    status: int
    errors: str
    seconds: float
    left: bool = False


def kills(command: Command, count: int, seed: int, inputs: Path) -> Iterator[Outcome]:
    """Kill a command a number of times, each run a random number of times before it may finish, and yield outcomes.

    Parameters
    ----------
    command
        The command.
    count
        The number of kills.
    seed
        The seed of the times of the kills; the signals come in turn.
    inputs
        The folder of `prepare`, whose file `SERVER` has the address of the server for commands that track on it.
    """
    random = Random(f"{command.name} {seed}")
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        whole = _run(command, inputs, Path(name))
        assert whole.status == 0, whole
        expected, seconds = _made(command, inputs, Path(name)), whole.seconds
    done = 0
    while done < count:
        these = range(done, min(count, done + random.choice((1, 1, 2, 3))))
        plan = [(_SIGNALS[number % len(_SIGNALS)], random.uniform(0, seconds)) for number in these]
        with tempfile.TemporaryDirectory(prefix="kills-") as name:
            started = time.monotonic()
            verdict, detail, ends = _one(command, plan, expected, inputs, Path(name))
        for number, end in zip(these, ends, strict=False):
            late = verdict == RESUMED and end.status == 0
            yield Outcome(number, WHOLE if late else verdict, detail, time.monotonic() - started)
        done += max(1, len(ends))
        if ends and ends[0].status == 0:  # The machine is less busy now: kill earlier.
            seconds = min(seconds, ends[0].seconds)


def _one(
    command: Command, plan: Sequence[tuple[signal.Signals, float]], expected: Any, inputs: Path, folder: Path
) -> tuple[str, str, Sequence[_End]]:
    """Kill a run by a plan, let it finish, and return the verdict, its reason, and how the killed runs ended."""
    told = ", ".join(f"{number.name} after {after:.2f} s" for number, after in plan)
    ends: list[_End] = []
    for number, after in plan:
        end = _run(command, inputs, folder, again=bool(ends), kill=(number, after))
        ends.append(end)
        if end.left:
            return ORPHAN, told, ends
        if end.status not in _ENDS[number] | {0} or (
            "Traceback" in end.errors and not _before_start(end, number)
        ):
            return UNFORESEEN, f"{told}: {end}", ends
        if command.over(folder):
            break
    if not command.over(folder):
        end = _run(command, inputs, folder, again=True)
        if end.left or end.status:
            return UNFORESEEN, f"{told}: does not go on: {end}", ends
    unfinished = [path.name for path in folder.rglob("*") if path.name.endswith(_UNFINISHED)]
    if unfinished:
        return LEFT, f"{told}: {unfinished}", ends
    found = _made(command, inputs, folder)
    if found != expected:
        return OTHER, f"{told}: {_difference(expected, found)}", ends
    return RESUMED, told, ends


def _before_start(end: _End, number: signal.Signals) -> bool:
    """Return whether Python itself was interrupted, while it was still looking for the module to run."""
    frames = re.findall(r'^ +File "(.*)", line \d+', end.errors, flags=re.MULTILINE)
    frozen = all(re.fullmatch("<frozen .*>", frame) for frame in frames)
    return end.status == -number and bool(frames) and frozen


def _made(command: Command, inputs: Path, folder: Path) -> Any:
    """Return everything that a run has made, including on the server."""
    served = tracked((inputs / SERVER).read_text("utf-8"), folder.name) if command.served else None
    return {"made": command.made(folder), "served": served}


def _run(
    command: Command,
    inputs: Path,
    folder: Path,
    *,
    again: bool = False,
    kill: tuple[signal.Signals, float] | None = None,
) -> _End:
    """Run a command in a folder, and end it after some seconds."""
    mark, started = uuid.uuid4().hex, time.monotonic()
    environment = {**os.environ, _MARK: mark}
    environment.pop("MLFLOW_TRACKING_URI", None)
    if command.served:
        environment["MLFLOW_TRACKING_URI"] = (inputs / SERVER).read_text("utf-8")
    places = {"INPUTS": str(inputs), "FOLDER": folder.name}
    program = (*command.arguments, *(command.again if again else ()))
    process = subprocess.Popen(
        [sys.executable, "-m", *(_placed(argument, places) for argument in program)],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        if kill is not None:
            number, after = kill
            _wait(process, after)
            # Ctrl-C is sent to all processes of a terminal's group, other signals to a single process.
            (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        _, errors = process.communicate(timeout=SECONDS)
        seconds = time.monotonic() - started
        return _End(process.returncode, errors[-1500:], seconds, left=not _nobody(mark))
    except subprocess.TimeoutExpired:
        return _End(_LATE, "it was not over in time", SECONDS)
    finally:
        for each in _marked(mark):
            os.kill(each, signal.SIGKILL)
        process.kill()
        process.wait()


def _placed(argument: str, places: Mapping[str, str]) -> str:
    for place, what in places.items():
        argument = argument.replace(place, what)
    return argument


def _wait(process: "subprocess.Popen[str]", seconds: float) -> None:
    """Wait for a time, or until the process has ended but was not reaped, so that its number is not reused."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not os.waitid(
        os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT
    ):
        time.sleep(0.01)


def _nobody(mark: str) -> bool:
    """Return whether no process of a run is left, now or after a short time."""
    end = time.monotonic() + 20
    while _marked(mark):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _marked(mark: str) -> list[int]:
    wanted, found = f"{_MARK}={mark}".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if wanted in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:  # it has ended, or belongs to another user
            continue
    return found


def _difference(one: Any, other: Any) -> str:
    """Return where two results first differ."""
    if isinstance(one, Mapping) and isinstance(other, Mapping) and one.keys() == other.keys():
        name = next(name for name in one if one[name] != other[name])
        return f"{name}: {_difference(one[name], other[name])}"
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        place = next(place for place, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1])
        return f"{place}: {_difference(one[place], other[place])}"
    one, other = str(one), str(other)
    pairs = enumerate(zip(one, other, strict=False))
    start = max(next((place for place, pair in pairs if pair[0] != pair[1]), 0) - 60, 0)
    return f"{one[start : start + 300]!r} is now {other[start : start + 300]!r}"
