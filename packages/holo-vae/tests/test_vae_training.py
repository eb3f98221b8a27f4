import json
import math
from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from holo_nn import rotate
from holo_types import Basis, HoloError, Holograms
from holo_vae import (
    ClassifierConfig,
    Condition,
    ModelConfig,
    Recipe,
    TrainingConfig,
    initial_classifier,
    initial_model,
    open_rows,
    split_by_group,
    train,
)
from holo_vae.networks.network import Latent
from holo_vae.training.engine import Epoch, Step
from holo_vae.training.objectives import Autoencoding, kl_divergence
from holo_vae.training.schedules import learning_rate


def _rows(holograms: Holograms, recipe: Recipe):
    split = split_by_group(holograms, "structure", 0.25, 0)
    options = {
        "shuffle_rows": 1000,
        "dtype": torch.float64 if recipe.training.precision == "float64" else torch.float32,
    }
    if isinstance(recipe.model, ClassifierConfig):
        options["condition"] = recipe.model.classes
    elif recipe.model.condition is not None:
        options["condition"] = recipe.model.condition
    return [open_rows(holograms, rows=rows, **options) for rows in (split.training, split.validation)]


def _trained(holograms: Holograms, recipe: Recipe, **options: object):
    classifier = isinstance(recipe.model, ClassifierConfig)
    model = (initial_classifier if classifier else initial_model)(recipe, 4.0, "small")
    return model, list(train(model.network, *_rows(holograms, recipe), recipe, **options))


def _evolve(recipe: Recipe, variational: bool = False, **training: object) -> Recipe:
    return attrs.evolve(
        recipe,
        model=attrs.evolve(recipe.model, variational=variational),
        training=attrs.evolve(recipe.training, **training),
    )


@pytest.mark.parametrize(
    ("variational", "optimizer", "rate"),
    [(False, "adam", 2e-2), (True, "adamw", 2e-2), (False, "muon", 1e-1)],
)
def test_training_learns(
    holograms: Holograms, recipe: Recipe, variational: bool, optimizer: str, rate: float
) -> None:
    chosen = _evolve(
        recipe, variational, epochs=25, learning_rate=rate, kl_weight=0.01, kl_warmup=5, optimizer=optimizer
    )
    _, history = _trained(holograms, chosen)
    assert min(epoch.validation["mse"] for epoch in history) < 0.6 * history[0].validation["mse"]
    assert (history[-1].parts["kl"] > 0) == variational


def test_a_conditional_model_learns_with_its_labels(holograms: Holograms, recipe: Recipe) -> None:
    condition = Condition(column="structure", categories=tuple(f"s{i}" for i in range(8)))
    conditional = attrs.evolve(recipe, model=attrs.evolve(recipe.model, condition=condition))
    model, history = _trained(holograms, _evolve(conditional, True, epochs=10, learning_rate=2e-2))
    assert history[-1].loss < 0.5 * history[0].loss
    weight = model.network.state_dict()["condition.weight"]
    start = initial_model(conditional, 4.0, "start").network.state_dict()["condition.weight"]
    assert not torch.equal(weight, start)


def test_a_classifier_learns(basis: Basis) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=300)
    # Classes that differ in size of degree 1: what no rotation hides.
    coefficients = rng.normal(size=(300, basis.dim)) * 0.1
    coefficients[:, 6:] *= (1 + 3 * labels)[:, None]
    holograms = Holograms(
        coefficients.astype(np.float32), basis, {"structure": np.arange(300) % 8, "kind": labels}
    )
    recipe = Recipe(
        model=ClassifierConfig(
            basis=basis,
            lmax=(2, 1),
            channels=(6, 8),
            initial_projection=6,
            classes=Condition(column="kind", categories=(0, 1, 2)),
        ),
        training=TrainingConfig(epochs=8, batch_size=20, learning_rate=3e-2),
    )
    _, history = _trained(holograms, recipe)
    assert min(epoch.validation["errors"] for epoch in history) < 0.2


def test_the_best_epoch_is_kept(holograms: Holograms, recipe: Recipe) -> None:
    chosen = _evolve(recipe, epochs=12, learning_rate=2e-2)
    model = initial_model(chosen, 4.0, "small")
    digests, history = [], []
    for epoch in train(model.network, *_rows(holograms, chosen), chosen):
        digests.append(model.digest)
        history.append(epoch)
    best = int(np.argmin([epoch.validation_loss for epoch in history]))
    assert history[best].best
    assert model.digest == digests[best] == digests[-1]
    assert len(set(digests)) == sum(epoch.best for epoch in history)


