"""``holo mutations``."""

# ruff: noqa: PLC0415

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import cyclopts

from holo_types import HoloError
from holo_types.console import OK, SOME_FILES_FAILED, examples_shown, progress, say
from holo_types.files.locks import PathLock
from holo_types.options import IN_LINES, Count, Flag, Output, SummaryOptions

if TYPE_CHECKING:
    from holo_lab.mutations.learning import Study

__all__ = ["mutations"]

_FILLING, _NONE = "microenvironment-fill-z128", "none"

mutations = cyclopts.App(
    name="mutations", help="Predict how mutations change the stability of proteins.", help_epilogue=""
)


@mutations.command(
    name="fit",
    help_epilogue=examples_shown("holo mutations fit structures/ mutations.csv --out predictor"),
)
def fit_command(
    structures: Path,
    table: Path,
    /,
    *,
    out: Output,
    filling_model: str = _FILLING,
    folds: Count = 10,
    coverage: float = 0.9,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Fit a predictor of stability changes to measured mutations.

    Exit status: 0, every row was used; 3, some were left out or look wrong, and are reported; 1, nothing useful came
    out; 2, wrong usage.

    Parameters
    ----------
    structures
        Folder of the structures that the table names.
    table
        CSV file with the columns file (relative to the folder), chain, residue, wild_type, mutant and ddg in kcal/mol,
        where negative values destabilize, and family, a name that related proteins share.
    out
        Folder for the predictor, cross-validated.csv (each row predicted from other families) and skipped.csv. It must
        not contain a predictor yet.
    filling_model
        Name or folder of a model whose prediction of the residue type from the surroundings is a further feature, or
        none to fit without it.
    folds
        Number of folds, which consist of whole families.
    coverage
        Share of measured values that the intervals are meant to contain.
    """
    from holo_lab.mutations.learning import PREDICTOR_FILE, describe_table, learn, write_study
    from holo_lab.mutations.tables import read_mutations
    from holo_vae import Model, load

    loaded = None if filling_model == _NONE else load(filling_model, Model)
    measured = read_mutations(table, measured=True)
    with PathLock(out, folder=True) as lock:
        if (out / PREDICTOR_FILE).exists():
            raise HoloError(f"{out} contains a predictor; name another folder, so that it is not overwritten")
        with progress(len({row.file for row in measured.rows}), "structures") as advance:
            described = describe_table(structures, measured, loaded, advance)
        named = None if loaded is None else (_lasting(filling_model), loaded.digest)
        study = learn(described, measured, named, folds=folds, coverage=coverage)
        lock.check()
        write_study(study, out)
    say(*_named(described.skipped, described.remarks, study.remarks), *_figures(study, folds))
    return SOME_FILES_FAILED if described.skipped or study.remarks else OK


@mutations.command(
    name="predict",
    help_epilogue=examples_shown("holo mutations predict predictor/ my-protein.pdb --scan --out scan.csv"),
)
def predict_command(
    predictor: Path,
    structure: Path,
    /,
    *wanted: str,
    out: Output,
    scan: Flag = False,
    table: Path | None = None,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Predict the change of stability by mutations, in kcal/mol; negative values destabilize.

    For a single structure, a heat map (.png) is written besides the table, and the structure with the mean prediction
    of each residue as its B-factors (.cif), with scripts that show it in PyMOL (.pml) and ChimeraX (.cxc). The column
    antisymmetric is the prediction without the term for natural residues, which changes sign for the reverse mutation
    in the same structure.

    Exit status: 0, all mutations were predicted; 3, some were left out and are named; 1, nothing useful came out; 2,
    wrong usage.

    Parameters
    ----------
    predictor
        Folder that fit wrote.
    structure
        PDB, mmCIF or BinaryCIF file, or with --table the folder of the structures that the table names.
    wanted
        Mutations such as A:57:L, which is the chain, the number and the one-letter code of the new residue.
    out
        CSV file for file, chain, residue, wild_type, mutant, prediction, lower, upper and antisymmetric.
    scan
        Predict all nineteen mutations of every residue.
    table
        CSV file with the columns file, chain, residue, wild_type and mutant; its other columns are kept.
    """
    if (bool(wanted) + scan + (table is not None)) != 1:
        raise HoloError(
            "say which mutations: some such as A:57:L, or --scan, or --table FILE; one of the three"
        )
    if table is not None:
        return _predict_table(predictor, structure, table, out)
    return _predict_one(predictor, structure, wanted, out)


def _predict_table(predictor: Path, folder: Path, table: Path, out: Path) -> int:
    from holo_lab.mutations.learning import describe_table
    from holo_lab.mutations.predicting import predict_both, read_predictor_and_model, write_table_predictions
    from holo_lab.mutations.tables import read_mutations

    fitted, model = read_predictor_and_model(predictor)
    wanted = read_mutations(table)
    with PathLock(out):
        with progress(len({row.file for row in wanted.rows}), "structures") as advance:
            described = describe_table(folder, wanted, model, advance)
        write_table_predictions(out, described, predict_both(fitted, described.exchanges))
    say(
        *_named(described.skipped, described.remarks),
        f"{len(described.rows)} mutations predicted: {out}",
        predicted=len(described.rows),
        out=out,
    )
    return SOME_FILES_FAILED if described.skipped else OK


def _predict_one(predictor: Path, path: Path, wanted: tuple[str, ...], out: Path) -> int:
    from holo_features import Mutation, all_mutations, read_structure
    from holo_lab.mutations.description import describe_mutations
    from holo_lab.mutations.predicting import (
        predict_both,
        read_predictor_and_model,
        view_paths,
        write_predictions,
        write_views,
    )
    from holo_lab.painting.scripts import script_paths

    picture, colored = view_paths(out)
    asked = [Mutation.parse(text) for text in wanted]
    fitted, model = read_predictor_and_model(predictor)
    structure = read_structure(path)
    if not wanted:
        asked = list(all_mutations(structure))
    with ExitStack() as locks:
        for written in (out, picture, colored, *script_paths(colored)):
            locks.enter_context(PathLock(written))
        described = describe_mutations(structure, asked, model)
        found = described.found
        problems = [f"{asked[place]}: {problem}" for place, problem in found.problems.items()]
        remarks = dict.fromkeys(found.remarks.values())
        if described.exchanges is None:
            raise HoloError(
                f"{path}: none of {len(asked)} mutations can be made; {problems[0] if problems else 'none'}"
            )
        rows = predict_both(fitted, described.exchanges)
        write_views(out, structure, found.mutations, rows)
        write_predictions(out, path.name, found.mutations, rows)  # last, so that its views exist if it does
    say(
        *_named(tuple(problems), tuple(remarks)),
        f"{len(rows)} mutations predicted: {out}, {picture.name}, {colored.name}",
        predicted=len(rows),
        out=out,
    )
    return SOME_FILES_FAILED if problems else OK


def _lasting(model: str) -> str:
    """Return a name by which the model can be found from any working directory."""
    from holo_vae import shipped_models

    return model if model in shipped_models() or not Path(model).is_dir() else str(Path(model).absolute())


def _named(skipped: tuple[str, ...], *remarks: tuple[str, ...]) -> list[str]:
    return [f"left out: {line}" for line in skipped] + [line for lines in remarks for line in lines]


def _figures(study: "Study", folds: int) -> list[str]:
    """Describe the accuracy of the predictor, with intervals over families."""
    from holo_downstream import score_by_group

    fit, count = study.fit, len(study.ddg)
    lines = [f"{count} mutations of {len(set(study.families.tolist()))} families, {folds} folds by family:"]
    for name, values in (("prediction", fit.predicted), ("antisymmetric", fit.odd)):
        pearson, rmse = (
            score_by_group(metric, values, study.ddg, study.families) for metric in ("pearson", "rmsd")
        )
        lines.append(f"{name}: Pearson {pearson}, RMSE {rmse} kcal/mol")
    predictor = fit.predictor
    lines.append(
        f"intervals of ± {predictor.half_width:.2f} kcal/mol are meant to contain {predictor.coverage:.0%} of the "
        "values"
    )
    return lines
