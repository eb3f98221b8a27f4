"""How well models reconstruct the pockets of complexes, with the ligand and without it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import attrs
import numpy as np
from jaxtyping import Float
from loading import load_surroundings_model
from numpy.typing import NDArray
from rich.console import Console
from scipy.spatial import KDTree
from writing import markdown_table, signed, write_figures

from holo_downstream import Interval, bootstrap_mean
from holo_downstream.affinity.labels import read_labels
from holo_features import (
    ComplexSource,
    alpha_carbons,
    complex_neighborhoods,
    cut_neighborhoods,
    find_complexes,
    pocket,
    read_complex,
    zernike_transform,
)
from holo_types import Basis, HoloError, Holograms, PointClouds, concatenate
from holo_types.console import progress
from holo_vae import Model

__all__ = ["Ligands", "channel_products", "ligands"]

SEED = 0
SURROUNDINGS = ("pocket, with the ligand", "pocket, ligand left out", "no ligand in reach")


@attrs.frozen(kw_only=True)
class ChannelCosine:
    """The mean cosine loss of one channel, over the residues that have atoms of it.

    Parameters
    ----------
    channel
        The name of the channel.
    rows
        The number of residues with such atoms.
    cosine_loss
        The loss, or None if no residue has such atoms.
    mean_hologram
        The loss of predicting the mean hologram of all these surroundings.
    """

    channel: str
    rows: int
    cosine_loss: float | None
    mean_hologram: float | None


@attrs.frozen(kw_only=True)
class Surroundings:
    """How well a model reconstructs one kind of surroundings.

    Parameters
    ----------
    model
        The channels of the model.
    name
        One of `SURROUNDINGS`.
    rows
        The number of residues.
    cosine_loss
        The cosine loss (s = +1) with a 95 % interval, a bootstrap over the clusters of the complexes.
    change
        The mean increase of the loss over that without the ligand; only for surroundings with the ligand.
    channels
        The losses of the channels.
    """

    model: str
    name: str
    rows: int
    cosine_loss: Interval
    change: Interval | None
    channels: tuple[ChannelCosine, ...]


@attrs.frozen(kw_only=True)
class Ligands:
    """The results.

    Parameters
    ----------
    complexes, clusters
        The numbers that were measured.
    surroundings
        The three kinds of surroundings, for each model.
    skipped
        Complexes that could not be used, and why.
    """

    complexes: int
    clusters: int
    surroundings: tuple[Surroundings, ...]
    skipped: tuple[str, ...]


def ligands(directory: Path, model: str, /, *models: str, out: Path) -> int:
    """Measure how models reconstruct the pockets of the test complexes of a folder.

    Parameters
    ----------
    directory
        Folder with labels.csv (id, label or pK, a cluster such as cluster30, split, protein, ligand) and the files
        that it names.
    model
        A folder of a model, the name of one that comes with holo-vae, or models:/NAME@ALIAS.
    models
        Further models to compare with it.
    out
        Folder for figures.json and tables.md.
    """
    loaded = [load_surroundings_model(name) for name in (model, *models)]
    clusters = _test_clusters(directory)
    found = find_complexes(directory)
    sources = [source for source in found.sources if source.name in clusters]
    if not sources:
        raise HoloError(f"{directory}: none of its complexes has split test; at least one is needed")
    surroundings: list[Surroundings] = []
    skipped = {s.name: f"complex {s.name}: {s.reason}" for s in found.skipped if s.name in clusters}
    with progress(len(loaded) * len(sources), "encoding complexes") as advance:
        for each in loaded:
            encoded = []
            for source, result in _encoded(sources, each.config.basis):
                if isinstance(result, HoloError):
                    skipped[source.name] = str(result).replace(f"{directory}/", "")
                else:
                    encoded.append(result)
                advance()
            if not encoded:
                raise HoloError(
                    f"{directory}: no test complex could be used; the first: {next(iter(skipped.values()))}"
                )
            surroundings += _measured(each, encoded, clusters)
    used = [source.name for source in sources if source.name not in skipped]
    results = Ligands(
        complexes=len(used),
        clusters=len({clusters[name] for name in used}),
        surroundings=tuple(surroundings),
        skipped=tuple(skipped.values()),
    )
    write_figures(out, results, {"ligands": _table(surroundings)}, {})
    Console(soft_wrap=True, highlight=False).print(
        f"{out}: {results.complexes} complexes of {results.clusters} clusters, "
        + ", ".join(f"{s.model} {s.name} {s.cosine_loss.estimate:.3f}" for s in surroundings),
        markup=False,
    )
    return 0


def _test_clusters(directory: Path) -> dict[str, str]:
    """Return the cluster of each test complex; a complex without a cluster is a cluster of its own."""
    table = read_labels(directory / "labels.csv")
    return {row.id: row.cluster or row.id for row in table.complexes if row.split == "test"}


class _Rows(NamedTuple):
    """Holograms of a complex, one for each of `SURROUNDINGS`; rows of the first two are the same residues."""

    bound: Holograms
    left_out: Holograms
    away: Holograms


def _encoded(
    sources: Sequence[ComplexSource], basis: Basis
) -> Iterator[tuple[ComplexSource, _Rows | HoloError]]:
    for source in sources:
        try:
            yield source, _encode(source, basis)
        except HoloError as error:
            yield source, error


def _encode(source: ComplexSource, basis: Basis) -> _Rows:
    assert basis.radial is not None
    cutoff = basis.radial.cutoff
    complex_ = read_complex(source)
    protein = complex_.protein
    near = alpha_carbons(protein, pocket(complex_))
    every = alpha_carbons(protein)
    distances, _ = KDTree(complex_.ligand.atoms.coord).query(every.positions)
    away = every[np.flatnonzero(distances > cutoff)]
    # As many as the pocket has.
    chosen = np.random.default_rng(SEED).permutation(len(away))[: len(near)]

    def transform(clouds: PointClouds) -> Holograms:
        return zernike_transform(attrs.evolve(clouds, index=_named(clouds, source.name)), basis)

    bound = complex_neighborhoods(complex_, cutoff, basis.channels).clouds
    alone, far = (
        cut_neighborhoods(protein, cutoff, basis.channels, centers=centers).clouds
        for centers in (near, away[np.sort(chosen)])
    )
    if len(bound) != len(alone):
        raise HoloError(
            f"complex {source.name}: {len(bound) - len(alone)} residues have nothing but the ligand around them"
        )
    return _Rows(transform(bound), transform(alone), transform(far))


def _named(clouds: PointClouds, name: str) -> Mapping[str, NDArray[np.str_]]:
    return {"structure": np.full(len(clouds), name)}


def _measured(model: Model, encoded: Sequence[_Rows], clusters: Mapping[str, str]) -> Iterator[Surroundings]:
    channels = model.config.basis.channels
    losses: list[Float[np.ndarray, n]] = []
    groups: list[NDArray[np.str_]] = []
    products, guessed = [], []
    for parts in zip(*encoded, strict=True):
        rows = concatenate(parts)
        products.append(channel_products(rows, model.decode(model.encode(rows))))
        mean = np.broadcast_to(rows.coefficients.mean(axis=0), rows.coefficients.shape)
        guessed.append(channel_products(rows, attrs.evolve(rows, coefficients=np.ascontiguousarray(mean))))
        losses.append(_cosine_losses(products[-1], range(len(channels))))
        groups.append(np.array([clusters[str(name)] for name in rows.index["structure"]]))
    for number, name in enumerate(SURROUNDINGS):
        present = products[number][1] > 0
        each = [_cosine_losses(products[number], [channel]) for channel in range(len(channels))]
        means = [_cosine_losses(guessed[number], [channel]) for channel in range(len(channels))]
        yield Surroundings(
            model=" ".join(channels),
            name=name,
            rows=len(losses[number]),
            cosine_loss=bootstrap_mean(losses[number], groups[number]),
            change=bootstrap_mean(losses[0] - losses[1], groups[0]) if number == 0 else None,
            channels=tuple(
                ChannelCosine(
                    channel=channel,
                    rows=int(there.sum()),
                    cosine_loss=float(values[there].mean()) if there.any() else None,
                    mean_hologram=float(mean[there].mean()) if there.any() else None,
                )
                for channel, values, mean, there in zip(channels, each, means, present.T, strict=True)
            ),
        )


def channel_products(x: Holograms, y: Holograms) -> Float[np.ndarray, "3 n channels"]:
    """Return ⟨x, y⟩ = Σ_l sqrt(2l + 1) Σ x y, ⟨x, x⟩ and ⟨y, y⟩ of each channel, which add up to those of the whole."""
    channels = len(x.basis.channels)
    products = np.zeros((3, len(x), channels))
    for degree in range(x.basis.lmax + 1):
        a, b = (rows.degree(degree).astype(np.float64).reshape(len(x), channels, -1) for rows in (x, y))
        pairs = ((a, b), (a, a), (b, b))
        products += np.sqrt(2 * degree + 1) * np.stack([(p * q).sum(axis=2) for p, q in pairs])
    return products


def _cosine_losses(
    products: Float[np.ndarray, "3 n channels"], channels: Sequence[int]
) -> Float[np.ndarray, "n"]:
    """Return the cosine losses over some channels, which are 1 if either hologram is zero there."""
    xy, xx, yy = products[..., list(channels)].sum(axis=2)
    norms = np.sqrt(xx * yy)
    losses: NDArray[np.float64] = 1 - np.divide(xy, norms, out=np.zeros_like(xy), where=norms > 0)
    return losses


def _table(surroundings: Sequence[Surroundings]) -> str:
    names = list(dict.fromkeys(channel.channel for each in surroundings for channel in each.channels))
    rows = []
    for each in surroundings:
        found = {channel.channel: channel for channel in each.channels}
        rows.append(
            (
                f"{each.model}: {each.name}",
                f"{each.rows:,}",
                str(each.cosine_loss),
                signed(each.change),
                *(_channel(found.get(name), each.rows) for name in names),
            )
        )
    headings = ("channels: surroundings", "residues", "cosine loss [95 %]", "more than without", *names)
    return markdown_table(headings, rows)


def _channel(found: ChannelCosine | None, rows: int) -> str:
    """Return the loss and that of the mean hologram, and the number of residues if it is not all."""
    if found is None or found.cosine_loss is None or found.mean_hologram is None:
        return ""
    text = f"{found.cosine_loss:.3f} / {found.mean_hologram:.3f}"
    return text + (f" ({found.rows:,})" if found.rows < rows else "")
