import json

import attrs
import numpy as np
import pytest
import torch

from holo_nn import cosine_loss
from holo_types import Basis, FormatError, HoloError, Holograms, Zernike, load, save
from holo_vae import (
    HolographicAutoencoder,
    Model,
    ModelConfig,
    Recipe,
    embed_holograms,
    initial_model,
    load as load_model,
    write_model,
)
from holo_vae.recipes.model import Condition


@pytest.fixture
def model(recipe: Recipe) -> Model:
    return initial_model(recipe, 2.5, "small")


def test_encode_gives_one_row_each_with_its_index(model: Model, holograms: Holograms) -> None:
    embeddings = model.encode(holograms, batch_size=7)
    assert embeddings.index == holograms.index
    assert embeddings.invariants.shape == (80, 6)
    assert embeddings.model.basis_digest == holograms.basis.digest
    assert embeddings.degenerate is not None
    assert not embeddings.degenerate.any()
    gram = embeddings.frames @ embeddings.frames.transpose(0, 2, 1)
    assert np.abs(gram - np.eye(3)).max() < 1e-5
    assert np.linalg.det(embeddings.frames) == pytest.approx(1, abs=1e-5)


def test_batches_do_not_change_the_result(model: Model, holograms: Holograms) -> None:
    whole, parts = model.encode(holograms), model.encode(holograms, batch_size=7)
    np.testing.assert_allclose(whole.invariants, parts.invariants, atol=1e-5)


def test_decode_gives_the_data_scale(model: Model, holograms: Holograms) -> None:
    embeddings = model.encode(holograms)
    z, frame = torch.from_numpy(embeddings.invariants), torch.from_numpy(embeddings.frames)
    with torch.inference_mode():
        divided = model.network.decode(z, frame).numpy()
    decoded = model.decode(embeddings, batch_size=11)
    np.testing.assert_allclose(decoded.coefficients, 2.5 * divided, atol=1e-4)
    assert decoded.basis == holograms.basis


def test_no_rows_give_no_embeddings(model: Model, holograms: Holograms) -> None:
    embeddings = model.encode(holograms[:0])
    assert embeddings.invariants.shape == (0, 6)
    assert len(model.decode(embeddings)) == 0


def test_another_basis_is_refused_by_what_differs(model: Model) -> None:
    other = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=8.0), channels=("C", "N"))
    with pytest.raises(HoloError, match=r"cutoff.*8\.0.*takes.*cutoff.*10\.0"):
        model.encode(Holograms(np.ones((1, other.dim)), other))


def test_another_models_embeddings_are_refused(model: Model, recipe: Recipe, holograms: Holograms) -> None:
    seeded = attrs.evolve(recipe, training=attrs.evolve(recipe.training, seed=1))
    with pytest.raises(HoloError, match="made by model 'small'"):
        initial_model(seeded, 2.5, "other").decode(model.encode(holograms))


def test_embeddings_survive_a_file(model: Model, holograms: Holograms, tmp_path) -> None:
    embeddings = model.encode(holograms)
    save(embeddings, tmp_path / "embeddings.h5")
    assert load(tmp_path / "embeddings.h5") == embeddings


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_written_model_computes_the_same(
    model: Model, holograms: Holograms, tmp_path, dtype: torch.dtype
) -> None:
    model.network.to(dtype)
    write_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert again.digest == model.digest
    assert again.reference == model.reference
    first, second = model.encode(holograms), again.encode(holograms)
    assert first.invariants.tobytes() == second.invariants.tobytes()
    assert first.frames.tobytes() == second.frames.tobytes()


def test_writing_again_replaces_the_weights(model: Model, tmp_path) -> None:
    write_model(model, tmp_path)
    with torch.no_grad():
        model.network.mean.bias.add_(1)
    write_model(model, tmp_path)
    assert load_model(tmp_path).digest == model.digest
    assert len(list(tmp_path.iterdir())) == 2


def _edit(folder, **changes: object) -> None:
    """Change a description that has no digest of its own, as those of earlier versions."""
    path = folder / "model.json"
    plain = json.loads(path.read_text())
    del plain["file_digest"]
    path.write_text(json.dumps({**plain, **changes}))


