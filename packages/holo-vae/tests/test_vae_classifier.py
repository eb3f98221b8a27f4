import attrs
import numpy as np
import pytest
import torch

from holo_nn import rotate
from holo_nn.testing import random_rotations
from holo_types import Basis, HoloError, Holograms, Zernike
from holo_vae import Model, ModelConfig, load, write_model
from holo_vae.networks.classifier import Classifier, TrainedClassifier
from holo_vae.networks.network import HolographicAutoencoder
from holo_vae.recipes.model import ClassifierConfig, Condition

BASIS = Basis(lmax=4, radial=Zernike(nmax=5, cutoff=10.0), channels=("C", "N"))
CLASSES = Condition(column="residue_name", categories=("ALA", "GLY", "SER"))
CONFIGS = {
    "scalars": ClassifierConfig(
        basis=BASIS,
        lmax=(4, 2, 1, 0),
        channels=(5, 6, 6, 8),
        initial_projection=4,
        classes=CLASSES,
        hidden=(7,),
    ),
    "lengths too": ClassifierConfig(
        basis=BASIS, lmax=(3, 2), channels=(5, 6), channel_rule=("full", "elementwise"), classes=CLASSES
    ),
}


def _classifier(config: ClassifierConfig, dtype: torch.dtype = torch.float32) -> TrainedClassifier:
    torch.manual_seed(0)
    network = Classifier(config).to(dtype)
    network.scale.fill_(2.0)
    with torch.no_grad():
        for _ in range(5):
            network(3 * torch.randn(64, config.basis.dim, dtype=dtype))
    return TrainedClassifier(network.eval(), "scorer", "3")


def _holograms(rows: int) -> Holograms:
    return Holograms(np.random.default_rng(0).normal(size=(rows, BASIS.dim)), BASIS)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_what_it_sees_does_not_turn(config: ClassifierConfig, dtype: torch.dtype, tolerance: float) -> None:
    network = _classifier(config, dtype).network
    x = torch.randn(200, BASIS.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x[0] = 0
    turned = rotate(x, str(BASIS.irreps), random_rotations(200, seed=2))
    with torch.inference_mode():
        for function in (network, network.features):
            first, second = function(x.to(dtype)), function(turned.to(dtype))
            assert (second - first).abs().max() < tolerance * first.abs().max()


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_gradients_are_finite_also_of_an_empty_neighborhood(config: ClassifierConfig) -> None:
    network = Classifier(config).train()
    x = torch.randn(6, BASIS.dim)
    x[0] = 0
    x.requires_grad_()
    torch.nn.functional.cross_entropy(network(x), torch.tensor([0, 1, 2] * 2)).backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_the_features_of_higher_degrees_are_lengths() -> None:
    network = _classifier(CONFIGS["lengths too"], torch.float64).network
    x = torch.randn(3, BASIS.dim, dtype=torch.float64)
    with torch.inference_mode():
        last, features = network.last_features(x), network.features(x)
    assert torch.equal(features[:, :6], last[:, :6])
    vectors, rest = last[:, 6:24].reshape(3, 6, 3), last[:, 24:].reshape(3, 6, 5)
    assert torch.allclose(features[:, 6:12], vectors.norm(dim=2) / 3**0.5, atol=1e-6)
    assert torch.allclose(features[:, 12:], rest.norm(dim=2) / 5**0.5, atol=1e-6)


def test_holograms_are_divided_by_the_scale() -> None:
    classifier = _classifier(CONFIGS["scalars"], torch.float64)
    holograms = _holograms(4)
    before = classifier.predict(holograms)
    classifier.network.scale.fill_(1.0)
    halved = Holograms(holograms.coefficients / 2, BASIS)
    np.testing.assert_allclose(classifier.predict(halved), before, atol=1e-12)


def test_probabilities_are_those_of_the_logits() -> None:
    classifier, holograms = _classifier(CONFIGS["scalars"], torch.float64), _holograms(20)
    probabilities = classifier.predict(holograms, batch_size=7)
    with torch.inference_mode():
        logits = classifier.network(torch.from_numpy(holograms.coefficients)).numpy()
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, atol=1e-12)
    assert classifier.classes == ("ALA", "GLY", "SER")
    assert classifier.predict(holograms[:0]).shape == (0, 3)


def test_another_basis_is_refused() -> None:
    other = Basis(lmax=4, radial=Zernike(nmax=5, cutoff=9.0), channels=("C", "N"))
    with pytest.raises(HoloError, match=r"cutoff.*9\.0.*model 'scorer' takes"):
        _classifier(CONFIGS["scalars"]).predict(Holograms(np.ones((1, other.dim)), other))


def test_a_written_classifier_computes_the_same(tmp_path) -> None:
    classifier, holograms = _classifier(CONFIGS["lengths too"]), _holograms(5)
    write_model(classifier, tmp_path)
    assert isinstance(load(tmp_path), TrainedClassifier)
    again = load(tmp_path, TrainedClassifier)
    assert again.reference == classifier.reference
    assert again.predict(holograms).tobytes() == classifier.predict(holograms).tobytes()


def test_who_needs_an_autoencoder_is_told_that_it_is_none(tmp_path) -> None:
    write_model(_classifier(CONFIGS["scalars"]), tmp_path)
    with pytest.raises(HoloError, match="'scorer' is of the kind 'classifier'; it must be 'autoencoder'"):
        load(tmp_path, Model)
    config = ModelConfig(basis=BASIS, latent_dim=2, lmax=(2, 1), channels=(3, 3), initial_projection=3)
    write_model(Model(HolographicAutoencoder(config), "auto"), tmp_path)
    assert load(tmp_path, Model).name == "auto"


def test_classes_count_in_the_digest() -> None:
    one = _classifier(CONFIGS["scalars"])
    others = attrs.evolve(CLASSES, categories=("ALA", "GLY", "TRP"))
    two = _classifier(attrs.evolve(CONFIGS["scalars"], classes=others))
    assert one.digest != two.digest
