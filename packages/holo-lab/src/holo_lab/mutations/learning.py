"""From measured mutations to a predictor in a folder."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
from jaxtyping import Float, Shaped

from holo_downstream import StabilityFit, Substitutions, fit_stability, write_stability_predictor
from holo_features import Mutation, read_structure
from holo_types import HoloError
from holo_types.files.atomic import write_errors
from holo_types.files.csv_files import write_csv
from holo_vae import Model

from .description import describe_mutations, joined
from .tables import MutationRow, MutationTable

__all__ = ["PREDICTOR_FILE", "DescribedTable", "Study", "describe_table", "learn", "write_study"]

PREDICTOR_FILE = "predictor.h5"
_FAMILY = "family"


@attrs.frozen(eq=False)
class DescribedTable:
    """The mutations of a table that can be made, with their features and with remarks.

    Parameters
    ----------
    rows
        The usable rows of the table, in its order.
    mutations
        The mutation of each row in its structure, with its wild type.
    exchanges
        The features of each row.
    skipped
        The rows that cannot be used, with the reasons.
    remarks
        Remarks on rows that are used.
    """

    rows: tuple[MutationRow, ...]
    mutations: tuple[Mutation, ...]
    exchanges: Substitutions
    skipped: tuple[str, ...]
    remarks: tuple[str, ...]


def describe_table(
    folder: Path, table: MutationTable, model: Model | None, advance: Callable[[], None] = lambda: None
) -> DescribedTable:
    """Compute the features of the mutations of a table, structure by structure, and list the unusable rows.

    Parameters
    ----------
    folder
        The folder of the files that the table names.
    table
        The table, as returned by `read_mutations`.
    model
        The model, as for `describe_mutations`.
    advance
        A function that is called after each structure.

    Raises
    ------
    HoloError
        If no row can be used, or the model is not of the required kind.
    """
    by_file: dict[str, list[MutationRow]] = defaultdict(list)
    for row in table.rows:
        by_file[row.file].append(row)
    kept: list[tuple[MutationRow, Mutation]] = []
    parts, skipped, remarks = [], list(table.skipped), []
    for name, rows in by_file.items():
        try:
            structure = read_structure(folder / name)
        except HoloError as error:
            skipped += [f"{row}: {error}" for row in rows]
            advance()
            continue
        described = describe_mutations(structure, [row.mutation for row in rows], model)
        skipped += [f"{rows[place]}: {problem}" for place, problem in described.found.problems.items()]
        remarks += [f"{rows[place]}: {remark}" for place, remark in described.found.remarks.items()]
        if described.exchanges is not None:
            chosen = [rows[place] for place in described.found.places.tolist()]
            kept += zip(chosen, described.found.mutations, strict=True)
            parts.append(described.exchanges)
        advance()
    if not parts:
        raise HoloError(
            f"none of {len(table.rows) + len(table.skipped)} mutations can be used; {_first(skipped)}"
        )
    order = np.argsort([row.line for row, _ in kept], kind="stable")
    return DescribedTable(
        tuple(kept[place][0] for place in order.tolist()),
        tuple(kept[place][1] for place in order.tolist()),
        joined(parts).take(order),
        tuple(skipped),
        tuple(remarks),
    )


def _first(lines: list[str]) -> str:
    return f"the first: {lines[0]}" if lines else "the table is empty"


@attrs.frozen(eq=False)
class Study:
    """A fit, with the rows to which the predictor was fitted.

    Parameters
    ----------
    described
        The rows, whose cross-validated predictions are in ``fit``.
    ddg : Float[ndarray, "n"]
        The measured changes of stability, in kcal/mol.
    families : Shaped[ndarray, "n"]
        The family of the protein of each row.
    fit
        The predictor, and its cross-validation.
    model
        The name and digest of the model that computes features for it, or None if there is none.
    remarks
        Remarks on the table.
    """

    described: DescribedTable
    ddg: Float[np.ndarray, "n"]
    families: Shaped[np.ndarray, "n"]
    fit: StabilityFit
    model: tuple[str, str] | None
    remarks: tuple[str, ...]


def learn(
    described: DescribedTable,
    table: MutationTable,
    model: tuple[str, str] | None,
    *,
    folds: int = 10,
    coverage: float = 0.9,
) -> Study:
    """Fit a predictor to a table whose features were computed.

    The families are those of the column ``family``, or, without it, the files.

    Raises
    ------
    HoloError
        As `holo_downstream.fit_stability`.
    """
    remarks = [] if (sign := table.other_sign()) is None else [sign]
    if _FAMILY in table.columns:
        families = np.array([row.cells[_FAMILY] for row in described.rows])
    else:
        families = np.array([row.file for row in described.rows])
        remarks.append(
            "the table has no column family: each file is one of its own, and figures are too good where files are of "
            "related proteins"
        )
    ddg = np.array([np.nan if row.ddg is None else row.ddg for row in described.rows])
    fit = fit_stability(described.exchanges, ddg, families, folds=folds, coverage=coverage)
    return Study(described, ddg, families, fit, model, tuple(remarks))


def write_study(study: Study, folder: Path) -> None:
    """Write a study: the predictor, the prediction of each row from other families, and the skipped rows.

    Raises
    ------
    HoloError
        If the folder cannot be written.
    """
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    rows = zip(
        (row.line for row in study.described.rows),
        (row.file for row in study.described.rows),
        map(str, study.described.mutations),
        study.families.tolist(),
        study.ddg.tolist(),
        study.fit.predicted.tolist(),
        study.fit.odd.tolist(),
        strict=True,
    )
    header = ("row", "file", "mutation", "family", "ddg", "prediction", "antisymmetric")
    write_csv(folder / "cross-validated.csv", header, rows)
    write_csv(folder / "skipped.csv", ("what",), [(line,) for line in study.described.skipped])
    about = {} if study.model is None else {"model": study.model[0], "model_digest": study.model[1]}
    write_stability_predictor(study.fit.predictor, folder / PREDICTOR_FILE, about)
