import sys
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch
from scipy.stats import pearsonr
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import v_measure_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from holo_nn import rotate
from holo_nn.testing import random_rotations
from holo_types import Basis, Embeddings, HoloError, Holograms, save
from holo_vae import (
    HolographicAutoencoder,
    Model,
    Recipe,
    equivariance_errors,
    evaluate,
    initial_model,
    mean_hologram_cosine_loss,
    reconstruction,
    run_training,
)
from holo_vae.evaluation.latent_scores import latent_scores
from holo_vae.evaluation.reconstruction import power_spectra
from holo_vae.generation.sample_scores import score_samples
from holo_vae.networks.classifier import Classifier, TrainedClassifier
from holo_vae.networks.row_losses import row_cosine_losses
from holo_vae.recipes.model import ClassifierConfig, Condition


def _cosine(x: np.ndarray, y: np.ndarray, holograms: Holograms) -> float:
    """Evaluate the definition of DESIGN §5, s = +1, row by row."""
    weights = np.concatenate(
        [np.full(mul * (2 * degree + 1), np.sqrt(2 * degree + 1)) for mul, degree in holograms.basis.irreps]
    )
    return 1 - (weights * x * y).sum() / np.sqrt((weights * x * x).sum() * (weights * y * y).sum())


def test_row_cosine_losses_are_the_definition(holograms: Holograms) -> None:
    rng = np.random.default_rng(1)
    other = attrs.evolve(holograms, coefficients=rng.normal(size=holograms.coefficients.shape))
    losses = row_cosine_losses(holograms, other)
    for row in range(0, 80, 13):
        x, y = holograms.coefficients[row].astype(float), other.coefficients[row]
        assert losses[row] == pytest.approx(_cosine(x, y, holograms), abs=1e-10)


def test_an_empty_hologram_has_cosine_loss_one(holograms: Holograms) -> None:
    zero = attrs.evolve(holograms, coefficients=np.zeros_like(holograms.coefficients))
    assert (row_cosine_losses(zero, holograms) == 1).all()


def test_the_mean_hologram_is_perfect_for_equal_rows(holograms: Holograms) -> None:
    same = holograms[np.zeros(5, dtype=np.int64)]
    assert mean_hologram_cosine_loss(same, same) == pytest.approx(0, abs=1e-6)
    assert mean_hologram_cosine_loss(holograms, holograms) > 0.01


def test_reconstruction_is_measured_in_the_divided_scale(recipe: Recipe, holograms: Holograms) -> None:
    model = initial_model(recipe, 4.0, "small")
    figures = reconstruction(model, holograms)
    decoded = model.decode(model.encode(holograms))
    expected = np.square((decoded.coefficients - holograms.coefficients) / 4.0).mean()
    assert figures.mse == pytest.approx(expected, rel=1e-5)
    assert figures.cosine_loss == pytest.approx(row_cosine_losses(holograms, decoded).mean())
    assert len(figures.cosine_loss_per_degree) == 3


def test_an_untrained_network_is_equivariant(recipe: Recipe, holograms: Holograms) -> None:
    errors = equivariance_errors(initial_model(recipe, 1.0, "small"), holograms)
    assert errors.invariants < 1e-5
    assert errors.frame_p99 < 1e-4
    assert errors.reconstruction_p99 < 1e-4


def test_a_network_that_is_not_equivariant_is_caught(recipe: Recipe, holograms: Holograms) -> None:
    model = initial_model(recipe, 1.0, "small")
    model.network.encoder[0].register_forward_hook(lambda _m, _a, out: out + 0.1)
    errors = equivariance_errors(model, holograms)
    assert errors.invariants > 1e-3
    assert errors.reconstruction > 1e-3


def test_nothing_to_evaluate_is_refused(recipe: Recipe, holograms: Holograms) -> None:
    with pytest.raises(HoloError, match="no holograms"):
        evaluate(initial_model(recipe, 1.0, "small"), holograms[:0])


