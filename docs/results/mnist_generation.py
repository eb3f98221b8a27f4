"""Score samples of the H-VAEs of spherical MNIST: ``python docs/results/mnist_generation.py RUNS``.

RUNS is that of mnist.py, with two networks that judge, ``classifier`` and ``second-classifier``, which was trained with
another seed. Scores of a run are never computed again, so that its test digits are seen only once.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs
import numpy as np
from cyclopts import App
from mnist import PAGE, share, spread, table, write_page

from holo_lab.report.generated import draw_generated
from holo_types import HoloError, Holograms
from holo_types.console import run
from holo_types.files.atomic import replacing
from holo_vae import (
    Coverage,
    Model,
    SampleScores,
    TrainedClassifier,
    coverage,
    load,
    read_holograms,
    sample_fitted,
    sample_prior,
    score_samples,
    to_canonical_frame,
)

JUDGES = ("classifier", "second-classifier")
PICTURE = PAGE.parent / "mnist" / "conditional.webp"
_PER_CLASS = 2700  # half of the training digits of a class, with which coverage compares samples
_DRAWN = 3  # of each class and kind, in the picture

Part = Literal["test", "validation"]


@attrs.frozen(kw_only=True)
class Worth:
    """The quality of digits or samples.

    Parameters
    ----------
    accuracies
        The mean accuracy of each judge, or None if samples have no class except the one that the first judge assigns.
    confidence
        The mean probability that the first judge assigns to the class.
    diversity
        The mean cosine loss between two samples of a class, for each class.
    coverage
        The mean share of digits with a sample nearer than their nearest training digit. For the digits themselves,
        other training digits take the place of samples.
    """

    accuracies: tuple[float | None, ...]
    confidence: float | None
    diversity: tuple[float | None, ...]
    coverage: float


@attrs.frozen(kw_only=True, eq=False)
class Digits:
    """The digits with which the samples of a model are compared, in its canonical frame."""

    part: Holograms
    training: Holograms


def aligned_digits(model: Model, data: Path, part: Part) -> Digits:
    """Read the digits of a run and rotate them into the canonical frame of the model."""
    found = []
    for name in (part, "training"):
        rows = read_holograms(data / f"{name}.h5")
        found.append(to_canonical_frame(rows, model.encode(rows).frames))
    return Digits(part=found[0], training=found[1])


def draw(model: Model, training: Holograms, *, fitted: bool) -> Holograms:
    """Draw 2,700 samples of each class, or as many as for ten classes from an unconditional model."""
    condition = model.config.condition
    count = 10 * _PER_CLASS
    wanted = None if condition is None else np.resize(np.array(condition.categories), count)
    if fitted:
        return sample_fitted(model, training, count, wanted)
    return sample_prior(model, count, wanted)


def judge(rows: Holograms, judges: list[TrainedClassifier], covered: tuple[float, ...]) -> Worth:
    """Score digits or samples whose coverage is known."""
    labels = rows.index.get("label")
    scores: list[SampleScores] = [score_samples(rows, each, labels) for each in judges]
    return Worth(
        accuracies=tuple(each.mean("accuracy") for each in scores),
        confidence=scores[0].mean("confidence"),
        diversity=scores[0].diversity,
        coverage=float(np.mean(covered)),
    )


def cover(samples: Holograms, digits: Digits, first_judge: TrainedClassifier) -> Coverage:
    """Return the coverage of samples; samples without a class get the class that the first judge assigns."""
    labels = samples.index.get("label")
    return coverage(
        digits.part,
        digits.training,
        samples,
        test_labels=digits.part.index["label"],
        training_labels=digits.training.index["label"],
        sample_labels=first_judge.predict(samples).argmax(axis=1) if labels is None else labels,
    )


def score(folder: Path, part: Part, judges: list[TrainedClassifier]) -> dict[str, Worth]:
    """Score a run's samples on a part of its digits, unless this was done before."""
    out = folder / f"generation-{part}.json"
    if out.exists():
        kept = json.loads(out.read_text(encoding="utf-8"))
        return {kind: _worth(written) for kind, written in kept.items()}
    model = load(str(folder / "model"), Model)
    digits = aligned_digits(model, folder / "data", part)
    training = read_holograms(folder / "data" / "training.h5")
    prior, fitted = (draw(model, training, fitted=fitted) for fitted in (False, True))
    of_prior, of_fitted = (cover(samples, digits, judges[0]) for samples in (prior, fitted))
    found = {
        "the digits themselves": judge(digits.part, judges, of_fitted.real),
        "samples of the prior": judge(prior, judges, of_prior.samples),
        "samples of the fitted density": judge(fitted, judges, of_fitted.samples),
    }
    with replacing(out) as new:
        new.write_text(json.dumps({kind: attrs.asdict(worth) for kind, worth in found.items()}, indent=2))
    return found


