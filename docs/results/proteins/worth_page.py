"""Comparison of the z of several models, from the output of ``holo-vae worth`` for each."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import cattrs
import numpy as np
from drawing import worth_figure
from writing import markdown_table, signed, write_figures

from holo_downstream import Interval
from holo_types import HoloError
from holo_vae.evaluation.measured import MATCHES, PROBES
from holo_vae.evaluation.worth import Figure, Worth

__all__ = ["Beside", "worth"]

_GUESSES = ("mean hologram", "chance")  # rows that need no invariants
_DRAWN = (
    *((row, "") for row in PROBES),
    *((row, "white") for row in (*MATCHES.values(), "nearest to itself at 0.4 Å")),
)


@attrs.frozen(kw_only=True)
class Beside:
    """Models with one or several seeds on the same residues.

    Parameters
    ----------
    models
        The models by name. Intervals are those of the first seed of each.
    """

    models: dict[str, tuple[Worth, ...]]


def worth(folder: Path, /, *folders: Path, out: Path) -> int:
    """Compare models from folders that holo-vae worth wrote.

    Trainings with several seeds are models of one name. Invariants without training are taken from the first folder.

    Parameters
    ----------
    folder
        Folder with worth.json of a model and of invariants that need no training.
    folders
        Folders of further models or seeds.
    out
        Folder for figures.json, tables.md and the picture.
    """
    models: dict[str, tuple[Worth, ...]] = {}
    for place in (folder, *folders):
        found = _read(place / "worth.json")
        models[_name(found)] = (*models.get(_name(found), ()), found)
    beside = Beside(models=models)
    tables = {"worth": _table(beside)} | {f"above-{name}": _above(seeds[0]) for name, seeds in models.items()}
    write_figures(out, beside, tables, {"worth": worth_figure(_points(beside), list(models))})
    return 0


def _name(found: Worth) -> str:
    """Name the model without its version, which differs between seeds."""
    return found.model.rpartition(" ")[0]


def _read(path: Path) -> Worth:
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        return cattrs.structure(_numbers(plain), Worth)
    except (OSError, ValueError, cattrs.BaseValidationError) as error:
        raise HoloError(f"{path}: cannot be read as what holo-vae worth writes ({error})") from None


def _numbers(value: Any) -> Any:
    """Replace missing values of JSON, where there is no interval, by NaN."""
    if isinstance(value, dict):
        return {
            key: np.nan if item is None and key in ("lower", "upper") else _numbers(item)
            for key, item in value.items()
        }
    return [_numbers(item) for item in value] if isinstance(value, list) else value


def _figures(found: Worth) -> dict[tuple[str, str, str], Figure]:
    return {(figure.row, figure.scaling, figure.of): figure for figure in found.figures}


def _untrained(found: Worth) -> list[str]:
    """Return the names of the invariants other than z, without the guess."""
    names = dict.fromkeys(figure.of for figure in found.figures)
    return [name for name in names if name not in ("z", *_GUESSES)]


def _table(beside: Beside) -> str:
    """Return all rows: means over seeds with the lowest and the highest, and the invariants without training."""
    first = next(iter(beside.models.values()))[0]
    known, others = _figures(first), _untrained(first)
    rows = []
    for row, scaling in dict.fromkeys((figure.row, figure.scaling) for figure in first.figures):
        cells = [
            _seeds([_figures(seed)[row, scaling, "z"] for seed in seeds])
            if (row, scaling, "z") in known
            else ""
            for seeds in beside.models.values()
        ]
        if not any(cells):
            continue  # rows of chance that z does not have
        for name in others:
            figure = known.get((row, scaling, name))
            cells.append("" if figure is None else _number(figure.value.estimate))
        guess = next((known[row, scaling, name] for name in _GUESSES if (row, scaling, name) in known), None)
        cells.append("" if guess is None else _number(guess.value.estimate))
        rows.append((row, scaling, *cells))
    return markdown_table(("", "distances", *beside.models, *others, "guess"), rows)


def _seeds(figures: Sequence[Figure]) -> str:
    values = [figure.value.estimate for figure in figures]
    text = _number(float(np.mean(values)))
    if len(values) > 1:
        text += f" ({_number(min(values))} to {_number(max(values))})"
    return text + (" *" if figures[0].trained else "")


def _number(value: float) -> str:
    text = f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return text.removeprefix("0")


def _above(found: Worth) -> str:
    """Return the paired differences between z and each of the others, by cluster or protein."""
    others = _untrained(found)
    rows = []
    for row, scaling in dict.fromkeys((figure.row, figure.scaling) for figure in found.figures):
        figures = _figures(found)
        above = [figures.get((row, scaling, name)) for name in others]
        if any(figure is not None and figure.z_above is not None for figure in above):
            cells = [signed(None if figure is None else figure.z_above) for figure in above]
            rows.append((row, scaling, str(figures[row, scaling, "z"].value), *cells))
    return markdown_table(("", "distances", "z [95 %]", *(f"above {name}" for name in others)), rows)


def _points(beside: Beside) -> Mapping[str, Mapping[str, Interval]]:
    """Return the shares of residues to draw, in each row those of models and of invariants without training."""
    first = next(iter(beside.models.values()))[0]
    drawn: dict[str, dict[str, Interval]] = {}
    for row, scaling in _DRAWN:
        points = {
            name: found.value
            for name, seeds in beside.models.items()
            if (found := _figures(seeds[0]).get((row, scaling, "z"))) is not None
        }
        points |= {
            name: figure.value
            for name in _untrained(first)
            if (figure := _figures(first).get((row, scaling, name))) is not None
        }
        if points:
            drawn[row] = points
    return drawn
