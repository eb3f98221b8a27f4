"""Measure the peak memory of ``holo-features structures`` for few residues and for many.

``python memory_of_structures.py FOLDER [--residues 1000 100000] [--workers 1 2]`` encodes as many files of a folder as
contain that many residues, in a separate process, and prints the peak resident memory of the command and of its largest
worker process, in MB. It reads ``/proc``, so it needs Linux. If a folder has fewer residues than requested, this is
reported.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from holo_features import read_structure
from holo_features.encoding.files import structure_files
from holo_types import HoloError, open as open_data


def files_with(folder: Path, residues: int) -> list[Path]:
    """Return the first files of a folder that together have the given number of residues."""
    chosen: list[Path] = []
    count = 0
    for path in structure_files([folder])[0]:
        if count >= residues:
            break
        try:
            atoms = read_structure(path).atoms
        except HoloError:
            continue
        count += int(((atoms.atom_name == "CA") & (atoms.element == "C")).sum())
        chosen.append(path)
    return chosen


def peak(process: int) -> float:
    """Return the peak resident memory of a running process in MB; 0 if it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")] or ["VmHWM: 0 kB"]
    return int(line.split()[1]) * 1024 / 1e6


def descendants(process: int) -> list[int]:
    """Return the processes that a process has started, and their descendants."""
    found = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = [int(child) for child in path.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


def measure(paths: list[Path], workers: int) -> tuple[int, float, float, float]:
    """Encode files; return rows, seconds, and the peak memory of the command and of its largest worker in MB."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out.h5")
        command = [sys.executable, "-m", "holo_features", "structures", *map(str, paths), "--out", str(out)]
        start = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--workers", str(workers)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        main = worker = 0.0
        while process.poll() is None:
            main = max(main, peak(process.pid))
            worker = max([worker, *map(peak, descendants(process.pid))])
            time.sleep(0.05)
        with open_data(out) as reader:
            return len(reader), time.perf_counter() - start, main, worker


def main() -> None:
    """Print a line for each number of residues and each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--residues", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    for residues in options.residues:
        paths = files_with(options.folder, residues)
        for workers in options.workers:
            rows, seconds, command, worker = measure(paths, workers)
            print(
                f"{rows:9,} residues of {len(paths):5} files, {workers} workers: {seconds:6.1f} s, "
                f"{command:5.0f} MB" + (f", {worker:.0f} MB the largest worker" if workers > 1 else "")
            )


if __name__ == "__main__":
    main()
