"""What a model is worth: reconstruction beside baselines, exact equivariance, order in z, and its samples."""

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from holo_nn import cosine_loss, cosine_loss_per_degree, rotate
from holo_nn.testing import random_rotations
from holo_types import Embeddings, HoloError, Holograms

from .categories import category_numbers
from .classifier import TrainedClassifier
from .model import Model
from .sampling import sample_posterior, sample_prior, to_canonical_frame

__all__ = [
    "EquivarianceErrors",
    "Evaluation",
    "LatentScores",
    "Reconstruction",
    "SampleScores",
    "equivariance_errors",
    "evaluate",
    "latent_scores",
    "mean_hologram_cosine",
    "power_spectra",
    "reconstruction",
    "row_cosines",
    "row_labels",
    "score_samples",
]

# What is compared in float64 at once: 64 MiB of coefficients and a few copies of them.
_CHUNK_VALUES = 1 << 23
# Of these many rows every pair is compared; of more, a sample gives the mean to three digits.
_PAIRED_ROWS = 1000
_SAMPLED_ROWS = 10_000  # the scores of so many samples are known to half a percent


@attrs.frozen(kw_only=True)
class Reconstruction:
    """How well holograms are reconstructed: means over the rows.

    Parameters
    ----------
    mse
        Mean squared error in the divided scale.
    cosine
        Cosine loss with s = +1; 0 is perfect, about 1 is chance.
    cosine_per_degree
        Plain cosine loss of each degree l by itself.
    power_correlation
        Pearson correlation, within a row, between the powers of each (channel, degree) of the input and of
        the reconstruction; 1 is perfect.
    total_power_correlation
        Pearson correlation, over the rows, between the total power of inputs and reconstructions.
    """

    mse: float
    cosine: float
    cosine_per_degree: tuple[float, ...]
    power_correlation: float
    total_power_correlation: float


@attrs.frozen(kw_only=True)
class EquivarianceErrors:
    """Largest deviation from exact equivariance, over rows and random rotations.

    `invariants` and `reconstruction` relative to the largest value, `frame` absolute (its axes have length 1).
    Of the frame and the reconstruction, which depend on conditioning, `_p99` is the 99th percentile of rows.
    """

    invariants: float
    frame: float
    frame_p99: float
    reconstruction: float
    reconstruction_p99: float


@attrs.frozen(kw_only=True)
class LatentScores:
    """How the labels of rows, which the model never saw, are ordered in z.

    Parameters
    ----------
    column, classes
        The index column of the labels, and how many there are.
    purity, v_measure, homogeneity, completeness, silhouette
        Of K-means on z with as many clusters as classes, the mean of ten clusterings
        (`holo_downstream.cluster_scores`).
    linear_accuracy
        Of multinomial logistic regression that learned from z of the training and validation rows; None
        without training rows.
    knn_accuracy, knn_neighbors
        Of a vote of the nearest training rows, their number chosen on the validation rows; None without either.
    """

    column: str
    classes: int
    purity: float
    v_measure: float
    homogeneity: float
    completeness: float
    silhouette: float
    linear_accuracy: float | None
    knn_accuracy: float | None
    knn_neighbors: int | None


@attrs.frozen(kw_only=True)
class SampleScores:
    """Quality and diversity of holograms, class by class, judged by a supervised network.

    Parameters
    ----------
    classes
        Of the classifier.
    counts
        How many holograms are of each class.
    accuracy
        The share that the classifier takes for their class; None if the class was never said, but is what the
        classifier took them for.
    confidence
        The mean probability that the classifier gives to their class.
    diversity
        The mean cosine loss (s = +1) between two different holograms of the class; they must lie in one frame.
    """

    classes: tuple[int | str, ...]
    counts: tuple[int, ...]
    accuracy: tuple[float | None, ...] | None
    confidence: tuple[float | None, ...]
    diversity: tuple[float | None, ...]

    def mean(self, name: str) -> float | None:
        """Give the mean of `accuracy`, `confidence` or `diversity` over the classes that have it."""
        given = [value for value in getattr(self, name) or () if value is not None]
        return float(np.mean(given)) if given else None


