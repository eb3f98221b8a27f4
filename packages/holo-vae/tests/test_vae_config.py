import re

import attrs
import pytest
from hypothesis import given, strategies as st

from holo_types import Basis, FormatError, HoloError, Zernike
from holo_vae import ModelConfig, Recipe, TrainingConfig, read_recipe, write_recipe
from holo_vae.recipes.data import MnistData, StructureData
from holo_vae.recipes.model import ClassifierConfig, Condition
from holo_vae.recipes.recipe import from_plain, to_plain
from holo_vae.run import default_recipe

PROTEIN = Basis(6, Zernike(20, 10.0), ("C", "N", "O", "S"))


def _draw_recipe(data: st.DataObject) -> Recipe:
    # Not a strategy: beartype draws random numbers when it checks the configuration, and strategies must not.
    draw = data.draw
    lmax = draw(st.integers(1, 8))
    path = [lmax]
    while path[-1] > 1:
        path.append(draw(st.integers((path[-1] + 1) // 2, path[-1] - 1)))
    path = path[1:] or [1]
    blocks = len(path)

    def rules(*names: str) -> object:
        one = st.sampled_from(names)
        return draw(one | st.lists(one, min_size=blocks, max_size=blocks).map(tuple))

    categories = st.lists(st.integers() | st.text(max_size=5), min_size=2, max_size=4, unique=True)
    common = {
        "basis": Basis(
            lmax,
            Zernike(
                draw(st.integers(lmax, 12)),
                draw(st.floats(1, 20)),
                envelope=draw(st.none() | st.floats(0.1, 1)),
            ),
            ("C", "other"),
        ),
        "lmax": tuple(path),
        "channels": tuple(draw(st.lists(st.integers(1, 99), min_size=blocks, max_size=blocks))),
        "initial_projection": draw(st.integers(1, 50)),
        "connectivity": rules("efficient", "full"),
        "channel_rule": rules("elementwise", "full"),
        "batch_norm": draw(st.booleans()),
        "norm": draw(st.sampled_from(["signal", "layer", "instance", None])),
        "skip": draw(st.booleans()),
    }
    widths = tuple(draw(st.lists(st.integers(1, 99), max_size=2)))
    condition = Condition(column=draw(st.text(max_size=5)), categories=tuple(draw(categories)))
    model: ModelConfig | ClassifierConfig
    if draw(st.booleans()):
        model = ClassifierConfig(**common, classes=condition, hidden=widths)
    else:
        model = ModelConfig(
            **common,
            latent_dim=draw(st.integers(1, 256)),
            variational=draw(st.booleans()),
            bottleneck=widths,
            condition=draw(st.sampled_from([None, condition])),
        )
    return Recipe(model=model, training=TrainingConfig(epochs=draw(st.integers(1, 99)), seed=3))


def test_a_basis_without_an_envelope_is_written_as_before_there_were_any() -> None:
    config = ModelConfig(
        basis=PROTEIN, latent_dim=4, lmax=(3, 2, 1), channels=(4, 4, 4), initial_projection=4
    )
    assert to_plain(config)["basis"]["radial"] == {
        "nmax": 20,
        "cutoff": 10.0,
        "normalization": "orthonormal",
    }
    smooth = attrs.evolve(config, basis=attrs.evolve(PROTEIN, radial=Zernike(20, 10.0, envelope=1.5)))
    assert to_plain(smooth)["basis"]["radial"]["envelope"] == 1.5
    assert from_plain(to_plain(smooth), ModelConfig) == smooth


@given(st.data())
def test_a_recipe_survives_yaml(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    recipe = _draw_recipe(data)
    path = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    write_recipe(recipe, path)
    assert read_recipe(path) == recipe


@pytest.mark.parametrize(
    "place", [("model",), ("training",), ("model", "basis"), ("model", "basis", "radial"), ()]
)
def test_an_unknown_key_is_refused_by_name(place: tuple[str, ...]) -> None:
    plain = to_plain(default_recipe(PROTEIN))
    inner = plain
    for key in place:
        inner = inner[key]
    inner["chanels"] = 3
    with pytest.raises(HoloError, match="chanels"):
        from_plain(plain, Recipe)


@pytest.mark.parametrize("place", [(), ("classes",), ("basis",)])
def test_an_unknown_key_of_a_classifier_is_refused_by_name(place: tuple[str, ...]) -> None:
    classes = Condition(column="label", categories=(0, 1))
    config = ClassifierConfig(basis=Basis(4, None, ("image",)), lmax=(4, 2), channels=(4, 4), classes=classes)
    plain = to_plain(Recipe(model=config))
    inner = plain["model"]
    for key in place:
        inner = inner[key]
    inner["latent_dim"] = 3
    with pytest.raises(HoloError, match="latent_dim"):
        from_plain(plain, Recipe)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lmax": (4, 2, 2)}, "ends in 2"),
        ({"lmax": (2, 1, 1)}, "from 6 to 2"),
        ({"lmax": (4, 2)}, "has 2 entries and channels 3"),
        ({"channels": (4, 0, 4)}, "at least 1"),
        ({"latent_dim": 0}, "ModelConfig.latent_dim is 0"),
        ({"initial_projection": None}, "initial_projection is None"),
        ({"initial_projection": 0}, "initial_projection 0"),
        ({"connectivity": ("full",)}, r"ModelConfig\.connectivity has 1 rules"),
        ({"channel_rule": ("full",) * 9}, r"ModelConfig\.channel_rule has 9 rules"),
        ({"bottleneck": (8, 0)}, r"ModelConfig\.bottleneck is \(8, 0\)"),
        (
            {"prior_components": 3},
            r"ModelConfig\.prior_components is 3; it must be 0 where variational is false",
        ),
    ],
)
def test_a_model_that_cannot_be_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(HoloError, match=message):
        attrs.evolve(default_recipe(PROTEIN).model, **change)


def test_the_first_block_takes_unequal_multiplicities_if_its_channels_are_full() -> None:
    model = default_recipe(PROTEIN).model
    rules = ("full", *("elementwise",) * (len(model.lmax) - 1))
    assert attrs.evolve(model, initial_projection=None, channel_rule=rules).channel_rules == rules


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": (0,)}, r"ClassifierConfig\.hidden is \(0,\)"),
        ({"lmax": (4, 2, 0, 0), "channels": (4, 4, 1, 4), "norm": "layer"}, "one channel of degree 0 alone"),
        ({"lmax": (4, 2, 0), "channels": (4, 4)}, r"ClassifierConfig: lmax has 3 entries"),
    ],
)
def test_a_classifier_that_cannot_be_is_refused(change: dict[str, object], message: str) -> None:
    classes = Condition(column="label", categories=(0, 1))
    basis = Basis(4, None, ("image",))
    with pytest.raises(HoloError, match=message):
        ClassifierConfig(**{"basis": basis, "lmax": (4, 2), "channels": (4, 4), "classes": classes, **change})


