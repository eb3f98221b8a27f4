"""``holo-downstream affinity``: study, apply, compare, leaks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import cyclopts
from cyclopts import Parameter

from holo_downstream.affinity.comparison import compare_studies, write_comparison
from holo_downstream.affinity.labels import LabelColumns, Labeled, Unit, read_labels, with_ligand_keys
from holo_downstream.affinity.predictor import Predictor, read_predictor, write_predictions
from holo_downstream.affinity.regressors import Regressor
from holo_downstream.affinity.study import Study, StudySettings, run_study
from holo_downstream.affinity.study_files import new_study_folder, write_study
from holo_downstream.validation.splits import leak_check
from holo_downstream.vectors.pooling import Pooling
from holo_downstream.vectors.tables import Invariants, VectorTable, read_vectors, set_beside
from holo_types import HoloError
from holo_types.console import OK, SOME_FILES_FAILED, examples_shown, progress, say
from holo_types.extras import extra
from holo_types.files.csv_files import write_csv
from holo_types.options import IN_LINES, Flag, OptionalOutput, Output, SummaryOptions

__all__ = ["affinity"]

Beside = Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative="")]

affinity = cyclopts.App(
    name="affinity", help="Binding affinities of complexes, from vectors of their pockets.", help_epilogue=""
)


@affinity.command(
    name="study",
    help_epilogue=examples_shown(
        "holo-downstream affinity study embeddings.h5 labels.csv --ligands ligands.csv --out study"
    ),
)
def study_command(
    embeddings: Path,
    labels: Path,
    /,
    *,
    out: Path,
    regressor: Regressor = "forest",
    pooling: Pooling = "sum",
    by: str = "structure",
    invariants: Invariants = "scalars",
    beside: Beside = (),
    unit: Unit | Literal["column"] = "pK",
    temperature: float = 298.15,
    label_column: str | None = None,
    cluster_column: str | None = None,
    ligands: Path | None = None,
    seeds: int = 5,
    seed: int = 0,
    resample: Flag = False,
    coverage: float = 0.9,
    validation_only: Flag = False,
    mlflow_experiment: str | None = None,
    register: str | None = None,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Fit a predictor of affinities to vectors of complexes, choose its settings on validation complexes, and test it.

    Exit status: 0, every label was used; 3, some complexes were left out (skipped.csv says why); 1, nothing useful came
    out; 2, wrong usage.

    Parameters
    ----------
    embeddings
        HDF5 file of embeddings of pocket residues, or of their holograms; or a table with one vector per complex
        (.csv, .parquet: the column id and numbers; .npz: id, vectors).
    labels
        CSV file with the columns id and label (or pK) and, if known, cluster, split (train, val, test; or series for
        complexes that are only ranked within their cluster), unit, measurement and ligand_key; other columns are
        ignored. Without splits, the complexes are split by cluster.
    out
        Folder for report.json, predictions.csv, skipped.csv and the predictor, model/.
    regressor
        Kind of regressor: mean (of the training labels), linear, ridge, kernel-ridge, forest, boosting, or ensemble,
        which is the mean of histogram boosting, extra trees and support vector regression.
    pooling
        How the vectors of residues are pooled to one vector per complex: sum, mean, max, or sum_count.
    by
        Index column that names the complex of each residue.
    invariants
        Invariants of holograms that are pooled: scalars, the l = 0 coefficients; or power, the norms of all degrees.
    beside
        Further files of the same kinds, whose vectors are appended to those of the first file.
    unit
        Unit of the labels: pK; M, mM, uM, nM, pM or fM for Ki, Kd or IC50; kcal/mol or kJ/mol for a free energy; or
        column, to take the unit of each row from the column unit.
    temperature
        Temperature at which free energies were measured, in K.
    label_column
        Name of the column of labels; by default label or, without it, pK.
    cluster_column
        Name of the column of sequence clusters; by default cluster or, without it, one such as cluster30.
    ligands
        CSV file with the columns id and ligand_key, such as holo-features ligands writes, by which complexes with the
        same ligand are found.
    seeds
        Number of members, each with its own seed.
    seed
        Seed of the first member, of splits and of intervals.
    resample
        Fit each member to its own bootstrap sample of the training complexes.
    coverage
        Share of labels that the intervals are meant to contain.
    validation_only
        Leave the test complexes and the series unused while anything is still to be chosen.
    mlflow_experiment
        Log the study to this MLflow experiment (needs the extra mlflow).
    register
        Name under which MLflow registers the predictor.
    """
    if register is not None and mlflow_experiment is None:
        raise HoloError("--register needs --mlflow-experiment, whose run it registers")
    if mlflow_experiment is not None:
        with extra("holo-downstream[mlflow]"):  # before minutes of fitting, not after
            import mlflow  # noqa: F401, PLC0415
    with new_study_folder(out) as lock:
        settings = StudySettings(
            regressor, seeds, seed, resample, coverage, test=not validation_only, by=by, pooling=pooling
        )
        table = _read_all(embeddings, beside, by, pooling, invariants)
        columns = LabelColumns(label=label_column, cluster=cluster_column)
        known = read_labels(labels, unit=unit, temperature=temperature, columns=columns)
        if ligands is not None:
            known = with_ligand_keys(known, ligands)
        with progress(seeds, "fitting") as advance:
            study = run_study(table, known, settings, advance=advance)
        lock.check()
        write_study(study, out)
        lines = [study.summary(), *_remarks(study)]
        if mlflow_experiment is not None:
            lines.append(f"logged as {_log(study, out, mlflow_experiment, register)}")
    say(*lines)
    return SOME_FILES_FAILED if study.skipped else OK


