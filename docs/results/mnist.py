"""Score the runs on spherical MNIST, and write the tables of mnist.md: ``python docs/results/mnist.py RUNS``.

RUNS contains a folder for each run, RECIPE-seedN, as written by ``holo train``, and ``classifier``, the network that
judges samples. Scores of a run are never computed again, so that its test digits are seen only once. Rows of the page
for recipes without a run in RUNS are kept.
"""

import csv
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import attrs
from cyclopts import App, Parameter

import holo_vae
from holo_lab.cli.program import main as holo
from holo_types import HoloError
from holo_types.console import run
from holo_types.files.atomic import replacing
from holo_vae import MnistData, ModelConfig, describe

PAGE = Path(__file__).with_suffix(".md")
Figures = dict[str, Any]


@attrs.frozen
class Column:
    """A column of the table: where its figure is in an evaluation, and how it is written."""

    title: str
    value: Callable[[Figures], float]
    written: Callable[[float], str]
    low_is_good: bool = False


def share(digits: int) -> Callable[[float], str]:
    """Return a function that writes a share with the given number of digits, without the 0 before the point."""
    return lambda value: f"{value:.{digits}f}".removeprefix("0")


def _small(digits: int) -> Callable[[float], str]:
    return lambda value: f"{value:.{digits}e}".replace("e-0", "e-")


def _cosine_loss(figures: Figures) -> float:
    # Evaluations of early versions call the loss "cosine".
    found = figures["reconstruction"]
    loss: float = found["cosine_loss"] if "cosine_loss" in found else found["cosine"]
    return loss


COLUMNS = (
    Column("cosine loss", _cosine_loss, share(4), low_is_good=True),
    Column("MSE", lambda f: f["reconstruction"]["mse"], _small(2), low_is_good=True),
    Column("purity", lambda f: f["latent"]["purity"], share(3)),
    Column("V-measure", lambda f: f["latent"]["v_measure"], share(3)),
    Column("linear", lambda f: f["latent"]["linear_accuracy"], share(3)),
    Column("KNN", lambda f: f["latent"]["knn_accuracy"], share(3)),
)

# Visani et al., Phys. Rev. Research 6, 023006 (2024): by variational, length of z, rotation of the training digits.
PUBLISHED: Mapping[tuple[bool, int, str], tuple[float, ...]] = {
    (False, 120, "fixed"): (0.017, 6.5e-4, 0.59, 0.51, 0.920, 0.920),
    (False, 120, "each"): (0.015, 5.8e-4, 0.65, 0.52, 0.916, 0.923),
    (False, 16, "fixed"): (0.031, 1.2e-3, 0.66, 0.55, 0.850, 0.902),
    (False, 16, "each"): (0.030, 1.2e-3, 0.61, 0.52, 0.844, 0.901),
    (True, 120, "fixed"): (0.048, 1.9e-3, 0.74, 0.63, 0.923, 0.907),
    (True, 120, "each"): (0.050, 2.0e-3, 0.73, 0.60, 0.916, 0.900),
    (True, 16, "fixed"): (0.068, 2.8e-3, 0.73, 0.60, 0.878, 0.897),
    (True, 16, "each"): (0.067, 2.7e-3, 0.69, 0.57, 0.855, 0.880),
}
PUBLISHED_WRITTEN = (share(3), _small(1), share(2), share(2), share(3), share(3))


@attrs.frozen
class Run:
    """A run, its recipe and its figures."""

    recipe: str
    config: ModelConfig
    rotation: str
    frame_weight: float
    epochs: int
    figures: Figures
    minutes: float
    rate: float

    @property
    def name(self) -> str:
        """The name of the model in the paper."""
        kind = "H-VAE" if self.config.variational else "H-AE"
        return f"{kind} {'NR/R' if self.rotation == 'fixed' else 'R/R'}"

    @property
    def published(self) -> tuple[float, ...]:
        """The figures in the paper, in the order of the columns."""
        return PUBLISHED[self.config.variational, self.config.latent_dim, self.rotation]