def test_power_correlations_are_scipys(recipe: Recipe, holograms: Holograms) -> None:
    model = initial_model(recipe, 1.0, "small")
    decoded = model.decode(model.encode(holograms))
    figures = reconstruction(model, holograms)

    def powers(coefficients: np.ndarray) -> np.ndarray:
        """Sum squares in the layout of the conventions: degrees, then channels, radial orders and m."""
        rows, start = [], 0
        for multiplicity, degree in holograms.basis.irreps:
            stop = start + multiplicity * (2 * degree + 1)
            block = coefficients[:, start:stop].astype(float).reshape(len(coefficients), 2, -1)
            rows.append((block**2).sum(axis=2) / (2 * degree + 1))
            start = stop
        return np.stack(rows, axis=2)

    true, again = powers(holograms.coefficients), powers(decoded.coefficients)
    by_row = [pearsonr(x.ravel(), y.ravel()).statistic for x, y in zip(true, again, strict=True)]
    assert figures.power_correlation == pytest.approx(np.mean(by_row), abs=1e-6)
    total = pearsonr(true.sum(axis=(1, 2)), again.sum(axis=(1, 2))).statistic
    assert figures.total_power_correlation == pytest.approx(total, abs=1e-6)
    np.testing.assert_allclose(power_spectra(holograms), true, rtol=1e-6)


def test_chunks_change_nothing(recipe: Recipe, holograms: Holograms, monkeypatch: pytest.MonkeyPatch) -> None:
    model = initial_model(recipe, 1.0, "small")
    whole, losses = reconstruction(model, holograms), row_cosine_losses(holograms, holograms[::-1])
    monkeypatch.setattr("holo_vae.networks.chunks._CHUNK_VALUES", 7 * holograms.basis.dim)
    assert attrs.astuple(reconstruction(model, holograms))[:2] == pytest.approx(attrs.astuple(whole)[:2])
    np.testing.assert_allclose(row_cosine_losses(holograms, holograms[::-1]), losses, rtol=1e-12)


def _two_kinds(embeddings: Embeddings, seed: int) -> Embeddings:
    """Return z from which the label can be predicted, but not perfectly."""
    labels = np.arange(len(embeddings)) % 3
    z = np.random.default_rng(seed).normal(size=(len(embeddings), 2)) + 1.5 * labels[:, None]
    return attrs.evolve(embeddings, invariants=z, index={"kind": labels})


def test_latent_scores_are_sklearns(recipe: Recipe, holograms: Holograms) -> None:
    encoded = initial_model(recipe, 1.0, "small").encode(holograms)
    test, training, validation = (_two_kinds(encoded, seed) for seed in range(3))
    scores = latent_scores(test, "kind", training=training, validation=validation)
    labels = test.index["kind"]
    assert scores.classes == 3
    v_measures, purities = [], []
    for seed in range(10):
        clusters = KMeans(3, n_init=10, random_state=seed).fit_predict(test.invariants)
        v_measures.append(v_measure_score(labels, clusters))
        purities.append(contingency_matrix(labels, clusters).max(axis=0).sum() / len(labels))
    assert scores.v_measure == pytest.approx(np.mean(v_measures))
    assert scores.purity == pytest.approx(np.mean(purities))
    known = np.concatenate([training.invariants, validation.invariants])
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)).fit(known, [*labels, *labels])
    assert scores.linear_accuracy == pytest.approx(linear.score(test.invariants, labels), abs=1 / len(labels))
    assert scores.knn_neighbors is not None
    votes = KNeighborsClassifier(scores.knn_neighbors).fit(training.invariants, labels)
    assert scores.knn_accuracy == pytest.approx(votes.score(test.invariants, labels))


def test_without_training_rows_z_is_only_clustered(recipe: Recipe, holograms: Holograms) -> None:
    model = initial_model(recipe, 1.0, "small")
    scores = evaluate(model, holograms, label_column="structure").latent
    assert scores is not None
    assert (scores.column, scores.classes) == ("structure", 8)
    assert scores.linear_accuracy is None
    assert scores.knn_accuracy is None
    with pytest.raises(HoloError, match="no column 'kind'; it has structure, residue_number"):
        evaluate(model, holograms, label_column="kind")


