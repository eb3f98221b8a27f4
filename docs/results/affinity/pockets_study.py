"""The study of docs/results/affinity-pockets.md, whose rows are made by the commands of a user.

    python docs/results/affinity/pockets_study.py DIR --cnos MODEL --other MODEL --out results/
    python docs/results/affinity/pockets_study.py DIR --cnos MODEL --other MODEL --out results/ --test

DIR contains labels.csv (id, pK or label, cluster, split, protein, ligand) and the files that it names. The first call
does not use the test complexes; the second scores them, once, with the rows of the table and the one remedy that is
best on validation. Existing results are not computed again, so that a call that was stopped can be continued.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

MODELS = ("cnos", "other")
CHANNELS = {"cnos": "C N O S", "other": "C N O S other"}
# Distances from the ligand in Å, in addition to the usual 6.
POCKETS = (4.5,)

# The arguments of `affinity study` besides the labels.
ROWS = {
    "mean": "contacts.csv --regressor mean",
    "ligand-size": "ligands.csv",
    "ligand-size-linear": "ligands.csv --regressor linear",
    "contacts": "contacts.csv",
    "zernike": "cnos.h5",
    "zernike-ridge": "cnos.h5 --regressor ridge",
    "zernike-other": "other.h5",
    "power": "cnos.h5 --invariants power",
    "power-ridge": "cnos.h5 --invariants power --regressor ridge",
    "z": "z-cnos.h5",
    "z-linear": "z-cnos.h5 --regressor linear",
    "z-other": "z-other.h5",
    "z-other-linear": "z-other.h5 --regressor linear",
}
REMEDIES = {
    "z-mean": "z-cnos.h5 --pooling mean",
    "z-ridge": "z-cnos.h5 --regressor ridge",
    "z-kernel-ridge": "z-cnos.h5 --regressor kernel-ridge",
    "z-other-ridge": "z-other.h5 --regressor ridge",
    "z-near": "z-cnos-4.5.h5",
    "z-and-zernike": "z-cnos.h5 --beside cnos.h5",
    "z-and-size": "z-cnos.h5 --beside ligands.csv",
}
LEARNED = "z"  # the rows with which all others are compared


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with labels.csv")
    for model in MODELS:
        parser.add_argument(f"--{model}", required=True, help=f"model of the channels {CHANNELS[model]}")
    parser.add_argument("--out", type=Path, required=True, help="folder for all that is made")
    parser.add_argument("--test", action="store_true", help="score the test")
    parser.add_argument("--rows", nargs="*", default=None, help="only these; by default all")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    models = {model: getattr(given, model) for model in MODELS}
    part = "test" if given.test else "validation"
    remedies = {name: REMEDIES[name] for name in [best_remedy(given.out)]} if given.test else REMEDIES
    rows = {name: options for name, options in (ROWS | remedies).items() if name in (given.rows or [name])}
    needed = {word for options in rows.values() for word in shlex.split(options)} | {"ligands.csv"}
    make_inputs(given.data, models, given.out, needed)
    for name, options in rows.items():
        fit(given.data, given.out, name, options, part)
    if given.rows is None:
        compare(given.out, list(rows), part)


def make_inputs(data: Path, models: dict[str, str], out: Path, needed: set[str]) -> None:
    """Make holograms, embeddings and tables of the complexes."""
    folder = str(data.resolve())
    commands = {
        "contacts.csv": f"holo contacts {folder}",
        "ligands.csv": f"holo ligands {folder}",
    }
    for model, name in models.items():
        path = Path(name).resolve() if Path(name).is_dir() else name
        commands[f"{model}.h5"] = f"holo complexes {folder} --channels {CHANNELS[model]}"
        commands[f"z-{model}.h5"] = f"holo embed --pocket {folder} --model {path}"
    for distance in POCKETS:
        pockets = f"cnos-{distance:g}.h5"
        commands[pockets] = f"holo complexes {folder} --pocket-distance {distance:g}"
        commands[f"z-{pockets}"] = f"holo embed {pockets} --model {Path(models['cnos']).resolve()}"
    needed = needed | {
        name.removeprefix("z-") for name in needed if name.removeprefix("z-").startswith("cnos-")
    }
    for name, command in commands.items():
        if name in needed and not (out / name).exists():
            # The file gets its name only when it is complete, so that an interrupted call makes it again.
            partial = f"partial-{name}"
            (out / partial).unlink(missing_ok=True)
            run(f"{command} --out {partial}", out)
            (out / partial).rename(out / name)


def fit(data: Path, out: Path, name: str, options: str, part: str) -> None:
    """Make the study of one row, unless it exists."""
    if (out / part / name / "report.json").exists():
        return
    first, _, others = options.partition(" ")
    labels = data.resolve() / "labels.csv"
    command = f"holo affinity study {first} {labels} {others} --ligands ligands.csv --out {part}/{name}"
    run(command + (" --validation-only" if part == "validation" else ""), out)


def best_remedy(out: Path) -> str:
    """Return the remedy with the smallest validation error."""
    return min(REMEDIES, key=lambda name: validation_rmsd(out / "validation" / name))


def validation_rmsd(study: Path) -> float:
    """Return the mean validation error of the members of a study."""
    report = json.loads((study / "report.json").read_text(encoding="utf-8"))
    return float(report["validation"]["rmsd"]["interval"]["estimate"])


def compare(out: Path, names: list[str], part: str) -> None:
    """Write the table of the rows, and the tests of the learned one and of the mean with each other."""
    studies = " ".join(f"{part}/{name}" for name in names)
    which = "val" if part == "validation" else "test"
    for against in (LEARNED, "mean"):
        target = f"{part}-against-{against}.md"
        run(
            f"holo affinity compare {studies} --part {which} --against {against} --out {target}",
            out,
        )
    reports = {
        name: json.loads((out / part / name / "report.json").read_text(encoding="utf-8")) for name in names
    }
    lines = [
        "| row | validation RMSD | test RMSD | Pearson | Spearman | inside series |",
        "| --- |" + " ---: |" * 5,
    ]
    for name, report in reports.items():
        scores = report["test"] or {}
        cells = [interval(report["validation"]["rmsd"])]
        cells += [interval(scores.get(score)) for score in ("rmsd", "pearson", "spearman")]
        cells.append(interval(report["series_spearman"] and {"interval": report["series_spearman"]}))
        lines.append("| " + " | ".join([name, *cells]) + " |")
    (out / f"{part}-table.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


def interval(score: dict[str, dict[str, float | None]] | None) -> str:
    """Write a score with its interval, or nothing if it is undefined or was not measured."""
    found = (score or {}).get("interval") or {}
    values = [found.get(name) for name in ("estimate", "lower", "upper")]
    if None in values:
        return ""
    estimate, lower, upper = (f"{value:.2f}" for value in values)
    return f"{estimate} [{lower}, {upper}]"


def run(command: str, folder: Path) -> None:
    """Run a command in a folder, and write its time to commands.tsv; status 3, some skipped, is accepted."""
    sys.stdout.write(f"$ {command}\n")
    sys.stdout.flush()
    start, before = time.perf_counter(), os.times()
    status = subprocess.run(shlex.split(command), cwd=folder, check=False).returncode
    if status not in (0, 3):
        raise SystemExit(f"{command}: exit status {status}")
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    with (folder / "commands.tsv").open("a", encoding="utf-8") as log:
        log.write(f"{time.perf_counter() - start:.1f}\t{used:.1f}\t{command}\n")


if __name__ == "__main__":
    main()
