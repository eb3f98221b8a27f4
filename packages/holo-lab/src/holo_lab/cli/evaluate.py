"""``holo evaluate``."""

# ruff: noqa: PLC0415

from pathlib import Path
from typing import Annotated

from holo_types.options import IN_LINES, OptionalOutput, SummaryOptions, Together
from holo_vae.cli.evaluation import EvaluationOptions, evaluate_files, show_figures, write_figures

__all__ = ["evaluate_command"]

_NO_EVALUATION = EvaluationOptions()


def evaluate_command(
    model: str,
    data: Path,
    /,
    *,
    options: Annotated[EvaluationOptions, Together] = _NO_EVALUATION,
    out: OptionalOutput = None,
    report: OptionalOutput = None,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Measure a model: reconstruction, equivariance, how well z predicts labels, and the quality of samples.

    Parameters
    ----------
    model
        Name of a model that comes with holo-vae, folder of a model, or models:/NAME@ALIAS.
    data
        HDF5 file of holograms.
    out
        JSON file for the figures.
    report
        HTML file for the report, with pictures.
    """
    from holo_lab.report.report import write_report

    evaluated = evaluate_files(model, data, options)
    if out is not None:
        write_figures(evaluated.figures, out)
    if report is not None:
        files = {"test": data, "training": options.training, "validation": options.validation}
        write_report(
            evaluated.figures,
            evaluated.model,
            evaluated.test,
            report,
            training=evaluated.training,
            label_column=options.label,
            judge=evaluated.judge,
            sources={name: path.name for name, path in files.items() if path is not None},
            seed=options.seed,
        )
    show_figures(evaluated.figures)
    return 0
