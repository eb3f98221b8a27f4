"""The experiment on single residues, whose atoms are compressed to two numbers."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import attrs
import numpy as np
from chains import encode_files, one_of_each_cluster, read_splits
from cyclopts import Parameter
from drawing import amino_acid_map
from jaxtyping import Int
from rich.console import Console
from writing import markdown_table, write_figures

import holo_vae
from holo_features import STANDARD_AMINO_ACIDS, Encoding
from holo_types import HoloError, Holograms
from holo_types.console import progress
from holo_vae import LatentScores, Model, Recipe, Reconstruction, latent_scores, reconstruction, write_model

__all__ = ["AminoAcids", "amino_acids"]

SEED = 0
RECIPE = Path(__file__).with_name("amino-acids.yaml")
SIZES = (400, 1000, 5000, 20_000)
EPOCH_ROWS = 20_000  # smaller sets are repeated, so that all trainings have the same number of steps
VALIDATION_ROWS, TEST_ROWS = 1000, 2000
# Visani et al. 2024: cosine loss, KNN and linear accuracy.
PUBLISHED = {
    400: (0.153, 0.842, 0.586),
    1000: (0.099, 0.856, 0.583),
    5000: (0.053, 0.940, 0.629),
    20_000: (0.034, 0.972, 0.578),
}


@attrs.frozen(kw_only=True)
class SizeResult:
    """The result for one number of training residues.

    Parameters
    ----------
    training_rows
        The number of training residues.
    reconstruction, latent
        The figures of the test residues.
    seconds
        The duration of the training.
    """

    training_rows: int
    reconstruction: Reconstruction
    latent: LatentScores
    seconds: float


@attrs.frozen(kw_only=True)
class AminoAcids:
    """All results of the experiment.

    Parameters
    ----------
    parameters
        The number of parameters of the network.
    validation_rows, test_rows
        The numbers of residues on which weights and k were chosen, and that were measured.
    sizes
        The results, one for each number of training residues.
    """

    parameters: int
    validation_rows: int
    test_rows: int
    sizes: tuple[SizeResult, ...]


def amino_acids(
    directory: Path,
    /,
    *,
    out: Path,
    sizes: Annotated[tuple[int, ...], Parameter(consume_multiple=True, negative="")] = SIZES,
) -> int:
    """Train models with z = 2 on single residues, equally many of each type, and measure how z orders the types.

    Parameters
    ----------
    directory
        Folder of chains with index.tsv: file, cluster30, split.
    out
        Folder for figures.json, tables.md, the map, and the models.
    sizes
        Numbers of training residues, multiples of 20.
    """
    recipe = holo_vae.read_recipe(RECIPE)
    splits = read_splits(directory)
    basis = recipe.model.basis
    encoding = Encoding(single_residues=True)
    pools = {
        split: encode_files(one_of_each_cluster(chains, None, SEED), basis, encoding)
        for split, chains in splits.items()
    }
    validation = _balanced(pools["valid"], VALIDATION_ROWS)
    test = _balanced(pools["test"], TEST_ROWS)
    results: list[SizeResult] = []
    for size in sizes:
        training = _balanced(pools["train"], size)
        model, seconds = _trained(recipe, training, validation, f"amino-acids-{size}")
        write_model(model, out / "models" / f"amino-acids-{size}")
        z = model.encode(test)
        latent = latent_scores(
            z, "label", training=model.encode(training), validation=model.encode(validation)
        )
        results.append(
            SizeResult(
                training_rows=len(training),
                reconstruction=reconstruction(model, test, z),
                latent=latent,
                seconds=seconds,
            )
        )
    found = AminoAcids(
        parameters=sum(parameter.numel() for parameter in model.network.parameters()),
        validation_rows=len(validation),
        test_rows=len(test),
        sizes=tuple(results),
    )
    picture = amino_acid_map(
        z.invariants, test.index["label"], f"z of test residues, {size:,} training residues"
    )
    write_figures(out, found, {"amino_acids": _table(results)}, {"map": picture})
    last = results[-1]
    Console(soft_wrap=True, highlight=False).print(
        f"{out}: {last.training_rows} residues, cosine loss {last.reconstruction.cosine_loss:.3f}, "
        f"KNN {last.latent.knn_accuracy:.3f}",
        markup=False,
    )
    return 0


def _balanced(pool: Holograms, count: int) -> Holograms:
    """Draw equally many residues of each type, such that larger counts contain the residues of smaller ones."""
    each, rest = divmod(count, len(STANDARD_AMINO_ACIDS))
    if rest or not each:
        raise HoloError(
            f"{count} residues are to be drawn; it must be a multiple of {len(STANDARD_AMINO_ACIDS)}, at least one each"
        )
    order = np.random.default_rng(SEED).permutation(len(pool))
    types = pool.index["label"][order]
    rows: list[Int[np.ndarray, each]] = []
    for name in STANDARD_AMINO_ACIDS:
        members = order[types == name][:each]
        if len(members) < each:
            raise HoloError(f"there are {len(members)} {name}; {each} of each type are needed")
        rows.append(members)
    return pool[np.concatenate(rows)]


def _trained(recipe: Recipe, training: Holograms, validation: Holograms, name: str) -> tuple[Model, float]:
    repeats = max(1, EPOCH_ROWS // len(training))
    shown = training[np.tile(np.arange(len(training)), repeats)]
    rows, judged = (
        holo_vae.open_rows(part, shuffle_rows=recipe.training.shuffle_rows) for part in (shown, validation)
    )
    model = holo_vae.initial_model(recipe, holo_vae.data_scale(rows), name)
    started = time.monotonic()
    with progress(recipe.training.epochs, f"training on {len(training)} residues, epochs") as advance:
        for epoch in holo_vae.train(model.network, rows, judged, recipe):
            advance(1, f"validation cosine loss {epoch.validation['cosine_loss']:.4f}")
    return model, time.monotonic() - started


def _table(results: Sequence[SizeResult]) -> str:
    rows = []
    for result in results:
        loss, knn, linear = PUBLISHED.get(result.training_rows, (None,) * 3)
        rows.append(
            (
                f"{result.training_rows:,}",
                _beside(result.reconstruction.cosine_loss, loss),
                _beside(result.latent.knn_accuracy, knn),
                _beside(result.latent.linear_accuracy, linear),
                f"{result.latent.purity:.3f}",
                f"{result.seconds:.0f}",
            )
        )
    headings = (
        "residues (published)",
        "cosine loss",
        "KNN accuracy",
        "linear accuracy",
        "purity",
        "training (s)",
    )
    return markdown_table(headings, rows)


def _beside(value: float | None, published: float | None) -> str:
    assert value is not None
    return f"{value:.3f}" + ("" if published is None else f" ({published:.3f})")