def score(folder: Path, part: str, classifier: Path) -> Figures:
    """Evaluate a run's model on a part of its data, unless this was done before."""
    out = folder / f"{part}.json"
    if not out.exists():
        data = folder / "data"
        judge = ("--classifier", str(classifier)) if classifier.is_dir() else ()
        learned = ("--training", str(data / "training.h5"), "--validation", str(data / "validation.h5"))
        command = ("evaluate", str(folder / "model"), str(data / f"{part}.h5"), *learned, *judge)
        report = ("--report", str(folder / f"{part}.html")) if folder.name.endswith("-seed0") else ()
        if holo([*command, "--label", "label", "--out", str(out), *report]):
            raise HoloError(f"{folder}: could not be evaluated")
    figures: Figures = json.loads(out.read_text(encoding="utf-8"))
    return figures


def read_run(folder: Path, part: str, classifier: Path) -> Run:
    """Read a run, and score it."""
    recipe = holo_vae.read_recipe(folder / "recipe.yaml")
    if not isinstance(recipe.model, ModelConfig) or not isinstance(recipe.data, MnistData):
        raise HoloError(f"{folder}: is not an autoencoder of spherical MNIST")
    with (folder / "history.csv").open(encoding="utf-8", newline="") as file:
        history = list(csv.DictReader(file))
    seconds = [float(epoch["seconds"]) for epoch in history]
    rates = [float(epoch["samples_per_second"]) for epoch in history]
    return Run(
        recipe=folder.name.rpartition("-seed")[0],
        config=recipe.model,
        rotation=recipe.data.rotation,
        frame_weight=recipe.training.frame_weight,
        epochs=len(history),
        figures=score(folder, part, classifier),
        minutes=sum(seconds) / 60,
        rate=sum(rates) / len(rates),
    )


