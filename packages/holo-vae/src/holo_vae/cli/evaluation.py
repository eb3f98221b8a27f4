"""``holo-vae evaluate`` and ``worth``."""

# torch takes seconds to import: it is imported by the commands, so that --help is quick.
# ruff: noqa: PLC0415

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import attrs
from cyclopts import Parameter
from cyclopts.validators import Number

from holo_types import Holograms
from holo_types.console import progress, say
from holo_types.extras import extra
from holo_types.files.atomic import replacing
from holo_types.options import IN_LINES, OptionalOutput, SummaryOptions, Together

if TYPE_CHECKING:
    from holo_vae.evaluation.evaluate import Evaluation
    from holo_vae.networks.model import Model

__all__ = [
    "Evaluated",
    "EvaluationOptions",
    "evaluate_command",
    "evaluate_files",
    "show_figures",
    "worth_command",
    "write_figures",
]


@attrs.frozen
class EvaluationOptions:
    """The data and labels with which a model is measured.

    Parameters
    ----------
    training
        HDF5 file of holograms to which the classifiers of z are fitted, with --label.
    validation
        HDF5 file of further holograms for the classifiers, on which the number of nearest neighbors is chosen.
    label
        Index column with the labels that clusters and classifications of z are compared with (needs the extra
        evaluation).
    classifier
        Folder of a trained classifier that judges samples.
    seed
        Seed of clusterings and samples.
    """

    training: Path | None = None
    validation: Path | None = None
    label: str | None = None
    classifier: str | None = None
    seed: int = 0


@attrs.frozen(kw_only=True, eq=False)
class Evaluated:
    """A model, the rows that it was measured on, and the resulting figures.

    Parameters
    ----------
    model, test
        The model, and the holograms that it was measured on.
    training
        The rows on which classifiers of z were trained.
    judge
        Name of the classifier that judged samples; empty if there was none.
    figures
        The figures of the evaluation.
    """

    model: "Model"
    test: Holograms
    training: Holograms | None
    judge: str
    figures: "Evaluation"


_NO_EVALUATION = EvaluationOptions()


def evaluate_command(
    model: str,
    data: Path,
    /,
    *,
    options: Annotated[EvaluationOptions, Together] = _NO_EVALUATION,
    out: OptionalOutput = None,
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
    """
    figures = evaluate_files(model, data, options).figures
    if out is not None:
        write_figures(figures, out)
    show_figures(figures)
    return 0


def evaluate_files(model: str, data: Path, options: EvaluationOptions) -> Evaluated:
    """Read a model and the files that it is measured with, and measure it.

    Raises
    ------
    HoloError
        If a file does not hold what it should, or does not match the model.
    """
    from holo_vae.data.opening import read_holograms
    from holo_vae.evaluation.evaluate import evaluate
    from holo_vae.networks.classifier import TrainedClassifier
    from holo_vae.networks.loading import load
    from holo_vae.networks.model import Model

    loaded, test = load(model, Model), read_holograms(data)
    others = [
        None if path is None else read_holograms(path) for path in (options.training, options.validation)
    ]
    judge = None if options.classifier is None else load(options.classifier, TrainedClassifier)
    figures = evaluate(
        loaded,
        test,
        training=others[0],
        validation=others[1],
        label_column=options.label,
        classifier=judge,
        seed=options.seed,
    )
    return Evaluated(
        model=loaded,
        test=test,
        training=others[0],
        judge="" if judge is None else judge.name,
        figures=figures,
    )


def write_figures(figures: "Evaluation", path: Path) -> None:
    """Write the figures as JSON."""
    with replacing(path) as new:
        new.write_text(json.dumps(attrs.asdict(figures), indent=2) + "\n")


def show_figures(figures: "Evaluation") -> None:
    """Print the most important figures."""
    reconstruction, errors = figures.reconstruction, figures.equivariance
    say(
        f"{figures.rows} holograms: cosine loss {reconstruction.cosine_loss:.4f} (0 is perfect), "
        f"mse {reconstruction.mse:.3e}; "
        f"equivariance errors: z {errors.invariants:.1e}, frame {errors.frame_p99:.1e}, "
        f"reconstruction {errors.reconstruction_p99:.1e} (99th percentile)",
        **attrs.asdict(figures),
    )
    if figures.latent is not None:
        latent = figures.latent
        known = ", ".join(
            f"{name} {value:.3f}"
            for name, value in {
                "purity": latent.purity,
                "V-measure": latent.v_measure,
                "linear accuracy": latent.linear_accuracy,
                "KNN accuracy": latent.knn_accuracy,
            }.items()
            if value is not None
        )
        say(f"z beside {latent.column}: {known}")


def worth_command(
    model: str,
    folder: Path,
    /,
    *,
    out: Path | None = None,
    split: Literal["valid", "test"] = "valid",
    count: Annotated[int, Parameter(validator=Number(gte=100))] = 5000,
    trained_for: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    baselines: bool = True,
    seed: int = 0,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Measure what a model's z is worth, compared with invariants that need no training.

    The command measures the reconstruction; how far z moves when a structure is rotated and rounded, and when atoms
    move; whether a residue is recognized in another crystal and in a relative; and how well secondary structure, burial
    and residue type are predicted from z. It needs the extras structures and evaluation. Exit status: 0, everything was
    measured; 3, rows or structures were left out, and are listed; 1, nothing useful came out; 2, wrong usage.

    Parameters
    ----------
    model
        Name of a model that comes with holo-vae, folder of a model, or models:/NAME@ALIAS.
    folder
        Folder with structures and structures.csv, which has the columns file and split (train, valid or test), and, for
        the rows that need them, chain, cluster, protein, relative and ligand.
    out
        Folder for worth.json and worth.md.
    split
        Structures to measure; those of train always set the scale of distances.
    count
        Minimum number of residues to measure.
    trained_for
        Rows to mark because the model was trained on their label, such as "residue type", in addition to those of its
        heads.
    baselines
        Whether to measure invariants that need no training as well, which takes most of the time.
    seed
        Seed of sampling, noise and rotations.
    """
    from holo_vae.networks.loading import load
    from holo_vae.networks.model import Model

    with extra("holo-vae[structures]"):
        import holo_features  # noqa: F401
    with extra("holo-vae[evaluation]"):
        import holo_downstream  # noqa: F401
    from holo_vae.evaluation.worth import PARTS, measure_worth
    from holo_vae.evaluation.worth_table import worth_table, write_worth

    loaded = load(model, Model)
    with progress(len(PARTS), "measuring") as advance:
        worth = measure_worth(
            loaded,
            folder,
            split=split,
            residues=count,
            trained_for=trained_for,
            baselines=baselines,
            seed=seed,
            on_part=lambda part: advance(1, part),
        )
    if out is not None:
        write_worth(worth, out)
    say(worth_table(worth), model=worth.model, figures=[attrs.asdict(figure) for figure in worth.figures])
    return 3 if worth.left_out else 0
