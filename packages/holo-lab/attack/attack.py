"""Attack the readers with damaged files, and the commands with kills: see README.md.

``nox -s attack`` runs 10,000 mutations of each kind of file, 3,000 flips of each that the project writes, and 100
kills of each long command. ``nox -s attack -- --cases 200 --flips 100 --kills 1 --seed 3`` sets these numbers and the
seed, and ``-- --case pdb 17`` runs a single one in this process.
"""

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random

from commands import COMMANDS
from inputs import prepare
from kills import RESUMED, SERVER, WHOLE, kills
from mutations import flipped, mutated
from processes import EQUAL, OTHER, REFUSED, RESULT, Outcome, outcomes
from targets import TARGETS, Target
from tracked import serving

from holo_features.readers.names import dictionary_elements

_GOOD = (RESULT, REFUSED, EQUAL, RESUMED, WHOLE)
_SHOWN = 20  # of a kind


def damaged(target: Target, case: int, *, flip: bool) -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
    """Return valid files, and the same files with one of them damaged."""
    random = Random(f"{target.name} {case} {flip}")
    files = random.choice(target.files)
    name = random.choice(sorted(files))
    return files, {**files, name: (flipped if flip else mutated)(files[name], random)}


def read(target: Target, files: Mapping[str, bytes]) -> object:
    """Write files into a folder of their own and read them."""
    with tempfile.TemporaryDirectory(prefix="attack-") as name:
        for file, content in files.items():
            Path(name, file).write_bytes(content)
        return target.read(Path(name))


def verdict(target: Target, case: int, *, flip: bool) -> str:
    """Read damaged files and return the verdict, unless an error is raised."""
    whole, broken = damaged(target, case, flip=flip)
    result = read(target, broken)
    if not flip:
        return RESULT
    assert target.same is not None
    return EQUAL if target.same(result, read(target, whole)) else OTHER


def told(name: str, kind: str, found: Iterable[Outcome]) -> int:
    """Print failures as they come, then the numbers of each outcome, and return the number of failures."""
    counts: Counter[str] = Counter()
    failed, slowest, largest = 0, 0.0, 0.0
    for outcome in found:
        counts[outcome.verdict] += 1
        slowest, largest = max(slowest, outcome.seconds), max(largest, outcome.megabytes)
        if outcome.verdict not in _GOOD:
            failed += 1
            if failed <= _SHOWN:
                which = f"{'--case' if kind == 'mutations' else kind} {name} {outcome.case}"
                print(f"  {which}: {outcome.verdict}: {outcome.detail}", flush=True)
    words = ", ".join(f"{count} {word}" for word, count in counts.most_common())
    limits = f"at most {slowest:5.2f} s, {largest:4.0f} MB"
    print(f"{name:19} {counts.total():6} {kind:9} {limits}  {words}", flush=True)
    return failed


def attacked(target: Target, first: int, mutations: int, flips: int) -> int:
    """Read damaged files of a kind, and return the number of failures."""
    read(target, target.files[0])  # imports that would happen late are done before the children start
    failed = 0
    for flip, count in ((False, mutations // target.one_in), (True, flips if target.same else 0)):
        if count:
            found = outcomes(lambda case: verdict(target, case, flip=flip), range(first, first + count))  # noqa: B023
            failed += told(target.name, "flips" if flip else "mutations", found)
    return failed


def killed(names: Sequence[str], count: int, seed: int) -> int:
    """Kill commands, and return the number of failures."""
    # If the signal is ignored here, as in a background job, child processes would ignore it too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="attack-") as folder, ExitStack() as servers:
        inputs = Path(folder)
        prepare(inputs)
        if any(COMMANDS[name].served for name in names):
            address = servers.enter_context(serving(inputs / "tracking"))
            (inputs / SERVER).write_text(address, encoding="utf-8")
        return sum(told(name, "kills", kills(COMMANDS[name], count, seed, inputs)) for name in names)


def main() -> int:
    """Attack the readers and commands named on the command line, and return 0 if nothing failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=10_000, help="mutations of each kind of file")
    parser.add_argument("--flips", type=int, default=3_000, help="flips of each kind that the project writes")
    parser.add_argument("--kills", type=int, default=100, help="kills of each long command")
    parser.add_argument("--seed", type=int, default=0)
    names = [*TARGETS, *COMMANDS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="KIND")
    parser.add_argument("--case", nargs=2, metavar=("KIND", "NUMBER"), help="one mutation, in this process")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of what a damaged file makes numpy say
    if options.case:
        name, number = options.case
        print(verdict(TARGETS[name], int(number), flip=False))
        return 0
    started, failed = time.monotonic(), 0
    dictionary_elements("ATP")  # it takes seconds to read the dictionary of components, once in a process
    for name in options.only:
        if name in TARGETS:
            failed += attacked(TARGETS[name], options.seed * 10_000_000, options.cases, options.flips)
    if options.kills:
        failed += killed([name for name in options.only if name in COMMANDS], options.kills, options.seed)
    print(f"{failed} cases must not be; {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
