"""How fast Holo is beside the authors' implementation: ``python docs/results/speed.py BENCH.txt --out FOLDER``.

BENCH.txt is what ``packages/holo-vae/benchmarks/bench_network.py --reference DIR --threads 1`` printed. Written are
figures.json, a table (tables.md) and a picture.
"""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from holo_types import FormatError
from holo_types.files.atomic import replacing
from holo_types.files.json_files import write_json

_LINE = re.compile(
    r"^(?P<model>spherical MNIST|protein) +1 thread\(s\) +(?P<what>\S.*?\S) +holo .*samples/s +ratio "
    r"(?P<ratio>[\d.]+)$",
    re.MULTILINE,
)
_MEMORY = re.compile(
    r"^(?P<model>spherical MNIST|protein) +peak memory .* share (?P<share>[\d.]+)$", re.MULTILINE
)
_NAMES = {"spherical MNIST": "digits", "protein": "residues"}


def read_ratios(bench: Path) -> dict[str, float]:
    """Read what the benchmark printed: how many times as fast, and with how many times less memory."""
    text = bench.read_text(encoding="utf-8")
    found = {
        f"{_NAMES[line['model']]}, {line['what']}": float(line["ratio"]) for line in _LINE.finditer(text)
    }
    if not found:
        raise FormatError(f"{bench}: it has no line of bench_network.py with a reference")
    memory = {
        f"{_NAMES[line['model']]}, memory of training": 1 / float(line["share"])
        for line in _MEMORY.finditer(text)
    }
    return found | memory


def table(ratios: Mapping[str, float]) -> str:
    """Return the ratios as a table in Markdown."""
    lines = ["| reference implementation, in multiples of Holo | |", "| --- | ---: |"]
    lines += [
        f"| {name}{'' if 'memory' in name else ', time'} | {ratio:.0f} |" for name, ratio in ratios.items()
    ]
    return "\n".join(("<!-- speed -->", *lines, "<!-- end speed -->", ""))


def drawing(ratios: Mapping[str, float]) -> Figure:
    """Draw the ratios as bars."""
    figure = Figure(figsize=(7.2, 0.36 * len(ratios) + 0.7), layout="constrained")
    axes = figure.subplots()
    names = list(ratios)[::-1]
    colors = ["#d98a4a" if "memory" in name else "#00695c" for name in names]
    axes.barh(names, [ratios[name] for name in names], 0.7, color=colors)
    for place, name in enumerate(names):
        axes.text(ratios[name] + 0.6, place, f"{ratios[name]:.0f} times", va="center", size=9)
    axes.set_xlim(0, 1.15 * max(ratios.values()))
    axes.set_xlabel("time, or memory, of the reference implementation in multiples of Holo's")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    """Read, and write what is shown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", type=Path, help="what the benchmark printed")
    parser.add_argument("--out", type=Path, required=True, help="folder for table, figures and picture")
    given = parser.parse_args()
    ratios = read_ratios(given.bench)
    given.out.mkdir(parents=True, exist_ok=True)
    write_json(given.out / "figures.json", ratios, indent=2)
    with replacing(given.out / "tables.md") as new:
        new.write_text(table(ratios), encoding="utf-8")
    with replacing(given.out / "speed.png") as new:
        drawing(ratios).savefig(new, format="png", dpi=150)


if __name__ == "__main__":
    main()