def spread(values: list[float], written: Callable[[float], str]) -> str:
    """Write the mean of values, and the smallest and the largest if they differ."""
    mean, least, largest = map(written, (sum(values) / len(values), min(values), max(values)))
    return mean if least == largest else f"{mean} ({least}–{largest})"


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table of Markdown."""
    titles = list(headings)
    rules = ["---"] * len(titles)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (titles, rules, *rows))


def _cells(runs: list[Run]) -> list[str]:
    """Write our figures as the mean (smallest and largest) over seeds, in bold if it is better than the published."""
    cells = []
    for column, theirs in zip(COLUMNS, runs[0].published, strict=True):
        values = [column.value(run.figures) for run in runs]
        mean, text = sum(values) / len(values), spread(values, column.written)
        better = mean < theirs if column.low_is_good else mean > theirs
        cells.append(f"**{text}**" if better else text)
    return cells


def main_table(recipes: Mapping[str, list[Run]]) -> str:
    """Return our figures beside the published ones."""
    rows = []
    for runs in recipes.values():
        first = runs[0]
        if first.config.condition is not None:  # of which nothing is published
            continue
        size = str(first.config.latent_dim)
        theirs = [write(value) for write, value in zip(PUBLISHED_WRITTEN, first.published, strict=True)]
        without = first.rotation == "fixed" and not first.frame_weight
        name = f"{first.name}, `{first.recipe}`" + ", without `frame_weight`" * without
        rows.append([f"{first.name}, published", size, "", *theirs])
        rows.append([name, size, str(len(runs)), *_cells(runs)])
    return table(("model", "z", "seeds", *(column.title for column in COLUMNS)), rows)


def size_table(recipes: Mapping[str, list[Run]]) -> str:
    """Return the table of sizes and times."""
    rows = []
    for runs in recipes.values():
        size = describe(runs[0].config)
        minutes, rates = ([getattr(run, name) for run in runs] for name in ("minutes", "rate"))
        rows.append(
            [
                f"`{runs[0].recipe}`",
                f"{size.parameters:,}",
                f"{size.nominal_parameters:,}",
                str(runs[0].epochs),
                spread(minutes, lambda value: f"{value:.0f}"),
                spread(rates, lambda value: f"{value:,.0f}"),
            ]
        )
    return table(("recipe", "weights", "nominal", "epochs", "minutes", "digits/s"), rows)


def sample_table(recipes: Mapping[str, list[Run]]) -> str:
    """Return the table of how the classifier judges samples of variational models."""
    rows = []
    for runs in recipes.values():
        for part, of_what in (
            ("data_samples", "the digits themselves"),
            ("posterior_samples", "samples of each digit's posterior"),
            ("prior_samples", "samples of the prior"),
        ):
            scores = [run.figures[part] for run in runs if run.figures.get(part)]
            if not scores or not runs[0].config.variational:
                continue
            cells = []
            for name in ("accuracy", "confidence", "diversity"):
                means = [_mean(each[name]) for each in scores if each[name] is not None]
                cells.append(spread(means, share(3)) if means else "")
            rows.append([f"`{runs[0].recipe}`", of_what, *cells])
    return table(("recipe", "of what", "accuracy", "confidence", "diversity"), rows) if rows else ""


def _mean(values: Iterable[float | None]) -> float:
    given = [value for value in values if value is not None]
    return sum(given) / len(given)


def _of_recipes(rows: Iterable[str]) -> dict[str, list[str]]:
    """Return the rows of each recipe, the first name in backquotes; one without is about the next."""
    found: dict[str, list[str]] = {}
    before: list[str] = []
    for row in rows:
        named = re.search("`([^`]+)`", row)
        before.append(row)
        if named:
            found.setdefault(named[1], []).extend(before)
            before = []
    return found


def _merged(old: str, new: str) -> str:
    """Return a table with the rows of an older one for the recipes that it lacks, in the order of the recipes."""
    head, rules, *rows = new.splitlines()
    kept = [line for line in old.splitlines() if line.startswith("| ")][2:]
    merged = _of_recipes(kept) | _of_recipes(rows)
    return "\n".join([head, rules, *(row for recipe in sorted(merged) for row in merged[recipe])])


def write_page(tables: Mapping[str, str], page: Path) -> None:
    """Write each table between its marks, ``<!-- NAME -->`` and ``<!-- end -->``; keep rows of other recipes."""
    text = page.read_text(encoding="utf-8")
    for name, written in tables.items():
        before, mark, rest = text.partition(f"<!-- {name} -->\n")
        rest, end, after = rest.partition("<!-- end -->")
        if not end:
            raise HoloError(f"{page}: has no marks <!-- {name} --> and <!-- end -->")
        if written:
            text = f"{before}{mark}\n{_merged(rest, written)}\n\n{end}{after}"
    with replacing(page) as new:
        new.write_text(text, encoding="utf-8")


app = App(name="mnist", help="Score the runs on spherical MNIST, and write the tables of the page.")


@app.default
def mnist(
    runs: Path, /, *, part: Literal["test", "validation"] = "test", page: Annotated[Path, Parameter()] = PAGE
) -> int:
    """Score runs, and write the page's tables.

    Parameters
    ----------
    runs
        Folder with a folder for each run, RECIPE-seedN, and with classifier.
    part
        The part of the digits; choices are made on validation.
    page
        The page into which the tables are written.
    """
    recipes: dict[str, list[Run]] = {}
    for folder in sorted(runs.glob("*-seed*/")):
        scored = read_run(folder, part, runs / "classifier" / "model")
        recipes.setdefault(scored.recipe, []).append(scored)
    if not recipes:
        raise HoloError(f"{runs}: holds no folder RECIPE-seedN")
    tables = {"figures": main_table(recipes), "sizes": size_table(recipes), "samples": sample_table(recipes)}
    write_page(tables, page)
    return 0


if __name__ == "__main__":
    sys.exit(run(app))
