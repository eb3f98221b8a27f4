"""Read mutated files, and compare with other readers; see README.md.

``nox -s fuzz`` runs 25,000 cases, ``nox -s fuzz -- --cases 1000 --seed 3`` runs 1,000 other ones, and
``nox -s fuzz -- --case pdb 17`` runs a single one, by the name under which it was reported.
"""

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from cases import EXAMPLES, outcomes
from check import EQUAL, FAILED, NAMED, REFUSED, REFUSED_ALONE
from differences import DIFFERENCES
from originals import FORMATS, originals
from workers import Result, results

# One case of a format in this many is of hypothesis.
_PROPOSED = 5
_STRIDE = 10_000_000  # seeds of a run begin at its number times this


def planned(cases: int, seed: int, formats: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the names of the cases of a run, with the formats in turn."""
    plan = []
    for form in formats:
        share = cases // len(formats)
        runs = share // _PROPOSED // EXAMPLES
        plan += [(form, f"h{seed * _STRIDE + i}") for i in range(runs)]
        plan += [(form, str(seed * _STRIDE + i)) for i in range(share - runs * EXAMPLES)]
    return sorted(plan, key=lambda case: (int(case[1].lstrip("h")), case))


class Tally:
    """Counts by format."""

    def __init__(self) -> None:
        self.verdicts: dict[str, Counter[str]] = defaultdict(Counter)
        self.named: dict[str, Counter[str]] = defaultdict(Counter)
        self.reasons: dict[str, Counter[str]] = defaultdict(Counter)
        self.failures: list[Result] = []

    def add(self, result: Result) -> None:
        """Count a file."""
        verdict = result.outcome.verdict
        self.verdicts[result.form][verdict] += 1
        if verdict == NAMED:
            self.named[result.form].update(result.outcome.detail)
        elif verdict == FAILED:
            self.failures.append(result)
        elif verdict == REFUSED_ALONE:
            self.reasons[result.form].update(result.outcome.detail)

    def lines(self) -> Iterator[str]:
        """Return the lines of the tables."""
        heads = (REFUSED, REFUSED_ALONE, EQUAL, NAMED, FAILED)
        yield "| format | cases | refused by both | refused by Holo alone | equal | a named difference | failures |"
        yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
        total: Counter[str] = Counter()
        for form in FORMATS:
            if counts := self.verdicts.get(form):
                total += counts
                yield (
                    f"| {form} | {counts.total():,} | "
                    + " | ".join(f"{counts[head]:,}" for head in heads)
                    + " |"
                )
        yield f"| all | {total.total():,} | " + " | ".join(f"{total[head]:,}" for head in heads) + " |"
        yield ""
        yield "| format | named difference | cases | reason |"
        yield "| --- | --- | ---: | --- |"
        for form in FORMATS:
            for name, count in self.named[form].most_common():
                yield f"| {form} | {name} | {count:,} | {DIFFERENCES[name]} |"


def main() -> int:
    """Run the cases that the command line requests; return 0 if none failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--cases", type=int, default=25_000, help="how many, over all formats (default 25,000)"
    )
    parser.add_argument("--seed", type=int, default=0, help="which (default 0)")
    parser.add_argument(
        "--formats", nargs="+", choices=FORMATS, default=list(FORMATS), help="of which formats"
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one a processor)"
    )
    parser.add_argument(
        "--keep", type=Path, help="a folder for the files that failed (default: a new temporary one)"
    )
    parser.add_argument(
        "--case", nargs=2, metavar=("FORMAT", "SEED"), help="run this case only, in this process"
    )
    parser.add_argument("--refusals", action="store_true", help="list why Holo refused what others read")
    options = parser.parse_args()
    if options.case:
        return _one(*options.case)
    for form in options.formats:
        originals(form)  # made before the workers are forked
    start, tally = time.monotonic(), Tally()
    for result in results(planned(options.cases, options.seed, tuple(options.formats)), options.workers):
        tally.add(result)
    print("\n".join(tally.lines()))
    if options.refusals:
        for form, reasons in tally.reasons.items():
            print(*(f"{form} {count:6} {reason}" for reason, count in reasons.most_common(40)), sep="\n")
    print(f"\n{time.monotonic() - start:.0f} s with {options.workers} workers, seed {options.seed}")
    _report(tally.failures, options.keep)
    return 1 if tally.failures else 0


def _report(failures: list[Result], keep: Path | None) -> None:
    """Print the failures, and keep their files."""
    if not failures:
        return
    folder = keep or Path(tempfile.mkdtemp(prefix="holo-fuzz-"))
    folder.mkdir(parents=True, exist_ok=True)
    for result in failures:
        print(f"--case {result.form} {result.name}: {'; '.join(result.outcome.detail)}")
        if result.content:
            name, content = result.content
            (folder / f"{result.form}-{result.name}{''.join(Path(name).suffixes)}").write_bytes(content)
    print(f"the files that failed are in {folder}")


def _one(form: str, name: str) -> int:
    folder = Path(tempfile.mkdtemp(prefix="holo-fuzz-"))
    failed = False
    for outcome, path in outcomes(form, name, folder, lambda _: None):
        print(f"{path}: {outcome.verdict} {'; '.join(outcome.detail)}")
        failed |= outcome.verdict == FAILED
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