@affinity.command(
    name="apply",
    help_epilogue=examples_shown(
        "holo-downstream affinity apply study/ new-embeddings.h5 --out predictions.csv"
    ),
)
def apply_command(
    study: Path,
    embeddings: Path,
    /,
    *,
    out: Output,
    invariants: Invariants = "scalars",
    beside: Beside = (),
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Predict the pK of complexes with the predictor of a study.

    Exit status: 0, all complexes were predicted; 3, some were left out; 1, nothing useful came out; 2, wrong
    usage.

    Parameters
    ----------
    study
        Folder of a study, or its folder model/.
    embeddings
        Vectors of the complexes, in a file as for study. Embeddings of another model or basis are refused.
    out
        CSV file for id, prediction, lower and upper.
    invariants
        Invariants of holograms that were pooled when the predictor was fitted: scalars or power.
    beside
        Further files, as when the predictor was fitted.
    """
    predictor = read_predictor(study)
    table = _read_all(embeddings, beside, predictor.by, predictor.pooling, invariants)
    predictions = predictor.predict(table)
    if not len(table):
        raise HoloError(f"{embeddings} holds no complex that could be predicted")
    write_predictions(predictions, out)
    lines = [f"{len(table)} complexes predicted; {_interval(predictor)}"]
    if table.repeated:
        lines.append(f"left out, because the table has several rows for each: {', '.join(table.repeated)}")
    say(*lines)
    return SOME_FILES_FAILED if table.repeated else OK


@affinity.command(
    name="compare",
    help_epilogue=examples_shown("holo-downstream affinity compare study/ contacts/ --out comparison.md"),
)
def compare_command(
    studies: list[Path],
    /,
    *,
    out: OptionalOutput = None,
    part: Literal["test", "val"] = "test",
    against: str | None = None,
    by_cluster: Flag = False,
    seed: int = 0,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Compare studies on the complexes that all of them predicted, with intervals and paired tests.

    Parameters
    ----------
    studies
        Folders that study wrote; their names become the names of the rows.
    out
        File for the tables, .md or .csv.
    part
        Complexes to compare on: test, or val while anything is still to be chosen.
    against
        Name of a study to compare all others with; by default all pairs are compared.
    by_cluster
        Resample and swap whole sequence clusters instead of complexes.
    seed
        Seed of the resampling.
    """
    comparison = compare_studies(studies, part, against=against, by_cluster=by_cluster, seed=seed)
    if out is not None:
        write_comparison(comparison, out)
    lines = [comparison.markdown().rstrip()]
    if comparison.left_out:
        lines.append(f"{comparison.left_out} complexes that only some studies predicted were left out")
    say(*lines)
    return OK


@affinity.command(
    name="leaks",
    help_epilogue=examples_shown("holo-downstream affinity leaks labels.csv --ligands ligands.csv"),
)
def leaks_command(
    labels: Path,
    /,
    *,
    label_column: str | None = None,
    cluster_column: str | None = None,
    ligands: Path | None = None,
    out: OptionalOutput = None,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """List the validation and test complexes that share a cluster or a ligand with training complexes.

    Exit status: 0, none; 3, some.

    Parameters
    ----------
    labels
        CSV file as for study, with splits; ligands are the same if their ligand_key is.
    label_column
        Name of the column of labels; by default label or, without it, pK.
    cluster_column
        Name of the column of sequence clusters; by default cluster or, without it, one such as cluster30.
    ligands
        CSV file with the columns id and ligand_key, such as holo-features ligands writes.
    out
        CSV file for id, split, by, value and the training complexes.
    """
    known = read_labels(labels, columns=LabelColumns(label=label_column, cluster=cluster_column), ask=False)
    parts = (known if ligands is None else with_ligand_keys(known, ligands)).complexes
    split_of = {one.id: one.split for one in parts}
    clusters = {one.id: one.cluster for one in parts}
    keys = {one.id: one.ligand_key for one in parts}
    train = [name for name, split in split_of.items() if split == "train"]
    held_out = [name for name, split in split_of.items() if split in ("val", "test")]
    leaks = leak_check(train, held_out, clusters, keys)
    if out is not None:
        rows = [(leak.id, split_of[leak.id], leak.by, leak.value, " ".join(leak.learned)) for leak in leaks]
        write_csv(out, ("id", "split", "by", "value", "training"), rows)
    by = {kind: len({leak.id for leak in leaks if leak.by == kind}) for kind in ("cluster", "ligand")}
    say(
        *_unknown(parts),
        f"{len(train)} training and {len(held_out)} held-out complexes: {by['cluster']} held-out ones share a cluster "
        f"with training, {by['ligand']} a ligand",
        *(f"{leak.id}: {leak}" for leak in leaks),
    )
    return SOME_FILES_FAILED if leaks else OK


def _read_all(
    path: Path, beside: Sequence[Path], by: str, pooling: Pooling, invariants: Invariants
) -> VectorTable:
    first, *others = (read_vectors(each, by, pooling, invariants=invariants) for each in (path, *beside))
    return set_beside(first, others) if others else first


def _remarks(study: Study) -> list[str]:
    lines = []
    if len(study.measurements) > 1:
        kinds = ", ".join(f"{count} {kind}" for kind, count in study.measurements.items())
        lines.append(f"the labels are of several kinds, which pK treats alike: {kinds}")
    lines += _unknown(study.complexes)
    if study.skipped:
        lines.append(f"{len(study.skipped)} complexes were left out; skipped.csv says why")
    return lines


def _unknown(complexes: Sequence[Labeled]) -> list[str]:
    """Return lines that say what the leak check could not compare."""
    lines = []
    for name, known in (
        ("cluster", sum(bool(complex_.cluster) for complex_ in complexes)),
        ("ligand_key", sum(bool(complex_.ligand_key) for complex_ in complexes)),
    ):
        if known < len(complexes):
            lines.append(
                f"{len(complexes) - known} complexes have no {name}: whether they leak by it is unknown"
            )
    return lines


def _interval(predictor: Predictor) -> str:
    return (
        f"intervals of ± {predictor.half_width:.2f} are meant to hold {predictor.coverage:.0%} of the labels"
    )


def _log(study: Study, folder: Path, experiment: str, name: str | None) -> str:
    from holo_downstream.registry import log_study  # noqa: PLC0415 - an extra, which takes seconds to import

    return log_study(study, folder, experiment=experiment, name=name)
