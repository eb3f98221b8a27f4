"""Training on views of point clouds: how they are made, what is asked of z, and that runs go on as if never stopped."""

import shutil
from itertools import islice
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch

from holo_features import Encoding, encode_structures, read_structure
from holo_features.datasets import example_structures
from holo_types import Basis, HoloError, Holograms, PointClouds, Zernike, concatenate, load
from holo_vae import (
    Condition,
    Model,
    ModelConfig,
    Recipe,
    StructureData,
    TrainingConfig,
    ViewsConfig,
    describe,
    initial_model,
    open_rows,
    read_recipe,
    run_training,
    write_recipe,
)
from holo_vae.data.cloud_sets import cut_split
from holo_vae.data.encoded_clouds import EncodedClouds, Pairs
from holo_vae.data.structure_sets import TableRow, read_table
from holo_vae.recipes.recipe import from_plain, to_plain
from holo_vae.training.engine import train
from holo_vae.training.objectives import objective_of
from holo_vae.training.view_terms import view_terms

BASIS = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=7.0, envelope=1.5), channels=("C", "N", "O", "S"))
TYPES = ("ALA", "GLY", "LEU", "SER", "LYS", "GLU")
MODEL = ModelConfig(
    basis=BASIS,
    latent_dim=6,
    lmax=(2, 1),
    channels=(8, 8),
    initial_projection=8,
    heads=(Condition(column="residue_name", categories=TYPES),),
)
VIEWS = ViewsConfig(
    noise=0.2, without_own_atoms=0.3, without_side_chain=0.3, invariance=5, variance=5, covariance=2
)
DATA = StructureData(kind="structures", columns=("family",), alike="protein")


