"""Structures to embeddings by several threads: what one thread gives alone, in the order of the files."""

import subprocess
import sys
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch

import holo_vae
from holo_features import encode_structures, neighborhoods, read_structure, zernike_transform
from holo_features.datasets import example_structures
from holo_types import Basis, Embeddings, HoloError, Holograms, Zernike, load, rotation_between, save
from holo_vae import HolographicAutoencoder, Model, ModelConfig
from holo_vae.embedding import embed, embed_holograms, embed_structures

BASIS = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N", "O", "S"))


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    config = ModelConfig(basis=BASIS, latent_dim=5, lmax=(2, 1), channels=(6, 6), initial_projection=6)
    return Model(HolographicAutoencoder(config), "small")


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2, "embedding leaves the number as it was"
    torch.set_num_threads(before)


def equal(found: Embeddings | None, expected: Embeddings) -> None:
    assert found is not None
    assert found.model == expected.model
    np.testing.assert_array_equal(found.degenerate, expected.degenerate)
    for name in ("invariants", "frames", "reconstruction_cosine_loss"):
        value, wanted = getattr(found, name), getattr(expected, name)
        # Sums over a batch of another size round otherwise.
        np.testing.assert_allclose(value, wanted, rtol=0, atol=1e-5 * abs(wanted).max(), err_msg=name)
    assert found.index.keys() == expected.index.keys()
    for name, column in expected.index.items():
        np.testing.assert_array_equal(found.index[name], column)


@pytest.mark.usefixtures("two_threads")
def test_threads_give_what_each_structure_gives_alone(
    model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("holo_vae.embedding._BLOCK", 100)  # so that a structure has several
    bad = tmp_path / "bad.pdb"
    bad.write_text("rubbish")
    paths = example_structures()[:3]
    found = list(embed_structures([paths[0], bad, *paths[1:]], model))
    assert [result.encoded.path for result in found] == [paths[0], bad, *paths[1:]]
    assert found[1].embeddings is None
    assert isinstance(found[1].encoded.error, HoloError)
    for result, encoded in zip([found[0], *found[2:]], encode_structures(paths, BASIS), strict=True):
        assert encoded.holograms is not None
        equal(result.embeddings, embed_holograms(model, encoded.holograms))


@pytest.mark.usefixtures("two_threads")
def test_each_thread_computes_alone(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def watched(model: Model, block: Holograms, *, device: str) -> Embeddings:
        seen.append(torch.get_num_threads())
        return embed_holograms(model, block, device=device)

    monkeypatch.setattr("holo_vae.embedding.embed_holograms", watched)
    holo_vae.embed(example_structures()[:2], model)
    assert set(seen) == {1}


@pytest.mark.usefixtures("two_threads")
def test_who_asks_for_no_more_ends_the_threads(model: Model) -> None:
    results = embed_structures(example_structures(), model)
    next(results)
    results.close()  # type: ignore[attr-defined]


@pytest.mark.usefixtures("two_threads")
def test_what_a_thread_raises_is_raised(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> Embeddings:
        raise HoloError("of a thread")

    monkeypatch.setattr("holo_vae.embedding.embed_holograms", failing)
    with pytest.raises(HoloError, match="of a thread"):
        holo_vae.embed(example_structures()[:1], model)


def test_two_structures_are_superposed_by_centers_and_frames_alone(model: Model, tmp_path: Path) -> None:
    """A rigid motion is found from one residue of each embedding, without the structures."""
    rng = np.random.default_rng(3)
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation, shift = q * np.linalg.det(q), np.array([5.0, -3.0, 8.0])
    structure = read_structure(example_structures()[0])
    moved = structure.atoms.copy()
    moved.coord = (structure.atoms.coord @ rotation.T + shift).astype(np.float32)
    first, second = (
        model.encode(zernike_transform(neighborhoods(attrs.evolve(structure, atoms=atoms)), BASIS))
        for atoms in (structure.atoms, moved)
    )
    save(second, tmp_path / "second.h5")
    second = load(tmp_path / "second.h5", kind=Embeddings)
    assert first.centers is not None
    assert second.centers is not None
    row = int(np.flatnonzero(~first.degenerate)[0])
    turn = rotation_between(first.frames[row].astype(float), second.frames[row].astype(float))
    superposed = (first.centers - first.centers[row]) @ turn.T + second.centers[row]
    # The frames of float32 holograms are exact to some 1e-5, and an error of an angle grows over 50 Å.
    np.testing.assert_allclose(superposed, second.centers, atol=5e-3)


def test_the_command_imports_nothing_that_it_does_not_use(tmp_path: Path) -> None:
    # Each import takes a second or part of one, which a user who embeds a single structure would wait for.
    absent = (
        "e3nn",
        "holo_vae.evaluation",
        "matplotlib",
        "networkx",
        "scipy",
        "sympy",
        "torch._dynamo",
    )
    arguments = ["holo-vae", "embed", str(example_structures()[0]), "--out", str(tmp_path / "embeddings.h5")]
    program = f"""
import sys
from holo_vae.cli.program import main
sys.argv = {arguments}
print(main())
print([module for module in {absent} if module in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["0", "[]"]
    assert len(load(tmp_path / "embeddings.h5", kind=Embeddings)) > 10


def test_one_path_is_taken_as_one_file(model: Model) -> None:
    (path, *_) = example_structures()
    equal(embed(str(path), model), embed([path], model))


def test_models_are_printed_in_a_few_lines(model: Model) -> None:
    lines = repr(model).splitlines()
    assert len(lines) <= 10
    assert lines[0].startswith(f"{model.name}, version {model.version}: HolographicAutoencoder with ")
    assert str(model.config.basis) in repr(model)
    assert model.name in model._repr_html_()