def test_the_same_seed_gives_the_same_weights(holograms: Holograms, recipe: Recipe) -> None:
    first, second = (_trained(holograms, _evolve(recipe, True, masking=0.2))[0].digest for _ in range(2))
    other, _ = _trained(holograms, _evolve(recipe, True, masking=0.2, seed=1))
    assert first == second != other.digest


def test_training_leaves_the_global_random_state_alone(holograms: Holograms, recipe: Recipe) -> None:
    before = torch.random.get_rng_state()
    _trained(holograms, _evolve(recipe, True, masking=0.2))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_an_interrupted_training_goes_on_to_the_bit(
    holograms: Holograms, recipe: Recipe, tmp_path: Path, optimizer: str
) -> None:
    chosen = _evolve(
        recipe,
        True,
        epochs=4,
        kl_weight=0.1,
        ema_decay=0.9,
        checkpoint_minutes=0.0,
        optimizer=optimizer,
    )
    model, undisturbed = _trained(holograms, chosen)

    class Stop(Exception):
        pass

    def stop_at(number: int) -> Callable[[Step], None]:
        def on_step(step: Step) -> None:
            if step.number == number:
                raise Stop

        return on_step

    for number in (2, 5, 9):
        with pytest.raises(Stop):
            _trained(holograms, chosen, state=tmp_path, on_step=stop_at(number))
    resumed, history = _trained(holograms, chosen, state=tmp_path)
    assert resumed.digest == model.digest
    assert [_timeless(epoch) for epoch in history] == [_timeless(epoch) for epoch in undisturbed]


def _timeless(epoch: Epoch) -> Epoch:
    return attrs.evolve(epoch, seconds=0.0, samples_per_second=0.0)


def test_a_state_of_another_run_is_refused(holograms: Holograms, recipe: Recipe, tmp_path: Path) -> None:
    _trained(holograms, recipe, state=tmp_path)
    with pytest.raises(HoloError, match="another recipe or other data"):
        _trained(holograms, _evolve(recipe, batch_size=11), state=tmp_path)
    with pytest.raises(HoloError, match="another recipe or other data"):
        _trained(holograms[:70], recipe, state=tmp_path)


@pytest.mark.parametrize("damage", ["empty", "cut", "other", "missing"])
def test_a_damaged_state_is_refused_by_name(
    holograms: Holograms, recipe: Recipe, tmp_path: Path, damage: str
) -> None:
    _trained(holograms, recipe, state=tmp_path)
    [tensors] = tmp_path.glob("*.safetensors")
    if damage == "cut":
        tensors.write_bytes(tensors.read_bytes()[:1000])
    elif damage == "missing":
        tensors.unlink()
    else:
        (tmp_path / "state.json").write_text("" if damage == "empty" else '{"format": "a"}')
    with pytest.raises(HoloError, match=r"state\.json"):
        _trained(holograms, recipe, state=tmp_path)


def test_a_state_that_calls_the_cosine_loss_cosine_is_read(
    holograms: Holograms, recipe: Recipe, tmp_path: Path
) -> None:
    _, history = _trained(holograms, recipe, state=tmp_path)
    state = tmp_path / "state.json"
    plain = json.loads(state.read_text().replace('"cosine_loss"', '"cosine"'))
    del plain["file_digest"]  # which those states had not
    state.write_text(json.dumps(plain))
    assert _trained(holograms, recipe, state=tmp_path)[1] == history


def test_training_stops_early(holograms: Holograms, recipe: Recipe) -> None:
    chosen = _evolve(recipe, epochs=50, learning_rate=0.0, early_stopping=3)
    _, history = _trained(holograms, chosen)
    # A rate of 0 changes nothing but the running statistics.
    losses = [epoch.validation_loss for epoch in history]
    assert len(losses) < 50
    assert len(losses) - 1 - losses.index(min(losses)) == 3


def test_masked_blocks_are_whole(basis: Basis) -> None:
    config = ModelConfig(basis=basis, latent_dim=4, lmax=(2, 1), channels=(6, 8), initial_projection=6)
    objective = Autoencoding(config, TrainingConfig(masking=0.3))
    kept = objective.draw(torch.Generator().manual_seed(0), 2000)["kept"]
    assert kept is not None
    start, shares = 0, []
    for channels, degree in basis.irreps:
        block = kept[:, start : start + channels * (2 * degree + 1)].unflatten(1, (channels, -1))
        assert (block.any(dim=2) == block.all(dim=2)).all()
        shares.append(block[:, :, 0].double().mean())
        start += channels * (2 * degree + 1)
    assert torch.stack(shares) == pytest.approx(0.7, abs=0.02)