@pytest.fixture(scope="module", name="source")
def _source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return two proteins, one of them twice, and one to validate and one to test with."""
    folder = tmp_path_factory.mktemp("proteins")
    paths = sorted(example_structures(), key=lambda path: path.stat().st_size)[:4]
    lines = ["file\tfamily\tprotein\tsplit"]
    for number, (place, protein, split) in enumerate(
        ((0, "P", "train"), (0, "P", "train"), (1, "Q", "train"), (2, "", "valid"), (3, "", "test"))
    ):
        name = f"{number}{''.join(paths[place].suffixes)}"
        shutil.copy(paths[place], folder / name)
        lines.append(f"{name}\t{place}\t{protein}\t{split}")
    (folder / "index.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module", name="clouds")
def _clouds(source: Path, tmp_path_factory: pytest.TempPathFactory) -> PointClouds:
    path = tmp_path_factory.mktemp("data") / "training.h5"
    assert cut_split(DATA, BASIS, read_table(DATA, source)["train"], path, margin=1.5, workers=2) is None
    before = path.stat().st_mtime_ns
    assert cut_split(DATA, BASIS, read_table(DATA, source)["train"], path, margin=1.5, workers=1) is None
    assert path.stat().st_mtime_ns == before  # done already
    return load(path, kind=PointClouds)


def recipe(**changes: object) -> Recipe:
    settings = {"epochs": 3, "batch_size": 16, "warmup_steps": 2, "learning_rate": 3e-3}
    return Recipe(
        model=MODEL, training=TrainingConfig(**settings), views=ViewsConfig(**changes) if changes else VIEWS
    )


def test_clouds_hold_what_holograms_are_made_of(clouds: PointClouds, source: Path) -> None:
    files = [row.path for row in read_table(DATA, source)["train"]]
    encoded = [each.holograms for each in encode_structures(files, BASIS, encoding=Encoding())]
    expected = concatenate(encoded).coefficients
    found = EncodedClouds(clouds, BASIS, VIEWS).encoded(np.arange(len(clouds)), np.dtype(np.float64))
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    assert np.linalg.norm(clouds.coordinates, axis=1).max() > 8
    assert {"secondary_structure", "burial", "family", "alike"} <= set(clouds.index)


def test_residues_of_one_protein_are_alike(clouds: PointClouds) -> None:
    first, second = (clouds.index["structure"] == name for name in ("0", "1"))
    np.testing.assert_array_equal(clouds.index["alike"][first], clouds.index["alike"][second])
    pairs = Pairs.of(clouds.index["alike"])
    assert len(pairs.order) == first.sum() + second.sum()
    drawn = pairs.draw(500, np.random.default_rng(0))
    assert (clouds.index["alike"][drawn[:, 0]] == clouds.index["alike"][drawn[:, 1]]).all()
    assert (drawn[:, 0] != drawn[:, 1]).all()


@pytest.mark.parametrize("hetero", [False, True])
def test_a_pocket_holds_its_ligand_where_the_data_asks_for_it(
    source: Path, tmp_path: Path, hetero: bool
) -> None:
    path = next(source.glob("0.*"))
    place = read_structure(path).atoms.coord[0] + 2.0
    counts = "  1  0  0  0  0  0  0  0  0  0999 V2000"
    atom = "".join(f"{value:10.4f}" for value in place) + " Cl  0  0  0  0  0  0  0  0  0  0  0  0"
    (tmp_path / "ligand.sdf").write_text(f"chloride\n\n\n{counts}\n{atom}\nM  END\n$$$$\n")
    data = StructureData(kind="structures", ligand="ligand", hetero=hetero)
    basis = attrs.evolve(BASIS, channels=(*BASIS.channels, "other"))
    cut = tmp_path / "clouds.h5"
    rows = [TableRow(path, {"ligand": "ligand.sdf"}, tmp_path)]
    assert cut_split(data, basis, rows, cut, margin=1.5, workers=1) is None
    clouds = load(cut, kind=PointClouds)
    assert 0 < len(clouds) < 40
    assert clouds.weights[:, 4].sum() == (len(clouds) if hetero else 0)


def test_a_view_depends_on_seed_epoch_view_and_row_alone(clouds: PointClouds) -> None:
    source, kind = EncodedClouds(clouds, BASIS, VIEWS), np.dtype(np.float32)
    rows = np.array([5, 9, 70, 3])

    def view(rows: np.ndarray, *, epoch: int = 1, number: int = 0) -> np.ndarray:
        return source.view(rows, kind, seed=3, epoch=epoch, number=number, like=rows)

    whole = view(rows)
    np.testing.assert_array_equal(whole[[2]], view(rows[[2]]))
    for other in (view(rows, epoch=2), view(rows, number=1), source.encoded(rows, kind)):
        assert np.abs(other - whole).max() > 1e-3


def test_the_shares_that_lack_atoms_and_both_views_lack_the_same(clouds: PointClouds) -> None:
    config = ViewsConfig(without_own_atoms=0.25, without_side_chain=0.25)
    source, rows = EncodedClouds(clouds, BASIS, config), np.arange(len(clouds))
    one, two = (source.view(rows, np.dtype(np.float64), seed=0, epoch=0, number=n, like=rows) for n in (0, 1))
    np.testing.assert_array_equal(one, two)  # there is no noise
    whole = source.encoded(rows, np.dtype(np.float64))
    changed = (np.abs(one - whole).max(axis=1) > 1e-9).mean()
    glycines = (clouds.index["residue_name"] == "GLY").mean()
    assert changed == pytest.approx(0.5 - 0.25 * glycines, abs=0.12)


def test_the_parts_of_processes_are_the_batch_of_one(clouds: PointClouds) -> None:
    rows = open_rows(
        EncodedClouds(clouds, BASIS, ViewsConfig(invariance=1, noise=0.1, pairs=4)), shuffle_rows=1000
    )
    whole = next(rows.epoch(1, 2, 16, start=3))
    parts = [next(rows.epoch(1, 2, 16, start=3, rank=rank, world=3)) for rank in range(3)]
    assert sorted(whole.rows.tolist()) == sorted(np.concatenate([part.rows for part in parts]).tolist())
    for name in ("view", "other_view", "other"):
        found = torch.cat([part.views[name] for part in parts])
        assert sorted(found[:, 0].tolist()) == sorted(whole.views[name][:, 0].tolist())


def test_terms_are_those_of_the_paper() -> None:
    first, second = np.random.default_rng(0).normal(size=(2, 40, 5)) * np.array([0.3, 0.7, 1, 2, 3])
    invariance, variance, covariance = view_terms(torch.tensor(first), torch.tensor(second)).numpy().T
    np.testing.assert_allclose(invariance, ((first - second) ** 2).mean(axis=1))
    hinges = [np.maximum(0, 1 - np.sqrt(z.var(axis=0, ddof=1) + 1e-4)).mean() for z in (first, second)]
    np.testing.assert_allclose(variance, np.mean(hinges))
    matrices = [np.cov(z, rowvar=False) for z in (first, second)]
    off = [((c - np.diag(np.diag(c))) ** 2).sum() / 5 for c in matrices]
    np.testing.assert_allclose(covariance, np.mean(off))


def test_a_run_that_is_stopped_goes_on_to_the_same_bits(clouds: PointClouds, tmp_path: Path) -> None:
    chosen = recipe(
        **{"noise": 0.2, "without_own_atoms": 0.5, "invariance": 5.0, "variance": 5.0, "pairs": 3}
    )
    source = EncodedClouds(clouds, BASIS, chosen.views)

    def run(state: Path, epochs: int) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
        rows = open_rows(source, shuffle_rows=1000, heads=MODEL.heads)
        network = initial_model(chosen, 2.0, "small").network
        done = list(islice(train(network, rows, rows, chosen, state=state), epochs))
        return network.state_dict(), [dict(epoch.parts) for epoch in done]

    whole, parts = run(tmp_path / "whole", 99)
    run(tmp_path / "stopped", 1)
    resumed, again = run(tmp_path / "stopped", 99)
    assert parts == again
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name
    assert set(parts[0]) >= {"mse", "invariance", "variance", "covariance", "head_residue_name"}
    assert parts[-1]["variance"] < parts[0]["variance"]
    start = initial_model(chosen, 2.0, "small").network.state_dict()
    assert not torch.equal(start["heads.0.weight"], whole["heads.0.weight"])


def test_a_recipe_with_views_from_a_folder_to_a_model(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    settings = {"epochs": 1, "batch_size": 32, "warmup_steps": 1, "cluster_column": "family"}
    views = attrs.evolve(VIEWS, pairs=4)  # the structure to validate with has no partner
    write_recipe(Recipe(model=MODEL, training=TrainingConfig(**settings), views=views, data=DATA), path)
    done = run_training(read_recipe(path), source, tmp_path / "run", name="small")
    assert isinstance(done.model, Model)
    assert done.model.config.heads[0].categories == TYPES
    tested = load(tmp_path / "run" / "data" / "test.h5", kind=Holograms)
    assert tested.basis == BASIS
    assert tested.index["structure"][0] == "4"


def test_recipes_without_views_and_heads_are_written_as_before() -> None:
    plain = to_plain(
        Recipe(
            model=ModelConfig(basis=BASIS, latent_dim=4, lmax=(2, 1), channels=(4, 4), initial_projection=4)
        )
    )
    assert "views" not in plain
    assert "heads" not in plain["model"]
    assert not {"head_weight", "channel_weights"} & set(plain["training"])
    with_views = recipe()
    assert from_plain(to_plain(with_views), Recipe) == with_views


def test_each_head_has_its_own_weight() -> None:
    two = attrs.evolve(
        MODEL, heads=(*MODEL.heads, Condition(column="burial", categories=("buried", "exposed")))
    )
    written = to_plain(Recipe(model=two, training=TrainingConfig(head_weight=(1.0, 0.5))))
    assert written["training"]["head_weight"] == [1.0, 0.5]
    read = from_plain(written, Recipe)
    assert dict(zip(objective_of(read).names, objective_of(read).weights(0), strict=True)) == {
        "mse": 50.0,
        "kl": 0.0,
        "cosine_loss": 0.0,
        "head_residue_name": 1.0,
        "head_burial": 0.5,
    }


def test_a_head_counts_as_a_layer() -> None:
    network = initial_model(recipe(), 1.0, "small").network
    assert describe(MODEL).parameters == sum(each.numel() for each in network.parameters())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ViewsConfig(noise=-0.1), r"ViewsConfig\.noise is -0\.1; it must be at least 0"),
        (
            lambda: ViewsConfig(without_own_atoms=0.7, without_side_chain=0.4),
            "are shares of 1.1 together; they must be at most 1",
        ),
        (
            lambda: TrainingConfig(head_weight=(1.0, -0.5)),
            r"TrainingConfig\.head_weight is -0\.5; it must be at least 0",
        ),
        (
            lambda: Recipe(model=MODEL, training=TrainingConfig(head_weight=(1.0, 0.5))),
            "head_weight has 2 values; there must be one, or one for each of the 1 heads",
        ),
        (
            lambda: TrainingConfig(channel_weights=(1.0, -2.0)),
            r"TrainingConfig\.channel_weights is -2\.0; it must be at least 0",
        ),
        (
            lambda: Recipe(model=MODEL, training=TrainingConfig(channel_weights=(1.0, 2.0, 3.0))),
            "channel_weights has 3 values; there must be one for each of the channels",
        ),
        (lambda: ViewsConfig(pairs=3), "pairs is 3, and no term uses them"),
        (
            lambda: Recipe(
                model=MODEL, views=ViewsConfig(pairs=3, invariance=1.0), data=StructureData(kind="structures")
            ),
            "views.pairs is above 0; data.alike must name the column",
        ),
        (lambda: Recipe(model=MODEL, data=DATA), "data.alike says which rows are views of one another"),
        (
            lambda: Recipe(
                model=MODEL, views=ViewsConfig(pairs=3, invariance=1.0), training=TrainingConfig(masking=0.5)
            ),
            "views.pairs cannot be combined with training.masking",
        ),
        (
            lambda: EncodedClouds(
                PointClouds(np.zeros((1, 3)), np.ones((1, 4)), np.array([0, 1]), BASIS.channels), BASIS, VIEWS
            ),
            "have no point column 'own'",
        ),
    ],
)
def test_what_cannot_be_is_named(make, message: str) -> None:
    with pytest.raises(HoloError, match=message):
        make()