@pytest.mark.parametrize("categories", [(), ("a",), ("a", "b", "a")])
def test_categories_that_cannot_be_are_refused(categories: tuple[str, ...]) -> None:
    with pytest.raises(HoloError, match=r"Condition\.categories"):
        Condition(column="label", categories=categories)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"batch_size": 1}, "batch_size"),
    ],
)
def test_a_training_that_cannot_be_is_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(HoloError, match=message):
        TrainingConfig(**change)


def test_a_wrong_type_is_named() -> None:
    plain = to_plain(default_recipe(PROTEIN))
    plain["training"]["epochs"] = "many"
    with pytest.raises(HoloError, match=r"epochs|many"):
        from_plain(plain, Recipe)


@pytest.mark.parametrize("content", [b"", b"- 1\n", b"model: [", b"\xff\xfe\x00"])
def test_a_file_that_is_no_recipe_is_refused_by_name(tmp_path, content: bytes) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    with pytest.raises(HoloError, match=r"recipe\.yaml"):
        read_recipe(path)
    with pytest.raises(FormatError, match=r"missing\.yaml"):
        read_recipe(tmp_path / "missing.yaml")


def test_the_kl_weight_rises_as_the_paper_says() -> None:
    config = TrainingConfig(kl_weight=0.6, kl_start=25, kl_warmup=35)
    weights = [config.kl_weight_at(epoch) for epoch in range(80)]
    assert weights[:25] == [0.0] * 25
    assert weights[25] == pytest.approx(0.6 / 35)
    assert weights[59:] == [pytest.approx(0.6)] * 21


@pytest.mark.parametrize("lmax", [1, 2, 3, 6, 10, 14, 20, 40, 64])
def test_every_basis_has_a_default(lmax: int) -> None:
    assert default_recipe(Basis(lmax, None, ("image",))).model.lmax[-1] == 1


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("training", "epochs", 2.7),
        ("training", "seed", -1),
        ("training", "gradient_clip", 0.0),
        ("model", "variational", "false"),
        ("model", "channels", "666"),
        ("model", "latent_dim", True),
        ("model", "skip", 0),
        ("model", "condition", {"column": "label", "categories": [0, 1.5]}),
    ],
)
def test_a_value_is_never_taken_for_another(part: str, key: str, value: object) -> None:
    plain = to_plain(default_recipe(PROTEIN))
    plain[part][key] = value
    wrong = 1.5 if key == "condition" else value
    with pytest.raises(HoloError, match=re.escape(repr(wrong))):
        from_plain(plain, Recipe)


@pytest.mark.parametrize(
    ("key", "value", "wrong"),
    [
        ("norm", "batch", "batch"),
        ("connectivity", ["full", "fast", "full"], "fast"),
        ("channel_rule", 3, "3"),
    ],
)
def test_an_unknown_choice_is_named_with_its_setting(key: str, value: object, wrong: str) -> None:
    plain = to_plain(default_recipe(PROTEIN))
    plain["model"][key] = value
    with pytest.raises(HoloError, match=rf"model\.{key}.* is '?{wrong}"):
        from_plain(plain, Recipe)


def test_a_schedule_longer_than_the_training_is_refused() -> None:
    recipe = default_recipe(PROTEIN)
    with pytest.raises(HoloError, match="full KL weight"):
        Recipe(
            model=attrs.evolve(recipe.model, variational=True),
            training=TrainingConfig(epochs=10, kl_start=5, kl_warmup=6),
        )


@pytest.mark.parametrize(
    "data",
    [MnistData(kind="mnist", rotation="each"), StructureData(kind="structures")],
    ids=lambda data: data.kind,
)
def test_frames_are_not_pulled_to_the_axes_of_rows_in_many_poses(data: MnistData | StructureData) -> None:
    model = ModelConfig(basis=Basis(2, None, ("image",)), latent_dim=4, lmax=(2, 1), channels=(6, 8))
    training = TrainingConfig(frame_weight=2.0)
    with pytest.raises(
        HoloError, match=r"frame_weight is 2\.0, and the data's training rows lie in many poses"
    ):
        Recipe(model=model, training=training, data=data)
    one = {"rotation": "fixed"} if isinstance(data, MnistData) else {"pose": "backbone"}
    Recipe(model=model, training=training, data=attrs.evolve(data, **one))
