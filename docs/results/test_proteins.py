"""The programs of docs/results/proteins, on a few small chains and with models that have learned next to nothing."""

import importlib
import json
import re
import runpy
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

import holo_vae
from holo_downstream import Interval
from holo_features import (
    Encoding,
    encode_complexes,
    encode_structures,
    find_complexes,
    read_structure,
    zernike_transform,
)
from holo_features.datasets import example_structures
from holo_types import Basis, Holograms, PointClouds, Zernike, concatenate
from holo_vae import Model, ModelConfig, Recipe, write_model
from holo_vae.data.structure_sets import TableRow
from holo_vae.evaluation.worth import PROBES, Figure, Worth
from holo_vae.evaluation.worth_table import write_worth

PROGRAM, PAGE = Path(__file__).with_name("proteins"), Path(__file__).with_name("proteins.md")

# The smaller ones of the structures that come with holo-features; each is of a cluster of its own but the pairs.
CHAINS = {
    "train": ("1y4y_A", "1ten_A", "1exb_E", "1yea_A", "3p57_P"),
    "valid": ("2hqs_H",),
    "test": ("1i07_A", "1zr0_B", "2dvw_B", "2b4j_C", "2wpt_A", "1vqb_A"),
}
PAIRS = {"1yea_A": "1y4y_A", "1vqb_A": "1i07_A"}

RECIPE = """
model:
  basis: {lmax: 2, radial: {nmax: 6, cutoff: 6.0}, channels: [C, N, O, S]}
  latent_dim: 8
  lmax: [2, 1]
  channels: [8, 8]
  initial_projection: 8
training: {epochs: 2, batch_size: 32, cluster_column: cluster30}
data: {kind: structures, columns: [cluster30]}
"""
ORTHONORMAL = Basis(lmax=2, radial=Zernike(6, 6.0), channels=("C", "N", "O", "S"))
AUTHORS = attrs.evolve(
    ORTHONORMAL,
    radial=Zernike(6, 6.0, "floor"),
    angular_normalization="component",
    point_normalization="unit",
)


