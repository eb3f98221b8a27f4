"""All figures of a model: reconstruction, equivariance, the order of labels in z, and samples."""

import attrs
import numpy as np

from holo_types import HoloError, Holograms
from holo_vae.generation.sample_scores import SampleScores, score_samples
from holo_vae.generation.sampling import sample_posterior, sample_prior, to_canonical_frame
from holo_vae.networks.classifier import TrainedClassifier
from holo_vae.networks.model import Model

from .equivariance import EquivarianceErrors, equivariance_errors
from .latent_scores import LatentScores, latent_scores, row_labels
from .reconstruction import Reconstruction, reconstruction

__all__ = ["Evaluation", "evaluate"]

_SAMPLED_ROWS = 10_000  # with this many samples, the scores are known to half a percent


@attrs.frozen(kw_only=True)
class Evaluation:
    """All figures of a model on one set of holograms.

    Parameters
    ----------
    rows
        The number of rows.
    reconstruction, equivariance
        These are always present.
    latent
        Present if a label column was named.
    data_samples, prior_samples, posterior_samples
        Present if there is a classifier: the scores of the rows themselves, which bound what samples could reach, and
        those of samples of a variational model from its prior and from its posterior, all in the canonical frame.
    """

    rows: int
    reconstruction: Reconstruction
    equivariance: EquivarianceErrors
    latent: LatentScores | None = None
    data_samples: SampleScores | None = None
    prior_samples: SampleScores | None = None
    posterior_samples: SampleScores | None = None


def evaluate(
    model: Model,
    test: Holograms,
    *,
    training: Holograms | None = None,
    validation: Holograms | None = None,
    label_column: str | None = None,
    classifier: TrainedClassifier | None = None,
    seed: int = 0,
) -> Evaluation:
    """Return all figures of a model on a set of holograms.

    Parameters
    ----------
    model, test
        The model, and the holograms to evaluate it on. Equivariance is checked on the first 1,000 rows.
    training, validation
        Data for the classifiers of z, used with `label_column`; without them z is only clustered.
    label_column
        The index column with the labels of the rows (extra ``evaluation``).
    classifier
        Judges the first 10,000 rows, and samples of a variational model: the same number from the prior, with classes
        in equal shares if the model is conditional on them, and one from the posterior of each of these rows. The
        classes of the rows are taken from the column that the classifier was trained on.
    seed
        The seed of clusterings and samples.

    Raises
    ------
    HoloError
        If there are no rows, a basis does not match, a column is missing, or labels are to be scored without
        holo-downstream.
    """
    if not len(test):
        raise HoloError("there are no holograms to evaluate on")
    embeddings = model.encode(test)
    evaluation = Evaluation(
        rows=len(test),
        reconstruction=reconstruction(model, test, embeddings),
        equivariance=equivariance_errors(model, test[:1000]),
    )
    if label_column is not None:
        latent = latent_scores(
            embeddings,
            label_column,
            training=None if training is None else model.encode(training),
            validation=None if validation is None else model.encode(validation),
            seed=seed,
        )
        evaluation = attrs.evolve(evaluation, latent=latent)
    if classifier is not None:
        rows = test[:_SAMPLED_ROWS]
        aligned = to_canonical_frame(rows, embeddings.frames[:_SAMPLED_ROWS])
        labels = row_labels(rows, classifier.config.classes.column)
        evaluation = attrs.evolve(evaluation, data_samples=score_samples(aligned, classifier, labels, seed))
        if model.config.variational:
            drawn = sample_posterior(model, rows, seed=seed, frames="canonical")
            evaluation = attrs.evolve(
                evaluation,
                prior_samples=_prior_scores(model, len(rows), classifier, seed),
                posterior_samples=score_samples(drawn, classifier, labels, seed),
            )
    return evaluation


def _prior_scores(model: Model, count: int, classifier: TrainedClassifier, seed: int) -> SampleScores:
    condition = model.config.condition
    if condition is None:
        return score_samples(sample_prior(model, count, seed=seed), classifier, seed=seed)
    wanted = np.resize(np.array(condition.categories), count)
    samples = sample_prior(model, count, wanted, seed)
    same = condition.column == classifier.config.classes.column
    return score_samples(samples, classifier, wanted if same else None, seed)