def test_masking_hides_the_input_and_asks_for_all_of_it(holograms: Holograms, recipe: Recipe) -> None:
    chosen = _evolve(recipe, masking=0.5)
    network = initial_model(chosen, 4.0, "small").network
    objective = Autoencoding(chosen.model, chosen.training)
    x = torch.from_numpy(holograms.coefficients)
    draws = objective.draw(torch.Generator().manual_seed(0), len(x))
    mse = objective.values(network, x, None, draws)[:, 0]
    decoded, _ = network(x * draws["kept"])
    torch.testing.assert_close(mse, (decoded - x / 4.0).square().mean(dim=1))


def test_frames_are_pulled_to_the_axes_of_rows_in_one_pose(basis: Basis, recipe: Recipe) -> None:
    rng = np.random.default_rng(0)
    shapes = rng.normal(size=(3, basis.dim))
    coefficients = shapes.repeat(60, axis=0) + 0.1 * rng.normal(size=(180, basis.dim))
    rows = open_rows(Holograms(coefficients.astype(np.float32), basis), shuffle_rows=1000)
    turned = torch.from_numpy(Rotation.random(180, rng=rng).as_matrix())
    in_any_pose = rotate(torch.from_numpy(coefficients), str(basis.irreps), turned).float()
    validation = open_rows(Holograms(in_any_pose.numpy(), basis), shuffle_rows=1000)
    chosen = _evolve(recipe, epochs=15, learning_rate=2e-2, frame_weight=5.0)
    network = initial_model(chosen, 4.0, "small").network
    history = list(train(network, rows, validation, chosen))
    assert history[0].parts["frame"] > 0.4
    assert history[-1].parts["frame"] < 0.02
    frames = network.encode(in_any_pose).frame.double()
    # frame' = frame Rᵀ: of a row that is turned by R the frame is Rᵀ.
    assert (frames - turned.mT).square().mean() < 0.02
    assert set(history[-1].validation) == {
        "mse",
        "kl",
        "cosine_loss",
    }  # poses of validation rows mean nothing
    weight = chosen.training.reconstruction_weight
    assert history[-1].validation_loss == pytest.approx(weight * history[-1].validation["mse"])


def test_a_training_that_explodes_is_stopped_and_its_state_is_sound(
    holograms: Holograms, recipe: Recipe, tmp_path: Path
) -> None:
    huge = attrs.evolve(holograms, coefficients=holograms.coefficients * np.float32(1e25))
    model = initial_model(recipe, 1.0, "small")
    with pytest.raises(HoloError, match=r"loss is .* lower the learning rate"):
        list(train(model.network, *_rows(huge, recipe), recipe, state=tmp_path))
    assert not list(tmp_path.iterdir())


def test_too_few_rows_are_refused(holograms: Holograms, recipe: Recipe) -> None:
    one = open_rows(holograms[:1], shuffle_rows=1000)
    with pytest.raises(HoloError, match="1 training and 1 validation rows"):
        list(train(initial_model(recipe, 1.0, "small").network, one, one, recipe))


def _rates(losses: list[float], **settings: object) -> list[float]:
    config = TrainingConfig(epochs=6, warmup_steps=5, learning_rate=1.0, **settings)
    return [learning_rate(config, step, 10, losses) for step in range(60)]


def test_the_warm_up_is_linear() -> None:
    for schedule in ("cosine", "exponential", "plateau", "constant"):
        assert _rates([], schedule=schedule)[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_the_cosine_schedule_is_that_of_torch() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 55)
    expected = []
    for _ in range(55):
        expected.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert _rates([], schedule="cosine")[5:] == pytest.approx(expected)


def test_the_exponential_schedule_falls_tenfold() -> None:
    rates = _rates([], schedule="exponential", decay_epochs=4)
    assert rates[20] == pytest.approx(0.1**0.5)
    assert rates[40:] == pytest.approx([0.1] * 20)


def test_the_plateau_schedule_is_that_of_torch() -> None:
    losses = [5.0, 4.0, 4.1, 4.2, 3.0, 3.0, 3.1, 3.2, 3.3, 2.0]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    # torch acts when more than `patience` epochs are bad.
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=1, threshold=0.0)
    for count, loss in enumerate(losses):
        rate = _rates(losses[:count], schedule="plateau", plateau_patience=2)[-1]
        assert math.isclose(rate, optimizer.param_groups[0]["lr"], rel_tol=1e-9)
        schedule.step(loss)


def test_the_kl_is_that_of_torch_distributions() -> None:
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, 5, 4, generator=generator)
    ours = kl_divergence(Latent(mean, log_variance, torch.zeros(5, 3, 3)))
    theirs = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, (log_variance / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    )
    torch.testing.assert_close(ours, theirs.sum(1))