def program(*arguments: object) -> int:
    """Run ``python docs/results/proteins ARGUMENTS`` in this process, and return its exit status."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", [str(PROGRAM), *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            runpy.run_path(str(PROGRAM), run_name="__main__")
    assert isinstance(left.value.code, int)
    return left.value.code


@pytest.fixture(scope="session")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the programs take it."""
    folder = tmp_path_factory.mktemp("chains")
    paths = {path.name.partition(".")[0]: path for path in example_structures()}
    lines = ["file\tsplit\tcluster30"]
    for split, names in CHAINS.items():
        for name in names:
            shutil.copy(paths[name], folder)
            lines.append(f"{paths[name].name}\t{split}\t{PAIRS.get(name, name)}")
    (folder / "index.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe that takes seconds."""
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


@attrs.frozen
class Run:
    """The results of the program, with the data on which it was run."""

    model: Model
    figures: Any
    tables: str
    folder: Path
    holograms: Holograms
    losses: NDArray[np.float64]
    clusters: NDArray[np.str_]


@pytest.fixture(scope="session", params=[ORTHONORMAL, AUTHORS], ids=["orthonormal", "authors"])
def run(
    request: pytest.FixtureRequest, chains: Path, recipe: Path, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """The program's results on a model in the usual encoding, and on one in that of the authors."""
    folder = tmp_path_factory.mktemp("measure")
    model = _model(request.param, chains, recipe)
    write_model(model, folder / "model")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PROGRAM)
        assert program(chains, folder / "model", "--out", folder / "out") == 0
    holograms = _encoded(chains, "test", request.param)
    again = model.decode(model.encode(holograms))
    cluster = np.array([PAIRS.get(str(name), str(name)) for name in holograms.index["structure"]])
    return Run(
        model,
        json.loads((folder / "out" / "figures.json").read_text("utf-8")),
        (folder / "out" / "tables.md").read_text("utf-8"),
        folder / "out",
        holograms,
        _losses(holograms, again),
        cluster,
    )


def test_cosine_losses_are_those_of_numpy(run: Run) -> None:
    accuracy, index = run.figures["accuracy"], run.holograms.index
    assert accuracy["rows"] == len(run.losses) == 445
    assert (accuracy["chains"], accuracy["clusters"]) == (6, 5)
    assert accuracy["cosine_loss"]["estimate"] == pytest.approx(run.losses.mean(), rel=1e-6)
    assert accuracy["reconstruction"]["cosine_loss"] == pytest.approx(run.losses.mean(), rel=1e-6)
    for name, column in (("by_type", "residue_name"), ("by_structure", "secondary_structure")):
        for group in accuracy[name]:
            chosen = index[column] == group["name"]
            assert group["rows"] == chosen.sum()
            assert group["cosine_loss"] == pytest.approx(run.losses[chosen].mean(), rel=1e-6)
    for name in ("by_type", "by_structure", "by_burial", "by_atoms"):
        groups = accuracy[name]
        assert sum(group["rows"] for group in groups) == len(run.losses)
        mean = sum(group["rows"] * group["cosine_loss"] for group in groups) / len(run.losses)
        assert mean == pytest.approx(run.losses.mean(), rel=1e-6)


def test_degrees_are_compared_one_by_one(run: Run) -> None:
    again = run.model.decode(run.model.encode(run.holograms))
    expected = []
    for degree in range(3):
        x, y = (rows.degree(degree).reshape(445, -1).astype(float) for rows in (run.holograms, again))
        expected.append(np.mean(1 - (x * y).sum(1) / np.sqrt((x * x).sum(1) * (y * y).sum(1))))
    assert run.figures["accuracy"]["reconstruction"]["cosine_loss_per_degree"] == pytest.approx(
        expected, rel=1e-6
    )


def test_the_interval_draws_whole_clusters(run: Run) -> None:
    """About as wide as a bootstrap written out; one over residues would be a third as wide."""
    members = [run.losses[run.clusters == name] for name in np.unique(run.clusters)]
    generator = np.random.default_rng(1)
    means = [
        np.concatenate([members[i] for i in generator.integers(len(members), size=len(members))]).mean()
        for _ in range(2000)
    ]
    found = run.figures["accuracy"]["cosine_loss"]
    width = found["upper"] - found["lower"]
    assert width == pytest.approx(np.diff(np.quantile(means, (0.025, 0.975))).item(), rel=0.15)


def test_the_baseline_is_the_mean_of_one_training_chain_of_each_cluster(run: Run, chains: Path) -> None:
    training = _encoded(chains, "train", run.model.config.basis)
    guesses = []
    for left_out in ("1y4y_A", "1yea_A"):  # the pair: one of them is drawn
        mean = training.coefficients[training.index["structure"] != left_out].astype(float).mean(axis=0)
        guess = attrs.evolve(run.holograms, coefficients=np.tile(mean, (445, 1)))
        guesses.append(_losses(run.holograms, guess).mean())
    found = run.figures["accuracy"]["mean_hologram"]
    assert min(abs(found - guess) for guess in guesses) < 1e-6
    assert abs(guesses[0] - guesses[1]) > 1e-5


def test_turned_atoms_give_the_same_z(run: Run) -> None:
    """The tolerance is a hundred times the precision of float32, and far below the change for another frame."""
    errors = run.figures["equivariance"]
    assert 0 < errors["invariants"] < 1e-5
    assert 0 < errors["frame_p99"] < 1e-2
    assert 0 < errors["reconstruction_p99"] < 1e-2


def test_without_noise_denoising_is_reconstruction(run: Run) -> None:
    still, *noisy = run.figures["denoising"]
    assert still["noise"] == 0
    assert still["noisy"] == pytest.approx(0, abs=1e-9)
    assert still["reconstructed"] == pytest.approx(run.losses.mean(), rel=1e-6)
    assert 0.002 < noisy[0]["noisy"] < noisy[1]["noisy"] < noisy[2]["noisy"]


def test_noise_moves_each_coordinate_by_its_standard_deviation(run: Run, chains: Path) -> None:
    """Other draws change the mean of 445 residues by some percent, noise of another size by more."""
    basis, generator = run.model.config.basis, np.random.default_rng(7)
    clean: list[Holograms] = []
    shaken: list[Holograms] = []
    for path in _paths(chains, "test"):
        structure = read_structure(path)
        places = structure.atoms.coord.astype(float)
        elements = structure.atoms.element[:, None] == np.array(basis.channels)
        for target, sigma in ((clean, 0.0), (shaken, 0.5)):
            for center in np.flatnonzero(structure.atoms.atom_name == "CA"):
                moved = places - places[center] + generator.normal(scale=sigma, size=places.shape)
                near = (np.linalg.norm(moved, axis=1) <= 6) & (np.arange(len(places)) != center)
                cloud = PointClouds(
                    moved[near], elements[near].astype(float), np.array([0, near.sum()]), basis.channels
                )
                target.append(zernike_transform(cloud, basis))
    expected = _losses(concatenate(clean), concatenate(shaken)).mean()
    assert run.figures["denoising"][3]["noise"] == 0.5
    assert run.figures["denoising"][3]["noisy"] == pytest.approx(expected, rel=0.04)


def test_neighbors_are_of_other_clusters(run: Run) -> None:
    z = run.model.encode(run.holograms).invariants.astype(float)
    distances = cdist(z, z)
    distances[run.clusters[:, None] == run.clusters] = np.inf
    rows = np.argsort(distances, axis=1)[:, :10]
    assert (run.clusters[rows] != run.clusters[:, None]).all()
    columns = {"residue_type": "residue_name", "secondary_structure": "secondary_structure"}
    found = {agreement["label"]: agreement for agreement in run.figures["agreements"]}
    for name, column in columns.items():
        labels = run.holograms.index[column]
        # Float32 leaves the order of near ties open.
        assert found[name]["shared"] == pytest.approx((labels[rows] == labels[:, None]).mean(), abs=1e-3)
        chance = [
            (labels[run.clusters != cluster] == label).mean()
            for cluster, label in zip(run.clusters, labels, strict=True)
        ]
        assert found[name]["chance"] == pytest.approx(np.mean(chance), abs=1e-9)


def test_the_page_includes_tables_that_the_program_writes(run: Run) -> None:
    page = PAGE.read_text("utf-8")
    marks = re.findall(r"<!-- table: proteins/([\w-]+)/tables\.md (\w+) -->", page)
    assert marks
    for folder, name in marks:
        if folder in ("amino-acids", "ligands", "worth"):
            continue
        table = run.tables.split(f"<!-- {name} -->")[1].split(f"<!-- end {name} -->")[0]
        heading, rule, *rows = table.strip().splitlines()
        assert rows
        assert {line.count("|") for line in (heading, rule, *rows)} == {heading.count("|")}


def test_pictures_are_drawn(run: Run) -> None:
    assert {path.name for path in run.folder.glob("*.png")} == {
        "front.png",
        "accuracy.png",
        "denoising.png",
        "neighbors.png",
    }


def _worth(seed: int, *, baselines: bool, name: str = "small") -> Worth:
    """Make up what was measured of a model, with numbers that tell where they come from."""
    figures = []
    for place, row in enumerate(PROBES):
        z = Interval(0.5 + 0.01 * place + 0.001 * seed, 0.4, 0.7)
        figures.append(Figure(row=row, of="z", value=z, trained=row == "burial"))
        if baselines:
            above = Interval(0.2, -0.1, 0.3)
            value = Interval(0.3, 0.2, 0.4)
            figures.append(Figure(row=row, of="l = 0", value=value, z_above=above))
    figures.append(Figure(row="effective dimension", of="z", value=Interval(40.5 + seed, np.nan, np.nan)))
    return Worth(
        model=f"{name} {seed}",
        digest=str(seed) * 64,
        split="test",
        training_residues=100,
        residues=200,
        clusters=9,
        figures=tuple(figures),
        left_out=(),
    )


def test_models_and_seeds_stand_beside_one_another(tmp_path: Path) -> None:
    measured = {"a": _worth(0, baselines=True), "a1": _worth(2, baselines=False)}
    measured["b"] = _worth(4, baselines=False, name="other")
    for folder, found in measured.items():
        write_worth(found, tmp_path / folder)
    assert program("worth", *(tmp_path / folder for folder in measured), "--out", tmp_path / "out") == 0
    tables = (tmp_path / "out" / "tables.md").read_text("utf-8")
    lines = tables.splitlines()
    assert "|  | distances | small | other | l = 0 | guess |" in lines
    assert "| secondary structure |  | .501 (.500 to .502) | .504 | .300 |  |" in lines
    assert "| burial |  | .511 (.510 to .512) * | .514 * | .300 |  |" in lines
    assert "| effective dimension |  | 41.5 (40.5 to 42.5) | 44.5 |  |  |" in lines
    assert "| residue type |  | 0.520 [0.400, 0.700] | +0.200 [-0.100, +0.300] |" in lines
    assert (tmp_path / "out" / "worth.png").stat().st_size > 5000


def test_a_file_that_is_no_worth_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "worth.json").write_text('{"model": "small 0"}', encoding="utf-8")
    assert program("worth", tmp_path, "--out", tmp_path / "out") == 1
    assert "worth.json: cannot be read as what holo-vae worth writes" in _line(capsys)


