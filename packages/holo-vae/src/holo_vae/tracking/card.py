"""The description of a logged model for its readers: the page that MLflow shows."""

import attrs

from holo_vae._version import __version__
from holo_vae.evaluation.evaluate import Evaluation
from holo_vae.networks.classifier import TrainedClassifier
from holo_vae.networks.description import describe
from holo_vae.networks.model import Model

from .training_record import TrainingRecord

__all__ = ["Origin", "model_card"]


@attrs.frozen(kw_only=True)
class Origin:
    """The origin of a model.

    Parameters
    ----------
    experiment
        The MLflow experiment.
    source
        Where the data came from.
    trained
        What the model was trained on.
    validation_rows
        The number of rows on which its weights were chosen.
    revision
        The revision of Holo's code.
    """

    experiment: str
    source: str
    trained: TrainingRecord
    validation_rows: int
    revision: str


def model_card(model: Model | TrainedClassifier, origin: Origin, evaluation: Evaluation | None) -> str:
    """Return a description of a model, its training data and its quality, in Markdown.

    Parameters
    ----------
    model
        The model.
    origin
        The origin of the model.
    evaluation
        The evaluation on validation rows; None for a classifier.
    """
    config = model.config
    basis, radial = config.basis, config.basis.radial
    if isinstance(model, Model):
        kind = "H-VAE" if model.config.variational else "H-AE"
        what = (
            f"A holographic autoencoder ({kind}): {basis.dim} coefficients to an invariant `z` of "
            f"{model.config.latent_dim} numbers and a frame, and back."
        )
    else:
        what = f"A classifier of holograms of {basis.dim} coefficients."
    reach = "on a sphere" if radial is None else (
        f"nmax {radial.nmax}, within {radial.cutoff:g} Å, "
        + ("no envelope" if radial.envelope is None else f"an envelope of {radial.envelope:g} Å")
    )  # fmt: skip
    groups = ", ".join(
        f"{len(values)} values of `{column}`" for column, values in origin.trained.groups.items()
    )
    rows = {
        "basis": f"channels {', '.join(basis.channels)}, lmax {basis.lmax}, {reach}; digest `{basis.digest[:12]}`",
        "architecture": f"lmax {_listed(config.lmax)}, channels {_listed(config.channels)}; "
        f"{describe(config).parameters:,} weights",
        "data": f"{origin.source or 'holograms'}: {origin.trained.rows:,} rows to train on"
        f"{', of ' + groups if groups else ''}; {origin.validation_rows:,} rows to validate on",
        "made by": f"holo-vae {__version__}, revision `{origin.revision[:12]}`",
        "digest": f"`{model.digest}`",
    }
    if evaluation is not None:
        measured, errors = evaluation.reconstruction, evaluation.equivariance
        rows[f"on {evaluation.rows:,} validation rows"] = (
            f"cosine loss {measured.cosine_loss:.4f} (0 is perfect), MSE {measured.mse:.2e}; equivariance errors: z "
            f"{errors.invariants:.1e} (largest), frame {errors.frame_p99:.1e}, reconstruction "
            f"{errors.reconstruction_p99:.1e} (99th percentile)"
        )
    table = "\n".join(f"| {title} | {text} |" for title, text in rows.items())
    return f"# {origin.experiment}\n\n{what}\n\n| | |\n| --- | --- |\n{table}\n\n{_USE}"


# MLflow's page breaks lines where the text does, so each paragraph is one line.
_USE = (
    "`requirements.txt` beside the model names the versions that it was made with, and the wheels of Holo that it "
    "brings: in its folder, `pip install -r requirements.txt` makes an environment that `mlflow.pyfunc.load_model` and "
    "`mlflow models serve` work in. `training.json` records what the model was trained on.\n"
)


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))
