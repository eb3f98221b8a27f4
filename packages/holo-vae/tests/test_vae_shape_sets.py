"""Folders of meshes, in the layouts of ModelNet and SHREC17, from files to a trained model."""

from itertools import product
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from scipy.linalg import eigh
from scipy.spatial.transform import Rotation

from holo_downstream import power_spectrum, scalar_coefficients
from holo_features import SHAPE_CHANNELS
from holo_nn import rotate
from holo_types import Basis, FormatError, HoloError, Holograms, Zernike, load
from holo_vae import (
    Condition,
    HolographicAutoencoder,
    Model,
    ModelConfig,
    Recipe,
    ShapeData,
    TrainingConfig,
    ViewsConfig,
    load as load_model,
    open_rows,
    write_recipe,
)
from holo_vae.cli.program import main
from holo_vae.data import shape_sets
from holo_vae.data.datasets import Prepared, prepare
from holo_vae.networks.description import describe
from holo_vae.networks.network import Latent
from holo_vae.recipes.recipe import from_plain, to_plain
from holo_vae.recipes.shipped import find_recipe
from holo_vae.training.objectives import objective_of
from holo_vae.training.whitening import whiten_within, within_map

BASIS = Basis(lmax=2, radial=None, channels=SHAPE_CHANNELS)
MODEL = ModelConfig(basis=BASIS, latent_dim=4, lmax=(2, 1), channels=(4, 4))
DATA = ShapeData(kind="shapes", copies=2, bandwidth=4)
VIEWS = ViewsConfig(invariance=1.0, variance=1.0, covariance=1.0, whitened=True)
FACES = "3 0 1 3\n3 0 3 2\n3 4 6 7\n3 4 7 5\n3 0 4 5\n3 0 5 1\n3 2 3 7\n3 2 7 6\n3 0 2 6\n3 0 6 4\n3 1 5 7\n3 1 7 3\n"