def _worth(written: Mapping[str, Any]) -> Worth:
    return Worth(
        accuracies=tuple(written["accuracies"]),
        confidence=written["confidence"],
        diversity=tuple(written["diversity"]),
        coverage=written["coverage"],
    )


def ratios(worth: Worth, digits: Worth) -> list[float]:
    """Return the diversity of each class relative to that of the digits."""
    pairs = zip(worth.diversity, digits.diversity, strict=True)
    return [mine / theirs for mine, theirs in pairs if mine is not None and theirs is not None]


def generation_table(recipes: Mapping[str, list[dict[str, Worth]]]) -> str:
    """Return the table of the quality of samples and of the digits themselves."""
    rows = []
    for recipe, runs in recipes.items():
        for kind in runs[0]:
            worths = [found[kind] for found in runs]
            accuracies = [
                spread([value for value in values if value is not None], share(3))
                if None not in values
                else ""
                for values in zip(*(worth.accuracies for worth in worths), strict=True)
            ]
            of_classes = [ratios(found[kind], found["the digits themselves"]) for found in runs]
            least, largest = min(map(min, of_classes)), max(map(max, of_classes))
            rows.append(
                [
                    f"`{recipe}`",
                    kind,
                    *accuracies,
                    spread([worth.confidence or 0.0 for worth in worths], share(3)),
                    "1" if kind == "the digits themselves" else f"{least:.2f}–{largest:.2f}",
                    spread([worth.coverage for worth in worths], share(3)),
                ]
            )
    titles = ("recipe", "of what", "accuracy", "second judge", "confidence", "diversity by class", "coverage")
    return table(titles, rows)


def draw_picture(folder: Path, path: Path) -> None:
    """Draw digits of each class, samples of the prior, and samples of the fitted density."""
    model, training = load(str(folder / "model"), Model), read_holograms(folder / "data" / "training.h5")
    condition = model.config.condition
    if condition is None:
        raise HoloError(f"{folder}: is of no conditional model, of which the picture is")
    wanted = np.repeat(np.array([condition.categories]), _DRAWN, axis=0).ravel()
    labels = training.index["label"]
    first = np.stack([np.flatnonzero(labels == label)[:_DRAWN] for label in condition.categories], axis=1)
    digits = training[first.ravel()]
    kinds = {
        "digits": to_canonical_frame(digits, model.encode(digits).frames),
        "prior": sample_prior(model, len(wanted), wanted),
        "fitted density": sample_fitted(model, training, len(wanted), wanted),
    }
    width = len(condition.categories)
    rows = [
        (name if line == 0 else "", some[line * width : (line + 1) * width])
        for name, some in kinds.items()
        for line in range(_DRAWN)
    ]
    with replacing(path) as new:
        draw_generated(rows, [str(label) for label in condition.categories]).savefig(
            new, dpi=100, format="webp"
        )


app = App(
    name="mnist_generation",
    help="Score samples of the H-VAEs on spherical MNIST, and write the page's table.",
)


@app.default
def mnist_generation(
    runs: Path, /, *, part: Part = "test", page: Path = PAGE, picture: Path = PICTURE
) -> int:
    """Score samples, and write the page's table and picture.

    Parameters
    ----------
    runs
        Folder with a folder for each run, RECIPE-seedN, and with the two judges.
    part
        The part of the digits; choices are made on validation.
    page
        The page into which the table is written.
    picture
        The file of the picture of the first conditional run.
    """
    judges = [load(str(runs / name / "model"), TrainedClassifier) for name in JUDGES]
    recipes: dict[str, list[dict[str, Worth]]] = {}
    drawn = False
    for folder in sorted(runs.glob("*-seed*/")):
        config = load(str(folder / "model"), Model).config
        if not config.variational:
            continue
        recipes.setdefault(folder.name.rpartition("-seed")[0], []).append(score(folder, part, judges))
        if config.condition is not None and config.prior_components and not drawn:  # it shows a learned prior
            draw_picture(folder, picture)
            drawn = True
    if not recipes:
        raise HoloError(f"{runs}: holds no folder RECIPE-seedN of an H-VAE")
    write_page({"generation": generation_table(recipes)}, page)
    return 0


if __name__ == "__main__":
    sys.exit(run(app))
