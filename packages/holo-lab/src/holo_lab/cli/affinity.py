"""``holo affinity``: fit and predict for folders of complexes, and the commands of holo-downstream."""

# ruff: noqa: PLC0415

from copy import copy
from pathlib import Path
from typing import Annotated, Literal

import cyclopts
from cyclopts import Parameter
from cyclopts.validators import Number

from holo_downstream.affinity.labels import Unit
from holo_downstream.cli.affinity import affinity as of_vectors
from holo_types.console import examples_shown
from holo_types.options import IN_LINES, Output, SummaryOptions, Workers

__all__ = ["affinity"]

Coverage = Annotated[float, Parameter(validator=Number(gt=0, lt=1))]
Seed = Annotated[int, Parameter(validator=Number(gte=0))]

affinity = cyclopts.App(
    name="affinity", help="Binding affinities of protein-ligand complexes.", help_epilogue=""
)


@affinity.command(
    name="fit",
    help_epilogue=examples_shown("holo affinity fit complexes/ --out predictor --workers 2"),
)
def fit_command(
    folder: Path,
    /,
    *,
    out: Path,
    table: str | None = None,
    unit: Unit | Literal["column"] = "pK",
    temperature: float = 298.15,
    label_column: str | None = None,
    cluster_column: str | None = None,
    coverage: Coverage = 0.9,
    seed: Seed = 0,
    workers: Workers = 1,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Fit a predictor to a folder of complexes with measured affinities, and report its accuracy.

    Every complex is predicted once by a model that saw nothing of its cluster, and the report and the intervals rest
    on these predictions. Exit status: 0, every complex was used; 3, some were left out (skipped.csv says why); 1,
    nothing useful came out; 2, wrong usage.

    Parameters
    ----------
    folder
        Folder with structure files and labels.csv, or one other CSV file, with the columns id, protein, ligand, label
        (or pK), and cluster if it is known.
    out
        Folder for the predictor, report.html, figures.json, cross-validated.csv and skipped.csv.
    table
        Name of the CSV file, if there are several and it is not labels.csv.
    unit
        Unit of the labels: pK; M, mM, uM, nM, pM or fM for Ki, Kd or IC50; kcal/mol or kJ/mol for a free energy; or
        column, to take the unit of each row from the column unit.
    temperature
        Temperature at which free energies were measured, in K.
    label_column
        Name of the column of labels; by default label or, without it, pK.
    cluster_column
        Name of the column of sequence clusters; by default cluster or, without it, one such as cluster30.
    coverage
        Share of labels that the intervals are meant to contain.
    seed
        Seed of estimators, folds and intervals.
    """
    from .affinity_fit import fit_folder

    return fit_folder(
        folder,
        out,
        table=table,
        unit=unit,
        temperature=temperature,
        label_column=label_column,
        cluster_column=cluster_column,
        coverage=coverage,
        seed=seed,
        workers=workers,
    )


@affinity.command(
    name="predict",
    help_epilogue=examples_shown("holo affinity predict predictor/ new-complexes/ --out predictions.csv"),
)
def predict_command(
    predictor: Path,
    folder: Path,
    /,
    *,
    out: Output,
    table: str | None = None,
    workers: Workers = 1,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Predict the pK of complexes in a folder, with intervals, and flag those unlike the training complexes.

    Exit status: 0, every complex was predicted; 3, some were left out (a CSV file beside the output says why); 1,
    nothing useful came out; 2, wrong usage.

    Parameters
    ----------
    predictor
        Folder that fit wrote.
    folder
        Folder with structure files and labels.csv, or one other CSV file, with the columns id, protein and ligand;
        labels are ignored.
    out
        CSV file for id, prediction, lower, upper, flags, and nearest, the most similar training complex.
    table
        Name of the CSV file, if there are several and it is not labels.csv.
    """
    from .affinity_fit import predict_folder

    return predict_folder(predictor, folder, out, table=table, workers=workers)


for _name in of_vectors:
    if not _name.startswith("-"):
        _command = copy(of_vectors[_name])
        _command.help_epilogue = (_command.help_epilogue or "").replace("holo-downstream ", "holo ")
        affinity.command(_command, name=_name)
