"""Run the long jobs of the gallery in a scratch folder, and record what they print and draw (session gallery)."""

import contextlib
import runpy
import subprocess
import sys
import tempfile

import matplotlib
from gallery_pages import GALLERY, LONG, save_pictures
from matplotlib import pyplot

RECORDED = GALLERY / "recorded"


def record(job: str) -> None:
    """Run a job, whose output goes to standard output, and save its figure."""
    matplotlib.use("Agg")
    (script,) = GALLERY.glob(f"*/{job}.py")
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
        runpy.run_path(str(script))
    (number,) = pyplot.get_fignums()
    save_pictures(pyplot.figure(number), RECORDED / f"{job}.png")


def main() -> None:
    """Record every long job in a process of its own, and keep its output if it succeeds."""
    if len(sys.argv) > 1:
        record(sys.argv[1])
        return
    RECORDED.mkdir(exist_ok=True)
    for job in LONG:
        command = (sys.executable, __file__, job)
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        (RECORDED / f"{job}.txt").write_text(printed, encoding="utf-8")
        sys.stdout.write(printed)


if __name__ == "__main__":
    main()
