"""Predictions for structures as tables, a heat map and a colored structure."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from holo_downstream import StabilityChanges, StabilityPredictor, Substitutions, read_stability_predictor
from holo_features import Mutation, ResidueId, Structure
from holo_lab.painting.scales import OPPOSED, ColorScale
from holo_lab.painting.scripts import script_paths
from holo_lab.painting.writing import write_painted
from holo_types import HoloError
from holo_types.files.csv_files import write_csv
from holo_types.folders import no_link
from holo_vae import Model, load

from .heat_map import write_heat_map
from .learning import PREDICTOR_FILE, DescribedTable

__all__ = [
    "predict_both",
    "read_predictor_and_model",
    "view_paths",
    "write_predictions",
    "write_table_predictions",
    "write_views",
]

_PREDICTED = ("prediction", "lower", "upper", "antisymmetric")
Rows = Sequence[tuple[float, float, float, float]]


def read_predictor_and_model(path: Path) -> tuple[StabilityPredictor, Model | None]:
    """Read a predictor from its folder or file, and load the model that computes features for it.

    Raises
    ------
    HoloError
        If it is not a predictor, or the model is not the one with which it was fitted.
    """
    file = path / PREDICTOR_FILE if path.is_dir() else path
    predictor, about = read_stability_predictor(file)
    name, digest = about.get("model"), about.get("model_digest")
    if name is None:
        return predictor, None
    model = load(str(name), Model)
    if model.digest != digest:
        raise HoloError(
            f"{file}: was fitted with the model {name} of digest {str(digest)[:12]}; the one of that name here has "
            f"{model.digest[:12]}"
        )
    return predictor, model


def predict_both(predictor: StabilityPredictor, exchanges: Substitutions) -> Rows:
    """Predict substitutions with the term for natural residues, including intervals, and without it."""
    costs: StabilityChanges = predictor.predict(exchanges)
    odd = predictor.predict(exchanges, natural=False)
    columns = (costs.values, costs.lower, costs.upper, odd.values)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def write_table_predictions(path: Path, described: DescribedTable, rows: Rows) -> None:
    """Write the cells of a table with the predictions for each row.

    Raises
    ------
    HoloError
        If the file cannot be written.
    """
    names = [name for name in described.rows[0].cells if name not in _PREDICTED]
    lines = (
        [*(row.cells[name] for name in names), *map(_rounded, predicted)]
        for row, predicted in zip(described.rows, rows, strict=True)
    )
    write_csv(path, (*names, *_PREDICTED), lines)


def write_predictions(path: Path, file: str, mutations: Sequence[Mutation], rows: Rows) -> None:
    """Write the predictions for mutations of one structure.

    Raises
    ------
    HoloError
        If the file cannot be written.
    """
    lines = (
        (
            file,
            mutation.residue.chain,
            f"{mutation.residue.residue_number}{mutation.residue.insertion_code}",
            mutation.wild_type,
            mutation.mutant,
            *map(_rounded, predicted),
        )
        for mutation, predicted in zip(mutations, rows, strict=True)
    )
    write_csv(path, ("file", "chain", "residue", "wild_type", "mutant", *_PREDICTED), lines)


def view_paths(path: Path) -> tuple[Path, Path]:
    """Return the paths of the heat map and the structure that are written beside a table, with its name.

    Raises
    ------
    HoloError
        If the table has the name of one of them, has no name, or its name contains characters that a script must not
        contain.

    Examples
    --------
    >>> [view.name for view in view_paths(Path("scan.csv"))]
    ['scan.png', 'scan.cif']
    """
    if not path.name:
        raise HoloError(f"--out is {str(path)!r}; it must name a CSV file")
    views = no_link(path.with_suffix(".png")), no_link(path.with_suffix(".cif"))
    if path in (*views, *script_paths(path)):
        raise HoloError(
            f"{path}: is to be a table, and a file of this name comes beside it; it must end in .csv"
        )
    return views


def write_views(path: Path, structure: Structure, mutations: Sequence[Mutation], rows: Rows) -> None:
    """Write a heat map of mutations, and their structure colored by the mean of each residue, with its scripts.

    Parameters
    ----------
    path
        The path of the table; `view_paths` returns those of the two other files.
    structure
        The structure of the mutations.
    mutations, rows
        The mutations and their predictions.

    Raises
    ------
    HoloError
        If a file cannot be written.
    """
    picture, colored = view_paths(path)
    values = np.array([row[0] for row in rows])
    write_heat_map(picture, mutations, values, structure.name)
    means = _means(mutations, values)
    most = max(map(abs, means.values()))
    write_painted(structure, means, colored, ColorScale(OPPOSED, -most, most))


def _means(mutations: Sequence[Mutation], values: Float[np.ndarray, "n"]) -> dict[ResidueId, float]:
    """Return the mean of each residue's values."""
    of_residue: dict[ResidueId, list[float]] = {}
    for mutation, value in zip(mutations, values.tolist(), strict=True):
        of_residue.setdefault(mutation.residue, []).append(value)
    return {residue: float(np.mean(some)) for residue, some in of_residue.items()}


def _rounded(value: float) -> float:
    return round(value, 3)
