"""Residues that a conditional H-VAE makes, as atoms: ``python docs/results/residues/residue_study.py --help``."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np
from cyclopts import App
from real_residues import RealResidues
from residue_clouds import balanced, read_residues, split_chains
from residue_pictures import interpolation_figure, residue_figure
from residue_scores import TOLERANCES, ResidueScores, score_residues

import holo_types
import holo_vae
from holo_features import find_points, zernike_transform
from holo_types import HoloError, Holograms, PointClouds
from holo_types.console import progress, run
from holo_types.files.atomic import replacing
from holo_vae import (
    Model,
    ModelConfig,
    Recipe,
    canonical,
    interpolate,
    sample_prior,
    to_canonical_frame,
)

HERE = Path(__file__).parent
RECIPE = HERE / "residue-cond-hvae-z16.yaml"
SEED = 0
TRAINING_CHAINS, TRAINING_EACH, TEST_EACH = 300, 1430, 40

app = App(
    name="residues", help="Train a conditional H-VAE on single residues, and score what it makes as atoms."
)


@app.default
def residues(directory: Path, /, *, out: Path, recipe: Path = RECIPE, pictures: Path = HERE) -> int:
    """Train a model on single residues, make residues with it, and score them as atoms.

    Parameters
    ----------
    directory
        Folder of chains with index.tsv: file, cluster30, split.
    out
        Folder for the data, the model, the figures and their table; data and model that are there are used.
    recipe
        What is trained.
    pictures
        Folder for the pictures.
    """
    settings = holo_vae.read_recipe(recipe)
    if not isinstance(settings.model, ModelConfig) or settings.model.condition is None:
        raise HoloError(f"{recipe}: is of no conditional autoencoder")
    clouds = _clouds(directory, settings.model, out)
    rows = {split: zernike_transform(some, settings.model.basis) for split, some in clouds.items()}
    model = _model(settings, rows, out)
    types = map(str, settings.model.condition.categories)
    real, test = {name: RealResidues.of(clouds["train"], name) for name in types}, rows["test"]
    kinds = _kinds(model, test)
    points = {kind: find_points(made) for kind, made in kinds.items()}
    scores = {kind: score_residues(some, real) for kind, some in points.items()}
    with replacing(out / "figures.json") as new:
        plain = {kind: attrs.asdict(score) for kind, score in scores.items()}
        new.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    with replacing(out / "tables.md") as new:
        new.write_text(_table(scores), encoding="utf-8")
    for name, figure in (
        ("residues", residue_figure(kinds, points, real)),
        ("interpolation", interpolation_figure(model, test, real)),
    ):
        with replacing(pictures / f"{name}.webp") as new:
            figure.savefig(new, format="webp", dpi=110)
    return 0


def _clouds(directory: Path, config: ModelConfig, out: Path) -> Mapping[str, PointClouds]:
    """Read the residues of each split; those of the test lie in the pose of their backbone too, to be compared."""
    radial, condition = config.basis.radial, config.condition
    assert radial is not None
    assert condition is not None
    types = tuple(map(str, condition.categories))
    counts = {"train": TRAINING_EACH, "valid": TEST_EACH, "test": TEST_EACH}
    out.mkdir(parents=True, exist_ok=True)
    found: dict[str, PointClouds] = {}
    chains: Mapping[str, Sequence[Path]] = {}
    for split, each in counts.items():
        path = out / f"{split}.h5"
        if not path.exists():
            chains = chains or split_chains(directory, SEED)
            read = read_residues(chains[split][:TRAINING_CHAINS], radial.cutoff, config.basis.channels, types)
            holo_types.save(balanced(read, types, each, SEED), path)
        loaded = holo_types.load(path)
        assert isinstance(loaded, PointClouds)
        found[split] = loaded
    return found


def _model(recipe: Recipe, rows: Mapping[str, Holograms], out: Path) -> Model:
    """Train the model, unless that was done before."""
    folder = out / "model"
    if folder.exists():
        return holo_vae.load(str(folder), Model)
    assert isinstance(recipe.model, ModelConfig)
    training, validation = (
        holo_vae.open_rows(
            rows[split], shuffle_rows=recipe.training.shuffle_rows, condition=recipe.model.condition
        )
        for split in ("train", "valid")
    )
    model = holo_vae.initial_model(recipe, holo_vae.data_scale(training), "residue-cond-hvae-z16")
    started = time.monotonic()
    with progress(recipe.training.epochs, f"training on {len(rows['train'])} residues, epochs") as advance:
        for epoch in holo_vae.train(model.network, training, validation, recipe, state=out / "state"):
            minutes = (time.monotonic() - started) / 60
            advance(1, f"validation cosine loss {epoch.validation['cosine_loss']:.4f}, {minutes:.0f} minutes")
    holo_vae.write_model(model, folder)
    return model


def _kinds(model: Model, test: Holograms) -> dict[str, Holograms]:
    """Return real residues and all that the model makes, in the canonical frame and with the type of each."""
    encoded = model.encode(test)
    labels = test.index["label"]
    return {
        "test residues themselves": to_canonical_frame(test, encoded.frames),
        "their reconstructions": canonical(model, encoded),
        "samples of the prior": sample_prior(model, len(test), labels, SEED),
        "half-way between two residues": _half_way(model, test),
    }


def _half_way(model: Model, test: Holograms) -> Holograms:
    """Return what is in the middle between each residue and the next of its type."""
    encoded, labels = model.encode(test), test.index["label"]
    middles = []
    for name in np.unique(labels):
        rows = np.flatnonzero(labels == name)
        for one, other in zip(rows.tolist(), np.roll(rows, -1).tolist(), strict=True):
            ends = encoded[one : one + 1], encoded[other : other + 1]
            middle = interpolate(model, *ends, 3, frames="canonical", condition=str(name))[1:2]
            middles.append(attrs.evolve(middle, index={"label": np.array([name])}))
    return holo_types.concatenate(middles)


def _table(scores: Mapping[str, ResidueScores]) -> str:
    titles = (
        "what",
        "right atoms",
        "right bonds",
        *(f"sound to {each:g} Å" for each in TOLERANCES),
        "distance",
    )
    rows = [
        (
            kind,
            *(f"{value:.3f}" for value in (score.right_atoms, score.right_bonds, *score.sound)),
            f"{score.distance:.2f} Å",
        )
        for kind, score in scores.items()
    ]
    rules = ("---", *["---:"] * (len(titles) - 1))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (titles, rules, *rows)) + "\n"


if __name__ == "__main__":
    sys.exit(run(app))