def test_a_missing_table_is_named(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = run.folder.parent / "model"
    assert program(tmp_path, model, "--out", tmp_path / "out") == 1
    assert f"{tmp_path / 'index.tsv'}: cannot be read as a table" in _line(capsys)
    assert program("ligands", tmp_path, model, "--out", tmp_path / "out") == 1
    assert f"{tmp_path / 'labels.csv'}: cannot be read" in _line(capsys)
    assert not (tmp_path / "out").exists()


def test_a_model_of_sphere_images_is_refused(
    chains: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sphere = ModelConfig(
        basis=Basis(lmax=2, radial=None, channels=("image",)), latent_dim=2, lmax=(2, 1), channels=(4, 4)
    )
    write_model(holo_vae.initial_model(Recipe(model=sphere), 1.0, "sphere"), tmp_path / "model")
    for command in ([chains], ["ligands", chains]):
        assert program(*command, tmp_path / "model", "--out", tmp_path / "out") == 1
        assert "its basis is of a sphere; a model of surroundings is needed" in _line(capsys)


def test_a_file_that_cannot_be_read_is_passed_over(chains: Path, tmp_path: Path) -> None:
    """The other files of a folder with a broken file are used; the reason names the file without the folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PROGRAM)
        reading, measuring = importlib.import_module("chains"), importlib.import_module("measure")
        (tmp_path / "broken.pdb").write_text("nothing\n", encoding="utf-8")
        rows = reading.read_splits(chains)["test"][:1]
        rows.append(TableRow(tmp_path / "broken.pdb", {"cluster30": "1"}))
        proteins, skipped = measuring._proteins(rows, reading.selection_of(ORTHONORMAL), tmp_path)
    assert len(proteins) == 1
    assert len(skipped) == 1
    assert skipped[0].startswith("broken.pdb")


def test_amino_acids_are_drawn_equally_often(
    tmp_path: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["file\tsplit\tcluster30"]
    for number, path in enumerate(example_structures()):
        shutil.copy(path, tmp_path)
        lines.append(f"{path.name}\t{('train', 'valid', 'test')[number % 3]}\t{number}")
    (tmp_path / "index.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tiny = tmp_path / "tiny.yaml"
    tiny.write_text(recipe.read_text("utf-8").replace("latent_dim: 8", "latent_dim: 2"), encoding="utf-8")
    monkeypatch.syspath_prepend(PROGRAM)
    for name, value in {"RECIPE": tiny, "EPOCH_ROWS": 200, "VALIDATION_ROWS": 60, "TEST_ROWS": 60}.items():
        monkeypatch.setattr(f"amino_acids.{name}", value)
    out = tmp_path / "out"
    assert program("amino-acids", tmp_path, "--out", out, "--sizes", 100) == 0
    figures = json.loads((out / "figures.json").read_text("utf-8"))
    assert [size["training_rows"] for size in figures["sizes"]] == [100]
    assert (figures["validation_rows"], figures["test_rows"]) == (60, 60)
    assert "<!-- end amino_acids -->" in (out / "tables.md").read_text("utf-8")
    assert (out / "map.png").exists()
    model = holo_vae.load(out / "models" / "amino-acids-100", holo_vae.Model)
    assert figures["parameters"] == sum(weights.numel() for weights in model.network.parameters())
    capsys.readouterr()
    assert program("amino-acids", tmp_path, "--out", out, "--sizes", 30) == 1
    assert "30 residues are to be drawn; it must be a multiple of 20" in _line(capsys)


LIGAND = """ligand

four atoms in a row
  4  3  0  0  0  0  0  0  0  0999 V2000
{atoms}
  1  2  1  0
  2  3  1  0
  3  4  1  0
M  END
$$$$
"""


@pytest.fixture(scope="session")
def complexes(chains: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return two test complexes, one with few residues near its ligand, one broken complex, and one for training."""
    folder = tmp_path_factory.mktemp("complexes")
    lines = ["id,pK,split,cluster30,protein,ligand"]
    for name, split in (("1yea_A", "test"), ("1ten_A", "test"), ("1exb_E", "train")):
        protein = chains / f"{name}.bcif.gz"
        atoms = read_structure(protein).atoms
        places = atoms.coord[atoms.atom_name == "CA"].astype(float)
        middle = places.mean(axis=0)
        outmost = places[np.linalg.norm(places - middle, axis=1).argmax()]
        outwards = (outmost - middle) / np.linalg.norm(outmost - middle)
        block = "\n".join(
            "".join(f"{value:10.4f}" for value in outmost + (3.5 + 1.5 * step) * outwards)
            + f" {element:<3} 0  0  0  0  0  0"
            for step, element in enumerate(("Cl", "C", "O", "C"))
        )
        (folder / f"{name}.sdf").write_text(LIGAND.format(atoms=block), encoding="utf-8")
        lines.append(f"{name},5.0,{split},{name},{protein},{name}.sdf")
    lines.append("broken,5.0,test,broken,missing.pdb,1yea_A.sdf")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_pockets_are_measured_with_and_without_their_ligand(
    complexes: Path, chains: Path, recipe: Path, tmp_path: Path
) -> None:
    other = attrs.evolve(ORTHONORMAL, channels=("C", "N", "O", "S", "other"))
    models = [_model(basis, chains, recipe) for basis in (ORTHONORMAL, other)]
    for number, model in enumerate(models):
        write_model(model, tmp_path / str(number))
    out = tmp_path / "out"
    assert program("ligands", complexes, tmp_path / "0", tmp_path / "1", "--out", out) == 0
    figures = json.loads((out / "figures.json").read_text("utf-8"))
    assert (figures["complexes"], figures["clusters"]) == (2, 2)
    assert len(figures["skipped"]) == 1
    assert figures["skipped"][0].startswith("complex broken: ")
    names = ("pocket, with the ligand", "pocket, ligand left out", "no ligand in reach")
    found = {(each["model"], each["name"]): each for each in figures["surroundings"]}
    assert list(found) == [(model, name) for model in ("C N O S", "C N O S other") for name in names]
    sources = [s for s in find_complexes(complexes).sources if s.split == "test"]
    for model in models:
        basis, title = model.config.basis, " ".join(model.config.basis.channels)
        encoded = [each.holograms for each in encode_complexes(sources, basis)]
        bound = concatenate([holograms for holograms in encoded if holograms is not None])
        plain = concatenate(
            [_encoded_file(chains / f"{name}.bcif.gz", basis) for name in ("1yea_A", "1ten_A")]
        )
        in_pocket = np.isin(_residues(plain), _residues(bound))
        alone = plain[np.flatnonzero(in_pocket)]
        means = []
        for name, rows in zip(names, (bound, alone), strict=False):
            again, each = model.decode(model.encode(rows)), found[title, name]
            assert each["rows"] == len(rows)
            means.append(_losses(rows, again).mean())
            assert each["cosine_loss"]["estimate"] == pytest.approx(means[-1], rel=1e-6)
            for number, channel in enumerate(each["channels"]):
                x, y = (_only(holograms, [number]) for holograms in (rows, again))
                there = np.abs(x.coefficients).max(axis=1) > 0
                assert channel["rows"] == there.sum()
                if there.any():
                    losses = _losses(x[np.flatnonzero(there)], y[np.flatnonzero(there)])
                    assert channel["cosine_loss"] == pytest.approx(losses.mean(), rel=1e-6)
                    mean = np.repeat(x.coefficients.mean(axis=0, keepdims=True), len(x), axis=0)
                    guessed = attrs.evolve(x, coefficients=mean)
                    losses = _losses(*(part[np.flatnonzero(there)] for part in (x, guessed)))
                    assert channel["mean_hologram"] == pytest.approx(losses.mean(), rel=1e-5)
        assert found[title, names[0]]["change"]["estimate"] == pytest.approx(means[0] - means[1], abs=1e-6)
        assert 0 < found[title, names[2]]["rows"] <= len(bound)
    chlorines = [found["C N O S other", name]["channels"][4]["rows"] for name in names]
    assert chlorines[0] > 0
    assert chlorines[1:] == [0, 0]
    assert "<!-- ligands -->" in (out / "tables.md").read_text("utf-8")


def _paths(chains: Path, split: str) -> list[Path]:
    return [chains / f"{name}.bcif.gz" for name in CHAINS[split]]


def _encoded(chains: Path, split: str, basis: Basis, *, central_residue: bool = True) -> Holograms:
    encoding = Encoding(central_residue=central_residue)
    files = encode_structures(_paths(chains, split), basis, secondary_structure=True, encoding=encoding)
    return concatenate([file.holograms for file in files if file.holograms is not None])


def _losses(x: Holograms, y: Holograms) -> NDArray[np.float64]:
    """1 - <x, y> / sqrt(<x, x> <y, y>) with <x, y> = Σ_l sqrt(2l + 1) Σ x y, written out."""
    weights = np.concatenate(
        [np.full(m * (2 * degree + 1), (2 * degree + 1) ** 0.5) for m, degree in x.basis.irreps]
    )
    a, b = (rows.coefficients.astype(float) for rows in (x, y))
    xy, xx, yy = ((left * right) @ weights for left, right in ((a, b), (a, a), (b, b)))
    losses: NDArray[np.float64] = 1 - xy / np.sqrt(xx * yy)
    return losses


def _model(basis: Basis, chains: Path, recipe_path: Path) -> Model:
    """Train for some steps, because a network with the same z for all rows would hide faults."""
    recipe = holo_vae.read_recipe(recipe_path)
    recipe = attrs.evolve(recipe, model=attrs.evolve(recipe.model, basis=basis))
    training, validation = (
        holo_vae.open_rows(_encoded(chains, split, basis), shuffle_rows=10_000)
        for split in ("train", "valid")
    )
    model = holo_vae.initial_model(recipe, holo_vae.data_scale(training), "tiny")
    for _ in holo_vae.train(model.network, training, validation, recipe):
        pass
    return model


def _line(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the error, which must be a single line and the whole output."""
    lines = [line for line in capsys.readouterr().err.splitlines() if not re.search(r"\d+ of \d+", line)]
    assert len(lines) == 1
    assert lines[0].startswith("Error: ")
    return lines[0]


def _residues(holograms: Holograms) -> NDArray[np.str_]:
    columns = ("structure", "chain", "residue_number", "insertion_code")
    rows = zip(*(holograms.index[name] for name in columns), strict=True)
    return np.array([":".join(map(str, row)).replace(".bcif", "") for row in rows])


def _only(holograms: Holograms, channels: Sequence[int]) -> Holograms:
    """Return the holograms without what is in other channels."""
    count, kept = len(holograms.basis.channels), np.zeros(len(holograms.basis.channels), dtype=bool)
    kept[list(channels)] = True
    masks = [np.repeat(kept, m // count * (2 * degree + 1)) for m, degree in holograms.basis.irreps]
    return attrs.evolve(holograms, coefficients=holograms.coefficients * np.concatenate(masks))


def _encoded_file(path: Path, basis: Basis) -> Holograms:
    (encoded,) = encode_structures([path], basis)
    assert encoded.holograms is not None
    return encoded.holograms
