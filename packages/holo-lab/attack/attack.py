"""Attack the readers with damaged files: see README.md.

``nox -s attack`` runs 10,000 mutations of each kind of file and 3,000 flips of each that the project writes;
``nox -s attack -- --cases 200 --flips 100 --seed 3`` so many, others; ``-- --case pdb 17`` one, in this process.
"""

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random

from mutations import flipped, mutated
from processes import EQUAL, OTHER, REFUSED, RESULT, Outcome, outcomes
from targets import TARGETS, Target

from holo_features.readers.names import dictionary_elements

_GOOD = (RESULT, REFUSED, EQUAL)


def damaged(target: Target, case: int, *, flip: bool) -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
    """Give valid files, and the same with one of them damaged."""
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
    """Read damaged files: the verdict, unless an error is raised."""
    whole, broken = damaged(target, case, flip=flip)
    result = read(target, broken)
    if not flip:
        return RESULT
    assert target.same is not None
    return EQUAL if target.same(result, read(target, whole)) else OTHER


def attacked(target: Target, cases: range, *, flip: bool) -> list[Outcome]:
    """Run the cases of a target, print their counts, and give those that must not be."""
    found = list(outcomes(lambda case: verdict(target, case, flip=flip), cases))
    counts = Counter(outcome.verdict for outcome in found)
    slowest = max((outcome.seconds for outcome in found), default=0.0)
    kind = "flips" if flip else "mutations"
    words = ", ".join(f"{count} {word}" for word, count in counts.most_common())
    print(f"{target.name:10} {len(found):6} {kind:9} slowest {slowest:5.2f} s  {words}", flush=True)
    return [outcome for outcome in found if outcome.verdict not in _GOOD]


def main() -> int:
    """Attack what the command line names; 0 if all came to a result or to a refusal."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=10_000, help="mutations of each kind of file")
    parser.add_argument("--flips", type=int, default=3_000, help="flips of each kind that the project writes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=list(TARGETS), default=list(TARGETS), metavar="KIND")
    parser.add_argument("--case", nargs=2, metavar=("KIND", "NUMBER"), help="one mutation, in this process")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of what a damaged file makes numpy say
    if options.case:
        name, number = options.case
        print(verdict(TARGETS[name], int(number), flip=False))
        return 0
    started, failed = time.monotonic(), 0
    dictionary_elements("ATP")  # it takes seconds to read the dictionary of components, once in a process
    for target in (TARGETS[name] for name in options.only):
        read(target, target.files[0])  # what is imported late is there before the children are
        for flip, count in ((False, options.cases), (True, options.flips if target.same else 0)):
            first = options.seed * 10_000_000
            bad = attacked(target, range(first, first + count), flip=flip) if count else []
            failed += len(bad)
            for outcome in bad[:20]:
                print(f"  {'flip' if flip else '--case'} {target.name} {outcome.case}: ", end="")
                print(f"{outcome.verdict}: {outcome.detail}")
    print(f"{failed} cases must not be; {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