def test_scores_without_the_extra_say_what_to_install(
    recipe: Recipe, holograms: Holograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("holo_downstream", "holo_downstream.probes.classification"):
        monkeypatch.setitem(sys.modules, module, None)
    model = initial_model(recipe, 1.0, "small")
    assert evaluate(model, holograms).latent is None
    with pytest.raises(
        HoloError, match=r"holo_downstream is not installed: pip install 'holo-vae\[evaluation\]'"
    ):
        evaluate(model, holograms, label_column="structure")


@pytest.fixture
def classifier(basis: Basis) -> TrainedClassifier:
    torch.manual_seed(0)
    classes = Condition(column="structure", categories=tuple(f"s{i}" for i in range(8)))
    return TrainedClassifier(
        Classifier(
            ClassifierConfig(basis=basis, lmax=(2, 1), channels=(4, 4), initial_projection=4, classes=classes)
        ),
        "judge",
    )


def test_samples_are_scored_class_by_class(classifier: TrainedClassifier, holograms: Holograms) -> None:
    labels = holograms.index["structure"]
    scores = score_samples(holograms, classifier, labels)
    probabilities = classifier.predict(holograms)
    assert scores.accuracy is not None
    for number, name in enumerate(classifier.classes):
        rows = np.flatnonzero(labels == name)
        assert scores.counts[number] == len(rows)
        assert scores.accuracy[number] == pytest.approx((probabilities[rows].argmax(axis=1) == number).mean())
        assert scores.confidence[number] == pytest.approx(probabilities[rows, number].mean(), rel=1e-6)
        pairs = [
            _cosine(
                holograms.coefficients[a].astype(float), holograms.coefficients[b].astype(float), holograms
            )
            for a in rows
            for b in rows
            if a < b
        ]
        assert scores.diversity[number] == pytest.approx(np.mean(pairs), abs=1e-9)
    assert scores.mean("accuracy") == pytest.approx(np.mean(scores.accuracy))


def test_samples_of_no_said_class_are_taken_for_what_they_look_like(
    classifier: TrainedClassifier, holograms: Holograms
) -> None:
    scores = score_samples(holograms, classifier)
    probabilities = classifier.predict(holograms)
    assert scores.accuracy is None
    assert scores.mean("accuracy") is None
    assert scores.counts == tuple(np.bincount(probabilities.argmax(axis=1), minlength=8))
    with pytest.raises(HoloError, match="no samples"):
        score_samples(holograms[:0], classifier)


def test_a_conditional_model_is_judged_in_all(
    recipe: Recipe, holograms: Holograms, classifier: TrainedClassifier
) -> None:
    config = attrs.evolve(recipe.model, variational=True, condition=classifier.config.classes)
    model = Model(HolographicAutoencoder(config), "conditional")
    figures = evaluate(model, holograms, classifier=classifier)
    assert figures.equivariance.invariants < 1e-5
    for scores in (figures.data_samples, figures.prior_samples, figures.posterior_samples):
        assert scores is not None
        assert scores.accuracy is not None
        assert scores.counts == (10,) * 8
    # Turning the data changes no score: all are judged in the canonical frame.
    rotation = random_rotations(1, seed=3)[0]
    coefficients = rotate(
        torch.from_numpy(holograms.coefficients).double(), str(holograms.basis.irreps), rotation
    )
    turned = attrs.evolve(holograms, coefficients=coefficients.float().numpy())
    again = evaluate(model, turned, classifier=classifier)
    for scores, others in (
        (figures.data_samples, again.data_samples),
        (figures.posterior_samples, again.posterior_samples),
    ):
        assert scores is not None
        assert others is not None
        np.testing.assert_allclose(others.diversity, scores.diversity, atol=1e-3)


def test_a_conditional_run_ends_with_its_evaluation(
    recipe: Recipe, holograms: Holograms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The validation rows keep the column that the decoder must be told."""
    monkeypatch.setattr("holo_vae.run.importlib.util.find_spec", lambda name: None)  # without mlflow
    condition = Condition(column="structure", categories=tuple(f"s{i}" for i in range(8)))
    conditional = Recipe(
        model=attrs.evolve(recipe.model, condition=condition),
        training=attrs.evolve(recipe.training, epochs=1, group_column="residue_number"),
    )
    save(holograms, tmp_path / "data.h5")
    run = run_training(conditional, tmp_path / "data.h5", tmp_path / "run", name="conditional")
    assert run.evaluation is not None
    assert 0 < run.evaluation.rows < 80
