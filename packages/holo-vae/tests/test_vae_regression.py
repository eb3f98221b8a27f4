"""A trained model still gives what it gave, and is still equivariant (golden/make_regression.py).

Each is tested with the compiled loops, where they run, and with the pure form, which other devices, export and second
derivatives use. `test_vae_regression_red.py` shows that each of these tests fails when what it guards is broken.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from holo_nn import pure_form
from holo_types import Embeddings, Holograms, load
from holo_vae import embed_holograms, equivariance_errors, load as load_model, reconstruction

GOLDEN = Path(__file__).parent / "golden" / "regression"

MSE = 2.3960724e-3  # of the recorded holograms, in the divided scale

pytestmark = pytest.mark.regression


@pytest.fixture(autouse=True, params=["compiled", "pure"])
def _form(request: pytest.FixtureRequest) -> Iterator[None]:
    with pure_form() if request.param == "pure" else nullcontext():
        yield


def _recorded() -> tuple[Holograms, Embeddings]:
    holograms, embeddings = load(GOLDEN / "holograms.h5"), load(GOLDEN / "embeddings.h5")
    assert isinstance(holograms, Holograms)
    assert isinstance(embeddings, Embeddings)
    return holograms, embeddings


def test_the_embeddings_are_the_recorded_ones() -> None:
    holograms, recorded = _recorded()
    embeddings = embed_holograms(load_model(GOLDEN / "model"), holograms)
    assert embeddings.model == recorded.model
    largest = np.abs(recorded.invariants).max()
    assert np.abs(embeddings.invariants - recorded.invariants).max() < 1e-5 * largest
    assert np.percentile(np.abs(embeddings.frames - recorded.frames).max(axis=(1, 2)), 90) < 1e-5


def test_the_reconstruction_is_as_good_as_recorded() -> None:
    holograms, recorded = _recorded()
    embeddings = embed_holograms(load_model(GOLDEN / "model"), holograms)
    assert embeddings.reconstruction_cosine_loss is not None
    assert recorded.reconstruction_cosine_loss is not None
    assert recorded.reconstruction_cosine_loss.mean() < 0.25  # the model did learn: untrained it is about 1
    assert embeddings.reconstruction_cosine_loss.mean() == pytest.approx(
        recorded.reconstruction_cosine_loss.mean(), abs=1e-5
    )


def test_the_reconstruction_has_the_recorded_scale() -> None:
    """The cosine loss does not depend on the scale: a decoder times ten has the same loss."""
    holograms, _ = _recorded()
    assert reconstruction(load_model(GOLDEN / "model"), holograms).mse == pytest.approx(MSE, rel=1e-4)


def test_the_model_is_equivariant() -> None:
    holograms, _ = _recorded()
    errors = equivariance_errors(load_model(GOLDEN / "model"), holograms)
    assert errors.invariants < 1e-5
    assert errors.frame_p99 < 1e-4
    assert errors.reconstruction_p99 < 1e-4