@attrs.frozen(kw_only=True)
class Evaluation:
    """All of a model's figures on one set of holograms.

    Parameters
    ----------
    rows
        Of the set.
    reconstruction, equivariance
        Always there.
    latent
        Where a column of labels was named.
    data_samples, prior_samples, posterior_samples
        Where a classifier was given: the rows themselves, as what samples could reach, and samples of a
        variational model from its prior and from its posterior, all in the canonical frame.
    """

    rows: int
    reconstruction: Reconstruction
    equivariance: EquivarianceErrors
    latent: LatentScores | None = None
    data_samples: SampleScores | None = None
    prior_samples: SampleScores | None = None
    posterior_samples: SampleScores | None = None


def _double(holograms: Holograms) -> Float[Tensor, "n dim"]:
    return torch.from_numpy(holograms.coefficients.astype(np.float64))


def _chunks(rows: int, dim: int) -> Iterator[slice]:
    size = max(1, _CHUNK_VALUES // dim)
    for start in range(0, rows, size):
        yield slice(start, start + size)


def row_cosines(holograms: Holograms, reconstructed: Holograms) -> NDArray[np.float64]:
    """Give the cosine loss (s = +1) of each row; 1 where either is zero."""
    irreps = str(holograms.basis.irreps)
    losses = np.empty(len(holograms))
    for rows in _chunks(len(holograms), holograms.basis.dim):
        pair = _double(holograms[rows]), _double(reconstructed[rows])
        losses[rows] = cosine_loss(*pair, irreps).numpy()
    return losses


def power_spectra(holograms: Holograms) -> Float[np.ndarray, "n channels degrees"]:
    """Give the power of each channel and degree: the sum over radial orders and m of x² / (2l + 1).

    Examples
    --------
    >>> from holo_types import Basis
    >>> holograms = Holograms(np.array([[2.0, 1.0, 1.0, 1.0]]), Basis(lmax=1, radial=None, channels=("image",)))
    >>> power_spectra(holograms).tolist()
    [[[4.0, 1.0]]]
    """
    basis = holograms.basis
    powers = np.empty((len(holograms), len(basis.channels), basis.lmax + 1))
    for rows in _chunks(len(holograms), basis.dim):
        chunk = holograms[rows]
        for degree in range(basis.lmax + 1):
            squares = np.square(chunk.degree(degree), dtype=np.float64).sum(axis=2) / (2 * degree + 1)
            powers[rows, :, degree] = squares.reshape(len(chunk), len(basis.channels), -1).sum(axis=2)
    return powers


def _pearson(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlate along the last axis; 0 where either does not vary."""
    x, y = (values - values.mean(axis=-1, keepdims=True) for values in (x, y))
    norms = np.linalg.norm(x, axis=-1) * np.linalg.norm(y, axis=-1)
    products = (x * y).sum(axis=-1)
    correlations: NDArray[np.float64] = np.divide(
        products, norms, out=np.zeros_like(products), where=norms > 0
    )
    return correlations


def reconstruction(
    model: Model, holograms: Holograms, embeddings: Embeddings | None = None
) -> Reconstruction:
    """Encode, decode and compare.

    Parameters
    ----------
    model, holograms
        What is judged, and on what; of a conditional model with the column that its condition names.
    embeddings
        Of the holograms, where they are known already.

    Raises
    ------
    HoloError
        If the basis is not the model's, there are no rows, or a conditional model's column is missing.
    """
    if not len(holograms):
        raise HoloError("there are no holograms to evaluate on")
    if embeddings is None:
        embeddings = model.encode(holograms)
    irreps, scale = str(holograms.basis.irreps), float(model.network.scale)
    squares, cosines, per_degree = 0.0, 0.0, np.zeros(holograms.basis.lmax + 1)
    powers: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    for rows in _chunks(len(holograms), holograms.basis.dim):
        given, known = holograms[rows], embeddings[rows]
        decoded = model.decode(known, model.categories(known.index))
        x, y = _double(given), _double(decoded)
        squares += float((y - x).square().sum()) / scale**2
        cosines += float(cosine_loss(x, y, irreps).sum())
        per_degree += cosine_loss_per_degree(x, y, irreps).sum(dim=0).numpy()
        powers.append((power_spectra(given), power_spectra(decoded)))
    true, again = (np.concatenate(parts) for parts in zip(*powers, strict=True))
    count = len(holograms)
    return Reconstruction(
        mse=squares / holograms.coefficients.size,
        cosine=cosines / count,
        cosine_per_degree=tuple((per_degree / count).tolist()),
        power_correlation=float(_pearson(true.reshape(count, -1), again.reshape(count, -1)).mean()),
        total_power_correlation=float(_pearson(true.sum(axis=(1, 2)), again.sum(axis=(1, 2)))),
    )


def mean_hologram_cosine(training: Holograms, holograms: Holograms) -> float:
    """Give the cosine loss of guessing the training set's mean hologram for every row."""
    mean = training.coefficients.mean(axis=0, dtype=np.float64)
    guess = Holograms(np.broadcast_to(mean, holograms.coefficients.shape).copy(), holograms.basis)
    return float(row_cosines(holograms, guess).mean())


def equivariance_errors(
    model: Model,
    holograms: Holograms,
    rotations: int = 8,
    seed: int = 0,
    turned: Callable[[Float[Tensor, "3 3"]], Holograms] | None = None,
) -> EquivarianceErrors:
    """Rotate the input, encode and decode again, and compare with rotating the results.

    Rotations and Wigner D are float64, so that the check adds no error of its own; the network runs in its
    own precision.

    Parameters
    ----------
    model, holograms
        What is checked, and on what.
    rotations, seed
        How many random rotations, and which.
    turned
        Gives the holograms of the rotated input, row by row, such as those of rotated atoms: the check then
        goes from end to end. By default the coefficients are rotated by D.
    """
    irreps = str(holograms.basis.irreps)
    first = model.encode(holograms)
    categories = model.categories(holograms.index)
    decoded = _double(model.decode(first, categories))
    original = _double(holograms)
    frames = torch.from_numpy(first.frames).double()
    invariants, frame, reconstructed = [], [], []
    for rotation in random_rotations(rotations, seed=seed):
        if turned is not None:
            second = model.encode(turned(rotation))
        else:
            coefficients = rotate(original, irreps, rotation).numpy().astype(holograms.coefficients.dtype)
            second = model.encode(Holograms(coefficients, holograms.basis, holograms.index))
        redecoded = _double(model.decode(second, categories))
        invariants.append(np.abs(second.invariants - first.invariants).max(axis=1))
        expected_frames = frames @ rotation.T
        frame.append((torch.from_numpy(second.frames).double() - expected_frames).abs().amax((1, 2)).numpy())
        difference = redecoded - rotate(decoded, irreps, rotation)
        reconstructed.append(difference.abs().amax(1).numpy())
    largest_z, largest_x = np.abs(first.invariants).max(), float(decoded.abs().max())
    return EquivarianceErrors(
        invariants=float(np.max(invariants) / largest_z),
        frame=float(np.max(frame)),
        frame_p99=float(np.percentile(frame, 99)),
        reconstruction=float(np.max(reconstructed) / largest_x),
        reconstruction_p99=float(np.percentile(reconstructed, 99) / largest_x),
    )


def latent_scores(
    embeddings: Embeddings,
    column: str,
    *,
    training: Embeddings | None = None,
    validation: Embeddings | None = None,
    seed: int = 0,
) -> LatentScores:
    """Cluster z, and classify it by what training rows teach (extra ``evaluation``).

    Parameters
    ----------
    embeddings
        The rows that are scored.
    column
        Their labels: a column of the index, which the other embeddings must have too.
    training, validation
        What is learned from, and what the number of neighbours is chosen on.
    seed
        Of K-means.

    Raises
    ------
    HoloError
        If holo-downstream is not installed, there is no such column, or the labels are of one class.

    Notes
    -----
    As the published tables have it: the linear classifier learns from training and validation rows together,
    neighbours are sought among the training rows only, K-means sees only the scored rows.
    """
    if importlib.util.find_spec("holo_downstream") is None:
        raise HoloError("scores of z need holo-downstream; pip install 'holo-vae[evaluation]'")
    from holo_downstream.classification import knn_accuracy, linear_accuracy  # noqa: PLC0415
    from holo_downstream.clustering import cluster_scores  # noqa: PLC0415

    labels = row_labels(embeddings, column)
    clusters = cluster_scores(embeddings.invariants, labels, seed=seed)
    linear = neighbors = None
    if training is not None:
        known = [training] if validation is None else [training, validation]
        linear = linear_accuracy(
            np.concatenate([part.invariants for part in known]),
            np.concatenate([row_labels(part, column) for part in known]),
            embeddings.invariants,
            labels,
        )
        if validation is not None:
            neighbors = knn_accuracy(
                training.invariants,
                row_labels(training, column),
                validation.invariants,
                row_labels(validation, column),
                embeddings.invariants,
                labels,
            )
    return LatentScores(
        column=column,
        classes=len(np.unique(labels)),
        purity=clusters.purity,
        v_measure=clusters.v_measure,
        homogeneity=clusters.homogeneity,
        completeness=clusters.completeness,
        silhouette=clusters.silhouette,
        linear_accuracy=linear,
        knn_accuracy=None if neighbors is None else neighbors.test,
        knn_neighbors=None if neighbors is None else neighbors.k,
    )


def row_labels(rows: Embeddings | Holograms, column: str) -> NDArray[Any]:
    """Give the labels of rows.

    Raises
    ------
    HoloError
        If the index has no such column.
    """
    return rows.index.column(column)


def score_samples(
    samples: Holograms, classifier: TrainedClassifier, labels: NDArray[Any] | None = None, seed: int = 0
) -> SampleScores:
    """Judge samples: quality by a supervised network, diversity by the cosine loss inside each class.

    Parameters
    ----------
    samples
        In one frame, such as the canonical one: a class whose members are turned at random looks diverse.
    classifier
        The judge.
    labels
        The class that each sample should be of ``[n]``; None to take each for what the classifier says.
    seed
        Which 1,000 samples of a class are compared in pairs, if it has more.

    Raises
    ------
    HoloError
        If there are no samples, their basis is not the classifier's, or a label is none of its classes.

    Notes
    -----
    Visani et al., Phys. Rev. Research 6, 023006 (2024), score conditional samples so.
    """
    if not len(samples):
        raise HoloError("there are no samples to score")
    probabilities = classifier.predict(samples).astype(np.float64)
    taken_for = probabilities.argmax(axis=1)
    intended = taken_for if labels is None else category_numbers(classifier.config.classes, labels)
    right = (taken_for == intended).astype(np.float64)
    believed = probabilities[np.arange(len(samples)), intended]
    members = [np.flatnonzero(intended == number) for number in range(len(classifier.classes))]
    return SampleScores(
        classes=classifier.classes,
        counts=tuple(len(rows) for rows in members),
        accuracy=None if labels is None else tuple(_mean(right[rows]) for rows in members),
        confidence=tuple(_mean(believed[rows]) for rows in members),
        diversity=tuple(_diversity(samples, rows, seed) for rows in members),
    )


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None


def _diversity(samples: Holograms, rows: NDArray[np.int64], seed: int) -> float | None:
    if len(rows) > _PAIRED_ROWS:
        rows = np.random.default_rng(seed).choice(rows, _PAIRED_ROWS, replace=False)
    if len(rows) < 2:
        return None
    x = samples.coefficients[rows].astype(np.float64)
    # <x,y> = Σ_l sqrt(2l+1) Σ_c,m x y: the weights' roots go into x, so that every pair is one matrix product.
    x *= np.concatenate([np.full(m * (2 * l + 1), (2 * l + 1) ** 0.25) for m, l in samples.basis.irreps])  # noqa: E741
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    x = np.divide(x, norms, out=np.zeros_like(x), where=norms > 0)
    products = x @ x.T
    pairs = len(rows) * (len(rows) - 1)
    return float(1 - (products.sum() - np.trace(products)) / pairs)


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
    """Give all of a model's figures on a set of holograms.

    Parameters
    ----------
    model, test
        What is judged, and on what. Equivariance is checked on the first 1,000 rows.
    training, validation
        What classifiers of z learn from, with `label_column`; without them z is only clustered.
    label_column
        The index column with the labels of rows (extra ``evaluation``).
    classifier
        Judges the first 10,000 rows, and samples of a variational model: as many from the prior, their classes
        in even shares if the model is conditional on them, and one from the posterior of each of these rows.
        The rows' classes are those of the column that it was trained on.
    seed
        Of clusterings and samples.

    Raises
    ------
    HoloError
        If there are no rows, a basis does not fit, a column is missing, or labels are to be scored without
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