def write_box(path: Path, *sides: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    corners = product(*((-side, side) for side in sides))
    lines = "".join(f"{x} {y} {z}\n" for x, y, z in corners)
    path.write_text(f"OFF\n8 12 0\n{lines}{FACES}")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two classes of boxes, flat and long, as ModelNet has them; two meshes are damaged."""
    folder = tmp_path / "boxes"
    for number in range(4):
        split = "train" if number < 3 else "test"
        write_box(folder / f"flat/{split}/flat_{number}.off", 1, 1 + number / 10, 0.2)
        write_box(folder / f"long/{split}/long_{number}.off", 1, 0.2 + number / 50, 0.2)
    (folder / "long/train/empty.off").write_text("")
    (folder / "flat/train/plane.off").write_text("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n")
    return folder


@pytest.fixture
def prepared(source: Path, tmp_path: Path) -> Prepared:
    return prepare(DATA, BASIS, source, tmp_path / "data")


def test_training_meshes_have_copies_and_those_that_are_judged_have_none(
    prepared: Prepared, tmp_path: Path
) -> None:
    assert prepared.test is not None
    training, validation, test = (
        load(path, kind=Holograms) for path in (prepared.training, prepared.validation, prepared.test)
    )
    assert sorted(test.index["structure"].tolist()) == ["flat/test/flat_3", "long/test/long_3"]
    assert sorted(test.index["label"].tolist()) == ["flat", "long"]
    # One of eight is kept aside; the damaged ones are lost on the side on which they lie.
    seen = [set(part.index["structure"].tolist()) for part in (training, validation)]
    assert not seen[0] & seen[1]
    assert len(seen[0] | seen[1]) == 6
    assert training.index["copy"].tolist() == [0, 1, 2] * len(seen[0])
    assert set(validation.index["copy"].tolist()) == {0}
    for row in range(0, len(training), 3):  # the first of each mesh is the mesh as its file has it
        mesh = training.coefficients[row : row + 3]
        assert not np.allclose(mesh[0], mesh[1], atol=1e-3)
        assert not np.allclose(mesh[1], mesh[2], atol=1e-3)
    assert sum("gave nothing" in note for note in prepared.skipped) >= 1
    told = "".join(path.read_text() for path in (tmp_path / "data").glob("*.skipped.csv"))
    assert "empty.off is empty" in told
    assert "must have a thickness" in told


def test_rows_to_train_on_lie_as_in_their_files_or_are_turned(source: Path, tmp_path: Path) -> None:
    """A box is its own mirror image in all axes' planes, so that odd orders vanish; a turned one is not."""
    data = attrs.evolve(DATA, copies=0, bandwidth=16)
    as_found, turned = (
        load(
            prepare(attrs.evolve(data, rotation=rotation), BASIS, source, tmp_path / rotation).training,
            kind=Holograms,
        )
        for rotation in ("fixed", "each")
    )
    first, second = (part.degree(2)[:, 0] for part in (as_found, turned))
    off_diagonal = [0, 1, 3]  # xz, xy and yz in e3nn's order
    assert np.abs(first[:, off_diagonal]).max() < 1e-3
    assert (np.abs(second[:, off_diagonal]).max(axis=1) > 1e-2).all()
    # The norm of a degree is the same, but for the grid of rays.
    assert np.linalg.norm(first, axis=1) == pytest.approx(np.linalg.norm(second, axis=1), rel=0.1)


def test_what_is_made_stays_and_what_is_begun_is_continued(
    source: Path, tmp_path: Path, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = load(prepared.training, kind=Holograms)
    before = prepared.training.read_bytes()
    assert prepare(DATA, BASIS, source, tmp_path / "data") == prepared
    assert prepared.training.read_bytes() == before

    encode = shape_sets._encode
    done: list[object] = []

    def stopping(*args: object, **settings: object) -> object:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(args)
        return encode(*args, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(shape_sets, "_encode", stopping)
    with pytest.raises(KeyboardInterrupt):
        prepare(DATA, BASIS, source, tmp_path / "again")
    monkeypatch.undo()
    again = load(prepare(DATA, BASIS, source, tmp_path / "again").training, kind=Holograms)
    assert again == whole
    other = prepare(attrs.evolve(DATA, stretch=0.5), BASIS, source, tmp_path / "again")
    assert load(other.training, kind=Holograms) != whole


def test_tables_of_shrec17(tmp_path: Path) -> None:
    folder = tmp_path / "shrec"
    for number in range(6):
        split = ("train", "val", "test")[number // 2]
        write_box(folder / f"{split}_normal/00000{number}.off", 1, 1, 0.2 + number / 10)
    for split, ids in (("train", (0, 1)), ("val", (2, 3))):  # the classes of the test are not told
        rows = "".join(f"00000{number},0{number % 2},,{number}\n" for number in ids)
        (folder / f"{split}.csv").write_text("id,synsetId,subSynsetId,modelId\n" + rows)
    found = prepare(DATA, BASIS, folder, tmp_path / "data")
    assert found.test is not None
    parts = [load(path, kind=Holograms) for path in (found.training, found.validation, found.test)]
    assert [part.index["label"].tolist() for part in parts] == [
        ["00"] * 3 + ["01"] * 3,
        ["00", "01"],
        ["", ""],
    ]
    assert parts[2].index["structure"].tolist() == ["test_normal/000004", "test_normal/000005"]


def test_what_is_no_set_of_shapes_is_named(source: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(FormatError, match="there is no mesh file in the folder"):
        prepare(DATA, BASIS, tmp_path / "none", tmp_path / "data")
    write_box(tmp_path / "one/flat/1.off", 1, 1, 1)
    with pytest.raises(
        HoloError, match=r"all its meshes \(1\) are of the class 'flat'; there must be two classes"
    ):
        prepare(DATA, BASIS, tmp_path / "one", tmp_path / "data")
    write_box(source / "lone.off", 1, 1, 1)
    with pytest.raises(FormatError, match=r"lone\.off lies in no class folder; meshes must lie in folders"):
        prepare(DATA, BASIS, source, tmp_path / "data")
    (source / "lone.off").unlink()
    with pytest.raises(HoloError, match="shapes have no radial functions, and the channels distance, sine"):
        prepare(DATA, Basis(2, Zernike(2, 1.0), ("C",)), source, tmp_path / "data")


def test_a_set_whose_meshes_are_all_damaged(tmp_path: Path) -> None:
    for name in ("a/1.off", "a/2.off", "b/3.off", "b/4.off"):
        (tmp_path / "bad" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "bad" / name).write_text("OFF\n1 1\n")
    with pytest.raises(HoloError, match=r"none of 3 meshes gave a row; .*training\.skipped\.csv says why"):
        prepare(DATA, BASIS, tmp_path / "bad", tmp_path / "data")


def test_two_views_are_two_rows_of_a_mesh(prepared: Prepared) -> None:
    data = load(prepared.training, kind=Holograms)
    rows = open_rows(data, alike="structure", shuffle_rows=100)
    mesh_of = dict(zip(map(bytes, data.coefficients), data.index["structure"].tolist(), strict=True))
    seen = []
    for batch in rows.epoch(seed=0, epoch=0, batch_size=4):
        first, second = batch.coefficients.numpy(), batch.views["other_view"].numpy()
        assert all(mesh_of[bytes(a)] == mesh_of[bytes(b)] for a, b in zip(first, second, strict=True))
        assert not (first == second).all(axis=1).any()
        assert batch.views["other"] is batch.views["other_view"]
        seen += batch.rows.tolist()
    assert sorted(seen) == list(range(len(data)))
    # Of two processes each has its rows, and their views, as one has them.
    whole = list(rows.epoch(seed=1, epoch=2, batch_size=6))
    parts = [list(rows.epoch(seed=1, epoch=2, batch_size=6, rank=rank, world=2)) for rank in (0, 1)]
    for one, *shared in zip(whole, *parts, strict=True):
        joined = torch.cat([part.views["other_view"] for part in shared])
        assert torch.equal(one.views["other_view"], joined)


@pytest.mark.parametrize(
    ("bottleneck", "spectrum", "told"), [((), False, 4), ((6,), False, 6), ((), True, 22), ((6,), True, 24)]
)
def test_whitened_z_is_the_discriminant_of_meshes_and_decodes_to_what_it_predicts(
    prepared: Prepared, bottleneck: tuple[int, ...], spectrum: bool, told: int
) -> None:
    model = attrs.evolve(
        MODEL,
        bottleneck=bottleneck,
        spectrum=spectrum,
        heads=(Condition(column="label", categories=("flat", "long")),),
    )
    data = load(prepared.training, kind=Holograms)
    network = HolographicAutoencoder(model).double().eval()
    holograms = torch.from_numpy(data.coefficients.astype(np.float64))
    with torch.no_grad():
        before = network.encode(holograms)
        decoded, named = network.decode(before.mean, before.frame), network.heads[0](before.mean)
        inputs = network.invariants(holograms).numpy()
    assert inputs.shape == (len(data), told)
    rows = open_rows(data, shuffle_rows=100, dtype=torch.float64)
    whiten_within(network, rows, "structure")
    with torch.no_grad():
        after = network.encode(holograms)
        # Where z has all that it had, nothing that is decoded changes; of more inputs it keeps other directions.
        if told == MODEL.latent_dim:
            assert torch.allclose(network.decode(after.mean, after.frame), decoded, atol=1e-8)
            assert torch.allclose(network.heads[0](after.mean), named, atol=1e-8)
        z, predicted = after.mean.numpy(), network.heads[0](after.mean).numpy()
    # Least squares: what the prediction lacks has nothing to do with z.
    lacking = named.numpy() - predicted
    assert np.abs(np.c_[z, np.ones(len(z))].T @ lacking).max() < 1e-8
    names = data.index["structure"]
    assert np.abs(z.mean(axis=0)).max() < 1e-9
    means = np.stack([z[names == name].mean(axis=0) for name in np.unique(names)])
    between = np.cov(means.T)
    assert np.abs(between - np.diag(between.diagonal())).max() < 1e-9 * between.max()
    assert (np.diff(between.diagonal()) <= 1e-9).all()
    # The generalized eigenvalues of both covariances, solved together by another way.
    scaled = (inputs - inputs.mean(axis=0)) / np.where(inputs.std(axis=0) > 0, inputs.std(axis=0), 1)
    of_meshes = np.stack([scaled[names == name].mean(axis=0) for name in np.unique(names)])
    apart = np.concatenate(
        [scaled[names == name] - scaled[names == name].mean(axis=0) for name in set(names)]
    )
    within = apart.T @ apart / (len(scaled) - len(of_meshes))
    within += 3 * np.trace(within) / told * np.eye(told)
    values = np.sort(eigh(np.cov(of_meshes.T), within, eigvals_only=True))[::-1]
    assert between.diagonal() == pytest.approx(values[: MODEL.latent_dim], rel=1e-6, abs=1e-9)
    with pytest.raises(HoloError, match="no two rows have the same structure"):
        whiten_within(
            network, open_rows(data[np.array([0, 3])], shuffle_rows=9, dtype=torch.float64), "structure"
        )


def test_z_of_more_numbers_than_it_is_made_of_is_filled_with_zeros() -> None:
    rows = np.random.default_rng(0).normal(size=(6, 2))
    mapped = within_map(rows, np.array([0, 0, 1, 1, 2, 2]), 3).of(rows)
    assert mapped.shape == (6, 3)
    assert not mapped[:, 2].any()
    assert mapped[:, :2].std(axis=0).min() > 0
    with pytest.raises(HoloError, match="no two rows are views of one object"):
        within_map(rows, np.arange(6), 2)


def test_a_network_that_is_told_the_power_spectrum_gives_the_same_z_of_turned_meshes(
    prepared: Prepared,
) -> None:
    data = load(prepared.training, kind=Holograms)
    model = attrs.evolve(MODEL, spectrum=True)
    network = HolographicAutoencoder(model).double().eval()
    network.scale.fill_(2.0)
    holograms = torch.from_numpy(data.coefficients.astype(np.float64))
    turn = torch.from_numpy(Rotation.from_euler("xyz", [0.4, 1.1, -0.7]).as_matrix())
    with torch.no_grad():
        inputs = network.invariants(holograms)
        turned = network.invariants(rotate(holograms, str(data.basis.irreps), turn))
        assert torch.allclose(network.mean(inputs), network.encode(holograms).mean)
    assert torch.allclose(inputs, turned, atol=1e-9)
    spectrum = np.hstack([scalar_coefficients(data), power_spectrum(data)[:, len(SHAPE_CHANNELS) :]]) / 2
    assert inputs[:, -spectrum.shape[1] :].numpy() == pytest.approx(spectrum, rel=1e-5, abs=1e-6)
    assert describe(model).parameters == sum(weights.numel() for weights in network.parameters())
    assert "spectrum" in to_plain(model)
    assert "spectrum" not in to_plain(MODEL)


def test_views_that_do_not_fit_into_memory_are_refused(prepared: Prepared) -> None:
    with pytest.raises(
        HoloError, match="rows are more than shuffle_rows, 2; they must be in memory together"
    ):
        open_rows(prepared.training, alike="structure", shuffle_rows=2)


def test_a_recipe_from_a_folder_of_meshes_to_a_model(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = Recipe(
        model=MODEL,
        training=TrainingConfig(epochs=2, batch_size=4, warmup_steps=1, learning_rate=0.01, optimizer="muon"),
        data=DATA,
        views=VIEWS,
    )
    write_recipe(recipe, tmp_path / "recipe.yaml")
    argv = ["train", str(source), "--recipe", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "run")]
    assert main(argv) == 3  # two meshes are damaged
    assert "gave nothing; see" in capsys.readouterr().out
    model = load_model(tmp_path / "run/model")
    assert isinstance(model, Model)
    assert model.config == MODEL
    training = load(tmp_path / "run/data/training.h5", kind=Holograms)
    z, names = model.encode(training).invariants, training.index["structure"]
    # The means of meshes vary apart from one another, and most in the first number.
    between = np.cov(np.stack([z[names == name].mean(axis=0) for name in np.unique(names)]).T)
    assert np.abs(between - np.diag(between.diagonal())).max() < 1e-3 * between.max()
    assert (np.diff(between.diagonal()) <= 1e-6).all()
    assert "invariance" in objective_of(recipe).names
    history = (tmp_path / "run/history.csv").read_text()
    assert "variance" in history.splitlines()[0]


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"views": ViewsConfig(noise=0.1, invariance=1.0)}, "views.noise is of surroundings"),
        ({"views": ViewsConfig(pairs=2, invariance=1.0)}, "views.pairs is of surroundings"),
        ({"views": ViewsConfig()}, "views have no effect"),
        (
            {"views": ViewsConfig(whitened=True), "model": attrs.evolve(MODEL, variational=True)},
            "views.whitened is for an H-AE",
        ),
        (
            {
                "views": ViewsConfig(whitened=True),
                "model": attrs.evolve(MODEL, basis=Basis(2, Zernike(2, 1.0), ("C",)), initial_projection=4),
                "data": None,
            },
            "views.whitened is for images on a sphere",
        ),
        ({"data": attrs.evolve(DATA, copies=0)}, "data.copies is 0 and the recipe has views"),
        (
            {"data": attrs.evolve(DATA, rotation="each"), "training": TrainingConfig(frame_weight=1.0)},
            "training rows lie in many poses",
        ),
    ],
)
def test_recipes_that_cannot_be_are_refused(changed: dict[str, Any], match: str) -> None:
    recipe = Recipe(model=MODEL, data=DATA, views=VIEWS)
    with pytest.raises(HoloError, match=match):
        attrs.evolve(recipe, **changed)


def test_the_recipe_that_comes_with_the_package_is_of_shapes() -> None:
    recipe = find_recipe("shapes-z40")
    assert isinstance(recipe.model, ModelConfig)
    assert isinstance(recipe.data, ShapeData)
    assert (recipe.model.latent_dim, recipe.model.basis.lmax, recipe.data.bandwidth) == (40, 14, 90)
    assert from_plain(to_plain(recipe), Recipe) == recipe
    with pytest.raises(
        HoloError, match=r"data\.kind is 'cubes'; it must be 'mnist', 'structures' or 'shapes'"
    ):
        from_plain(to_plain(recipe) | {"data": {"kind": "cubes"}}, Recipe)
    with pytest.raises(HoloError, match=r"ShapeData\.validation_fraction is 1"):
        attrs.evolve(recipe.data, validation_fraction=1.0)


def test_two_views_lack_blocks_of_their_own() -> None:
    """What the network is given of each view is that view times its own mask; both are to be reconstructed whole."""
    recipe = Recipe(model=MODEL, training=TrainingConfig(masking=0.5), views=VIEWS)
    objective, rows = objective_of(recipe), torch.randn(2, 5, BASIS.dim)
    draws = objective.draw(torch.Generator().manual_seed(0), 5)
    assert not torch.equal(draws["kept"], draws["other_kept"])
    given = []

    class Watched(torch.nn.Module):
        scale = torch.ones(())

        def forward(
            self, targets: torch.Tensor, noise: None, condition: None, masked: torch.Tensor
        ) -> tuple[torch.Tensor, Latent]:
            given.append(masked)
            return targets, Latent(masked[:, :4], None, torch.eye(3).expand(len(masked), 3, 3))

    values = objective.values(Watched(), rows[0], None, {**draws, "other_view": rows[1], "other": rows[1]})
    assert torch.equal(given[0], torch.cat([rows[0] * draws["kept"], rows[1] * draws["other_kept"]]))
    assert values[:, 0].abs().max() == 0  # it gave the targets back