def _changed(folder, **changes: object) -> dict[str, object]:
    config = json.loads((folder / "model.json").read_text())["config"]
    return {**config, **changes}


def _conditional(recipe: Recipe) -> Model:
    labels = Condition(column="label", categories=("a", "b", "c"))
    return initial_model(
        attrs.evolve(recipe, model=attrs.evolve(recipe.model, condition=labels)), 2.5, "told"
    )


def _labeled(holograms: Holograms) -> Holograms:
    labels = np.array(["c", "a", "b", "a"] * 20)
    return attrs.evolve(holograms, index={**holograms.index, "label": labels})


def test_a_conditional_model_decodes_what_it_is_told(recipe: Recipe, holograms: Holograms) -> None:
    model, labeled = _conditional(recipe), _labeled(holograms)
    embeddings = model.encode(labeled)
    decoded = model.decode(embeddings, labeled.index["label"], batch_size=7).coefficients
    of_each = {label: model.decode(embeddings, label).coefficients for label in "abc"}
    assert not np.allclose(of_each["a"], of_each["b"], atol=1e-3)
    for row, label in enumerate(labeled.index["label"]):
        np.testing.assert_allclose(decoded[row], of_each[label][row], atol=1e-5)
    # The linear map of the condition is added to z: the others' z stands for the same as that of this condition.
    network = model.network
    assert network.condition is not None
    shifted = torch.from_numpy(embeddings.invariants) + network.condition.weight[:, 1]
    with torch.inference_mode():
        bottleneck = network.bottleneck(shifted)
        frames = network.frame_projection(torch.from_numpy(embeddings.frames).flatten(1))
        features = network.decoder(torch.cat([bottleneck, frames], dim=1))
        expected = 2.5 * network.final_projection(features)
    np.testing.assert_allclose(of_each["b"], expected, atol=1e-4)


def test_the_condition_is_read_from_its_column(recipe: Recipe, holograms: Holograms) -> None:
    condition = _conditional(recipe).condition(_labeled(holograms).index)
    assert condition[:4].tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]]
    assert condition.dtype == torch.float32


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (None, "condition is None; model 'told' is conditional and needs the label"),
        ("d", "label is 'd'; it must be one of 'a', 'b', 'c'"),
        (np.array(["a", "x", "y"] + ["b"] * 77), "label is 'x', 'y'; it must be one of"),
        (0, "label is 0; it must be one of 'a', 'b', 'c'"),
        (np.array(["a", "b"]), r"condition has shape \(2,\); it must be one category, or have shape \(80,\)"),
    ],
)
def test_a_condition_that_cannot_be_is_refused(
    recipe: Recipe, holograms: Holograms, condition: object, message: str
) -> None:
    model = _conditional(recipe)
    with pytest.raises(HoloError, match=message):
        model.decode(model.encode(holograms), condition)


def test_an_index_without_the_column_is_refused(recipe: Recipe, holograms: Holograms) -> None:
    with pytest.raises(HoloError, match="index has no column 'label'; it has structure, residue_number"):
        _conditional(recipe).condition(holograms.index)


def test_a_model_without_condition_takes_none(model: Model, holograms: Holograms) -> None:
    embeddings = model.encode(holograms)
    with pytest.raises(HoloError, match="model 'small' is not conditional"):
        model.decode(embeddings, "a")
    with pytest.raises(HoloError, match="model 'small' is not conditional"):
        model.condition(holograms.index)
    z, frame = torch.from_numpy(embeddings.invariants), torch.from_numpy(embeddings.frames)
    with pytest.raises(HoloError, match="condition is given"):
        model.network.decode(z, frame, torch.ones(80, 2))


def test_the_reconstruction_cosine_of_a_conditional_model_is_told_the_category(
    recipe: Recipe, holograms: Holograms
) -> None:
    model, labeled = _conditional(recipe), _labeled(holograms)
    embeddings = embed_holograms(model, labeled)
    decoded = model.decode(model.encode(labeled), labeled.index["label"])
    losses = cosine_loss(
        torch.from_numpy(labeled.coefficients).double(),
        torch.from_numpy(decoded.coefficients).double(),
        str(labeled.basis.irreps),
    )
    np.testing.assert_allclose(embeddings.reconstruction_cosine_loss, losses, atol=1e-6)
    with pytest.raises(HoloError, match="no column 'label'"):
        embed_holograms(model, holograms)


