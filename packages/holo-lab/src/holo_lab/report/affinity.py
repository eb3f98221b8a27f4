"""The report of a predictor of affinities: one HTML file, which opens offline."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from holo_downstream import CrossFit
from holo_downstream.affinity.cross_fit import MOST_OF_A_GROUP
from holo_downstream.affinity.regressors import Ensemble, Settings
from holo_downstream.validation.statistics import metric_of
from holo_downstream.vectors.csv_files import read_csv
from holo_features import ComplexSource
from holo_lab.affinity.atoms import AtomContributions, atom_contributions
from holo_lab.affinity.folders import read_bound
from holo_types import HoloError
from holo_types.console import Skipped

from . import affinity_plots as plots, page
from .molecules import library, viewer

__all__ = ["write_affinity_report"]

_TARGETS = ("target", "uniprot", "protein_name")  # columns, of which the first that a table has is used
_MOST_ROWS = 500  # rows in the table of complexes: those with the largest errors, and all that are flagged
_LEAST_OF_A_TARGET = 3  # complexes, for a correlation
_NAMES = {"rmsd": "RMSE", "mae": "mean absolute error", "pearson": "Pearson", "spearman": "Spearman"}


def write_affinity_report(
    found: CrossFit,
    table: Path,
    sources: Sequence[ComplexSource],
    path: Path,
    *,
    skipped: Sequence[Skipped] = (),
) -> None:
    """Write the accuracy of a predictor as one HTML file that contains all pictures and fetches nothing.

    Parameters
    ----------
    found
        The predictor and its cross-validation.
    table
        CSV file of the complexes, whose column target, uniprot or protein_name gives the target of each.
    sources
        The files of the complexes, row by row.
    path
        The HTML file, which is replaced if it exists.
    skipped
        The rows that were left out.

    Raises
    ------
    HoloError
        If a file cannot be read or written.
    """
    sections = [
        _errors(found),
        _groups(found, read_csv(table)),
        _intervals(found),
        _atoms(found, sources),
        _complexes(found),
        _made(found, skipped),
    ]
    page.write_page(path, f"Affinities of {table.parent.name}", found.summary(), sections, _key(found))


def _key(found: CrossFit) -> str:
    flagged = sum(bool(flag) for flag in found.unseen.flags)
    widths = (found.unseen.upper - found.unseen.lower) / 2
    entries = [
        ("complexes", str(len(found.complexes))),
        ("RMSE in pK", f"{found.scores['rmsd'].estimate:.2f}"),
        ("Pearson", f"{found.scores['pearson'].estimate:.2f}"),
        ("median half width of intervals", f"{np.median(widths):.2f}"),
        ("labels inside their intervals", f"{found.held:.0%}"),
        ("flagged", str(flagged)),
    ]
    items = (f"<div><dt>{html.escape(name)}</dt><dd>{value}</dd></div>" for name, value in entries)
    return f'<dl class="key">{"".join(items)}</dl>'


def _errors(found: CrossFit) -> str:
    by = found.grouping.by
    unseen = "it" if by == "none" else f"its {by}"
    draws = "complexes" if by == "none" else f"whole {by}s"
    headings = ["", "all complexes [95 %]"]
    columns = [found.scores]
    if found.has_large_groups:
        headings.append(f"no {by} with a weight above {MOST_OF_A_GROUP} complexes [95 %]")
        columns.append(found.capped)
    rows = [(_NAMES[name], *(str(column[name]) for column in columns)) for name in found.scores]
    caveat = f" Caveat: {found.grouping.caveat}." if found.grouping.caveat else ""
    return page.section(
        "Predicted and measured",
        page.table(headings, rows),
        page.paragraph(f"Intervals are bootstrap intervals over {draws}.{caveat}", "note"),
        page.beside(
            page.figure(
                plots.measured_plot(found),
                "predicted against measured affinities",
                f"Each complex is predicted by a model that has not seen {unseen}. Lines are intervals meant to "
                f"contain {found.settings.coverage:.0%} of the labels, drawn for at most 300 complexes.",
            ),
            page.figure(
                plots.learning_curve(found),
                "learning curve",
                "RMSE after training on a random part of the complexes. If it still falls at the end, more complexes "
                "would help.",
            ),
        ),
    )


def _groups(found: CrossFit, table: Mapping[str, list[str]]) -> str:
    residuals = found.unseen.values - found.measured
    parts = []
    if found.grouping.by != "none":
        parts.append(
            page.figure(
                plots.residual_bars(residuals, found.grouping.groups.tolist()),
                "residuals by family",
                f"Residuals by {found.grouping.by}, the largest first, with the number of complexes: median, "
                "quartiles, 5 % and 95 %. A group that lies on one side of 0 is predicted too tight or too weak as a "
                "whole.",
            )
        )
    column = next((name for name in _TARGETS if name in table), None)
    if column is not None:
        target_of = dict(zip((name.strip() for name in table["id"]), table[column], strict=True))
        targets = [target_of.get(one.id, "").strip() or "unknown" for one in found.complexes]
        parts += [
            page.figure(
                plots.residual_bars(residuals, targets),
                "residuals by target",
                f"Residuals by target, taken from the column {column}.",
            ),
            _target_table(found, targets),
        ]
    return page.section("Residuals by family and by target", *parts) if parts else ""


def _target_table(found: CrossFit, targets: Sequence[str]) -> str:
    names, sizes = np.unique(np.array(targets), return_counts=True)
    rows = []
    for name in names[np.argsort(-sizes, kind="stable")][:15].tolist():
        here = np.array(targets) == name
        predicted, measured = found.unseen.values[here], found.measured[here]
        ranked = metric_of("spearman", predicted, measured) if here.sum() >= _LEAST_OF_A_TARGET else np.nan
        rows.append(
            (
                name,
                str(here.sum()),
                f"{metric_of('rmsd', predicted, measured):.2f}",
                f"{np.mean(predicted - measured):+.2f}",
                page.DASH if np.isnan(ranked) else f"{ranked:.2f}",
            )
        )
    headings = ("target", "complexes", "RMSE", "mean residual", "Spearman within the target")
    return page.table(headings, rows)


def _intervals(found: CrossFit) -> str:
    widths = found.predictor.widths
    text = (
        f"The half width of an interval is {widths.factor:.2f} · ({widths.base:.2f} + {widths.by_distance:.2f} · "
        f"distance to the nearest training complex + {widths.by_spread:.2f} · standard deviation of the members' "
        f"predictions), in pK. Beyond a distance of {widths.usual:.2f} it grows in proportion to the distance. The "
        "intervals are normalized split-conformal intervals from predictions of held-out complexes. The distance is "
        "the root mean square over standardized features. A complex is flagged if it is farther from all training "
        "complexes than 99 % of these are from those of other folds, if its ligand contains an element that no "
        f"training ligand contains, or if more than {found.predictor.domain.most_outside} of its features lie outside "
        "the range of the training complexes, as is the case for 5 % of these with respect to the other folds."
    )
    drawn = page.figure(
        plots.distance_plot(found),
        "errors by distance",
        "Absolute errors (gray) and half widths of intervals (blue) by distance to the nearest training complex.",
    )
    return page.section("Intervals and flags", page.beside(drawn, page.paragraph(text), "halves"))


def _atoms(found: CrossFit, sources: Sequence[ComplexSource]) -> str:
    drawn = []
    for title, row in _interesting(found):
        try:
            contributions = atom_contributions(read_bound(sources[row]), found.predictor)
        except HoloError:
            continue  # The file has changed in the meantime; the figures do not need it.
        drawn.append((title, row, contributions))
    if not drawn:
        return ""
    cards = [
        f"<div>{viewer(contributions, number)}{_atom_words(found, title, row, contributions)}</div>"
        for number, (title, row, contributions) in enumerate(drawn)
    ]
    text = (
        "An atom is blue if its contacts raise the predicted affinity, red if they lower it, and white if they do not "
        "matter. The color shows by how much the prediction changes if the atom is left out of the contacts in shells "
        "and of the burial, while the descriptors of the ligand stay the same. Contributions do not add up, since the "
        "predictor is not a sum over atoms. It is the predictor fitted to all complexes, including these. Rotate with "
        "the mouse, zoom with the wheel, and click an atom for its number."
    )
    return page.section(
        "Atoms that contribute most to the prediction",
        page.paragraph(text),
        library(),
        page.script("molecules.js"),
        f'<div class="molecules">{"".join(cards)}</div>',
    )


def _interesting(found: CrossFit) -> list[tuple[str, int]]:
    """Return the rows that a reader looks at first, each once."""
    residuals = found.unseen.values - found.measured
    widths = found.unseen.upper - found.unseen.lower
    wanted = (
        ("predicted tightest", found.unseen.values),
        ("predicted weakest", -found.unseen.values),
        ("predicted too tight", residuals),
        ("predicted too weak", -residuals),
        ("least certain", widths),
        ("predicted best", -np.abs(residuals)),
    )
    chosen: dict[int, str] = {}
    for title, order in wanted:
        row = next(row for row in np.argsort(-order, kind="stable").tolist() if row not in chosen)
        chosen[row] = title
    return [(title, row) for row, title in chosen.items()]


def _atom_words(found: CrossFit, title: str, row: int, drawn: AtomContributions) -> str:
    unseen = found.unseen
    strongest = np.argsort(-np.abs(drawn.contributions), kind="stable")[:3].tolist()
    elements = drawn.complex_.ligand.atoms.element.tolist()
    atoms = ", ".join(
        f"{elements[atom].title()}{atom + 1} {drawn.contributions[atom]:+.2f}" for atom in strongest
    )
    words = (
        f"{unseen.ids[row]}, {title}: measured {found.measured[row]:.2f}, predicted when held out "
        f"{unseen.values[row]:.2f} [{unseen.lower[row]:.2f}, {unseen.upper[row]:.2f}]. The atoms that matter most, "
        f"numbered as in the file, are {atoms}."
    )
    return page.paragraph(words, "note")


def _complexes(found: CrossFit) -> str:
    unseen = found.unseen
    residuals = np.abs(unseen.values - found.measured)
    flagged = np.array([bool(flag) for flag in unseen.flags])
    order = np.lexsort((-residuals, ~flagged))[:_MOST_ROWS]
    rows = [
        (
            str(unseen.ids[row]),
            f"{found.measured[row]:.2f}",
            f"{unseen.values[row]:.2f}",
            f"{unseen.lower[row]:.2f} to {unseen.upper[row]:.2f}",
            str(unseen.nearest[row]),
            f"{unseen.distances[row]:.2f}",
        )
        for row in order.tolist()
    ]
    notes = [unseen.flags[row] for row in order.tolist()]
    headings = ("complex", "measured", "predicted", "interval", "nearest training complex", "distance")
    shown = f" {len(rows)} of {len(residuals)} complexes are shown." if len(rows) < len(residuals) else ""
    return page.section(
        "Each complex and its nearest training complex",
        page.paragraph(
            "Flagged complexes come first, with the reason for the flag; the others are sorted by error. The nearest "
            f"training complex is one of the other folds.{shown} The file cross-validated.csv contains all complexes.",
            "note",
        ),
        f"<details><summary>{len(rows)} complexes</summary>{page.table(headings, rows, notes)}</details>",
    )


def _made(found: CrossFit, skipped: Sequence[Skipped]) -> str:
    predictor = found.predictor
    rows = [
        ("features", ", ".join(predictor.blocks)),
        ("features used", f"{len(predictor.kept)} of {len(predictor.names)}"),
        ("regressors", ", ".join(type(one).__name__ for one in _regressors(found.settings.regressor))),
        ("folds", f"{found.settings.folds}, by {found.grouping.by}"),
        ("complexes left out", str(len(skipped))),
    ]
    listed = page.table(("complex", "why"), [(line.file, line.reason) for line in skipped[:_MOST_ROWS]])
    left = (
        f"<details><summary>{len(skipped)} complexes left out</summary>{listed}</details>" if skipped else ""
    )
    return page.section("How it was made", page.table(("", ""), rows), left)


def _regressors(settings: Settings) -> Sequence[Settings]:
    return settings.members if isinstance(settings, Ensemble) else [settings]
