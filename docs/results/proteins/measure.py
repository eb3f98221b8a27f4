"""All figures of one model on the test chains."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs
import numpy as np
from accuracy import Accuracy, measure_accuracy
from chains import (
    Protein,
    encode,
    encode_files,
    one_of_each_cluster,
    read_proteins,
    read_splits,
    selection_of,
)
from drawing import Tile, TileRow, accuracy_figure, denoising_figure, neighbors_figure
from jaxtyping import Int
from loading import load_surroundings_model
from neighbors import Agreement, agreements, draw_queries, nearest
from rich.console import Console
from robustness import Denoising, measure_denoising, measure_equivariance
from scenes import scene
from tables import measure_tables
from writing import write_figures

from holo_features import Encoding, Selection
from holo_types import Basis, Embeddings, HoloError
from holo_types.console import progress
from holo_vae import EquivarianceErrors
from holo_vae.data.structure_sets import TableRow

__all__ = ["Measured", "measure"]

SEED = 0
TRAINING_CLUSTERS = 120  # clusters, from each of which one chain contributes to the mean hologram
TURNED_CHAINS, ROTATIONS = 8, 4
NOISES = (0.0, 0.1, 0.3, 0.5)  # Å
NEIGHBORS = 10
DRAWN_RADIUS = 10.0  # Å
FRONT_TYPES, FRONT_NEIGHBORS = ("Asn", "Gly", "Leu", "Lys"), 8  # of the picture on the front page
SHARED = {"residue_type": "residue\ntype", "secondary_structure": "secondary\nstructure", "burial": "burial"}


@attrs.frozen(kw_only=True)
class ModelFacts:
    """The measured model; its encoding is everything in its basis except degrees, orders and channels."""

    name: str
    digest: str
    parameters: int
    latent_dim: int
    encoding: str
    basis: str


@attrs.frozen(kw_only=True)
class Measured:
    """All figures of a model.

    Parameters
    ----------
    model
        The model.
    accuracy, equivariance, denoising, agreements
        The figures of the respective modules.
    skipped
        Files that could not be used, with the reasons.
    seconds
        The duration of each part.
    """

    model: ModelFacts
    accuracy: Accuracy
    equivariance: EquivarianceErrors
    denoising: tuple[Denoising, ...]
    agreements: tuple[Agreement, ...]
    skipped: tuple[str, ...]
    seconds: dict[str, float]


def measure(directory: Path, model: str, /, *, out: Path) -> int:
    """Measure a model on the test chains of a folder; nothing is chosen on them.

    Parameters
    ----------
    directory
        Folder of chains with index.tsv: file, cluster30, split.
    model
        A folder of a model, the name of one that comes with holo-vae, or models:/NAME@ALIAS.
    out
        Folder for figures.json, tables.md and the pictures.
    """
    loaded = load_surroundings_model(model)
    basis = loaded.config.basis
    splits = read_splits(directory)
    seconds: dict[str, float] = {}

    with _timed("reading and encoding", seconds):
        proteins, skipped = _proteins(splits["test"], selection_of(basis), directory)
        test = encode(proteins, basis)
        chains = one_of_each_cluster(splits["train"], TRAINING_CLUSTERS, SEED)
        training = encode_files(chains, basis, Encoding(selection=selection_of(basis)))
    with _timed("embedding", seconds):
        embeddings = loaded.encode(test)
    with _timed("accuracy", seconds):
        accuracy = measure_accuracy(loaded, test, embeddings, training)
    with _timed("equivariance", seconds):
        equivariance = measure_equivariance(loaded, _some(proteins, TURNED_CHAINS), ROTATIONS, SEED)
    with _timed("denoising", seconds):
        denoising = measure_denoising(loaded, proteins, test, NOISES, SEED)
    with _timed("nearest neighbors", seconds):
        rows, _ = nearest(embeddings, np.arange(len(test)), NEIGHBORS)
        shared = agreements(test.index, rows, tuple(SHARED))

    measured = Measured(
        model=ModelFacts(
            name=loaded.name,
            digest=loaded.digest,
            parameters=sum(parameter.numel() for parameter in loaded.network.parameters()),
            latent_dim=loaded.config.latent_dim,
            encoding=_encoding(basis),
            basis=str(basis),
        ),
        accuracy=accuracy,
        equivariance=equivariance,
        denoising=denoising,
        agreements=shared,
        skipped=skipped,
        seconds=seconds,
    )
    tile_rows = _tile_rows(proteins, embeddings, rows)
    pictures = {
        "front": neighbors_figure(
            [
                attrs.evolve(row, tiles=row.tiles[: 1 + FRONT_NEIGHBORS], shared=())
                for row in tile_rows
                if row.tiles[0].name in FRONT_TYPES
            ],
            (),
            (),
            DRAWN_RADIUS,
        ),
        "accuracy": accuracy_figure(accuracy),
        "denoising": denoising_figure(denoising),
        "neighbors": neighbors_figure(
            tile_rows,
            tuple(SHARED.values()),
            [NEIGHBORS * agreement.chance for agreement in shared],
            DRAWN_RADIUS,
        ),
    }
    write_figures(out, measured, measure_tables(measured), pictures)
    Console(soft_wrap=True, highlight=False).print(
        f"{out}: {accuracy.rows} residues of {accuracy.chains} chains, cosine loss {accuracy.cosine_loss}, "
        f"{sum(seconds.values()):.0f} s",
        markup=False,
    )
    return 0


def _encoding(basis: Basis) -> str:
    """Name the normalizations of radial functions, of points if there is one, and of harmonics."""
    assert basis.radial is not None
    names = (basis.radial.normalization, basis.point_normalization, basis.angular_normalization)
    return ", ".join(dict.fromkeys(name for name in names if name != "none"))


@contextmanager
def _timed(part: str, seconds: dict[str, float]) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[part] = round(time.monotonic() - started, 1)


def _proteins(
    chains: Sequence[TableRow], selection: Selection, directory: Path
) -> tuple[list[Protein], tuple[str, ...]]:
    proteins, skipped = [], []
    with progress(len(chains), "reading chains") as advance:
        for read in read_proteins(chains, selection):
            if isinstance(read, Protein):
                proteins.append(read)
            else:
                skipped.append(str(read).replace(f"{directory}/", ""))
            advance()
    if not proteins:
        raise HoloError(f"no test chain could be read; the first: {skipped[0]}")
    return proteins, tuple(skipped)


def _some(proteins: Sequence[Protein], count: int) -> list[Protein]:
    chosen = np.random.default_rng(SEED).permutation(len(proteins))[:count]
    return [proteins[number] for number in sorted(chosen.tolist())]


def _tile_rows(
    proteins: Sequence[Protein], embeddings: Embeddings, rows: Int[np.ndarray, "n count"]
) -> list[TileRow]:
    index = embeddings.index
    starts = np.cumsum([0, *(len(protein.centers) for protein in proteins)])
    drawn = []

    def tile(row: int, query: int) -> Tile:
        number = int(np.searchsorted(starts, row, side="right")) - 1
        own = embeddings[slice(int(starts[number]), int(starts[number + 1]))]
        types = index["residue_type"]
        return Tile(
            scene(proteins[number], row - int(starts[number]), own, DRAWN_RADIUS),
            str(types[row]).capitalize(),
            bool(types[row] == types[query]),
        )

    for query in draw_queries(index, SEED).tolist():
        found = rows[query].tolist()
        name = f"{str(index['residue_name'][query]).capitalize()} {index['residue_number'][query]}"
        drawn.append(
            TileRow(
                f"{name}\n{str(index['structure'][query]).partition('_')[0]} {index['chain'][query]}\n"
                f"{index['secondary_structure'][query]}, {index['burial'][query]}",
                tuple(tile(row, query) for row in (query, *found)),
                tuple(int((index[label][found] == index[label][query]).sum()) for label in SHARED),
            )
        )
    return drawn