def test_settings_that_are_not_used_do_not_change_the_digest(model: Model, tmp_path) -> None:
    write_model(model, tmp_path)
    description = json.loads((tmp_path / "model.json").read_text())
    first = {"basis", "channel_rule", "channels", "connectivity", "initial_projection"}
    assert set(description["config"]) == first | {"latent_dim", "lmax", "variational"}


def test_every_setting_counts_in_the_digest(recipe: Recipe, model: Model) -> None:
    changes = [{"skip": False}, {"norm": "layer"}, {"norm": None}, {"batch_norm": False}]
    digests = {
        Model(HolographicAutoencoder(attrs.evolve(recipe.model, **change)), "other").digest
        for change in changes
    }
    digests.add(model.digest)
    # Weights aside: two settings that have no weights of their own, on the same state.
    skipped = HolographicAutoencoder(attrs.evolve(recipe.model, skip=False)).eval()
    skipped.load_state_dict(model.network.state_dict())
    assert Model(skipped, "small").digest not in digests
    assert len(digests) == 5


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "model.json").unlink(), "holds no model"),
        (lambda f: (f / "model.json").write_text("{"), "holds no model"),
        (lambda f: (f / "model.json").write_text("[]"), "does not describe"),
        (lambda f: _edit(f, format_version=99), "format version 99; this holo-vae reads versions 1 to 2"),
        (lambda f: _edit(f, format_version=0), "format version 0"),
        (lambda f: _edit(f, format_version="2"), "format version '2'"),
        (lambda f: _edit(f, format_version=[]), r"format version \[\]"),
        (lambda f: _edit(f, name=3), "name in model.json is 3; it must be text"),
        (lambda f: _edit(f, weights=None), "weights in model.json is None"),
        (lambda f: _edit(f, config=_changed(f, norm="layer")), "does not fit"),
        (lambda f: _edit(f, config=_changed(f, skip=False)), "was changed after"),
        (lambda f: _edit(f, clebsch_gordan_digest="0"), "other Clebsch-Gordan coefficients"),
        (lambda f: _edit(f, config={"lmax": 3}), "bad config"),
        (lambda f: _edit(f, config=_changed(f, latent_dim=7)), "does not fit"),
        (lambda f: _edit(f, digest="0" * 64), "was changed after"),
        (lambda f: next(f.glob("*.safetensors")).unlink(), "cannot be read as safetensors"),
        (lambda f: next(f.glob("*.safetensors")).write_bytes(b""), "cannot be read as safetensors"),
        (
            lambda f: next(f.glob("*.safetensors")).write_bytes(
                next(f.glob("*.safetensors")).read_bytes()[:-9]
            ),
            "cannot be read as safetensors",
        ),
    ],
)
def test_a_damaged_model_is_refused(model: Model, tmp_path, damage, message: str) -> None:
    write_model(model, tmp_path)
    damage(tmp_path)
    with pytest.raises(FormatError, match=message):
        load_model(tmp_path)


def test_a_kind_that_nobody_knows_is_refused(model: Model, tmp_path) -> None:
    write_model(model, tmp_path)
    _edit(tmp_path, kind="diffusion")
    with pytest.raises(HoloError, match="kind 'diffusion'; it must be 'autoencoder' or 'classifier'"):
        load_model(tmp_path)


def test_a_missing_model_is_refused(tmp_path) -> None:
    with pytest.raises(FormatError, match="no such model"):
        load_model(tmp_path / "nowhere")


def test_a_sphere_model_needs_no_projection() -> None:
    basis = Basis(lmax=4, radial=None, channels=("image",))
    config = ModelConfig(basis=basis, latent_dim=3, lmax=(4, 2, 1), channels=(4, 4, 4), variational=True)
    model = initial_model(Recipe(model=config), 1.0, "sphere")
    embeddings = model.encode(Holograms(np.random.default_rng(0).normal(size=(3, basis.dim)), basis))
    assert embeddings.log_variances is not None
    assert embeddings.log_variances.shape == (3, 3)
