"""A search for residues that bind a metal in other families, a table of docs/results/search.md.

    python docs/results/search/metals.py DIR --out results/

DIR contains labels.csv (id, protein, ligand) and the files that it names, in which ions are HETATM. A residue binds a
metal if a nitrogen, oxygen or sulfur atom of it is within 2.8 Å. Metals and ligands are removed. Each such residue
is a query for those that bind the same metal, among the residues of its own type in other sequence clusters with an
atom within 6 Å of a ligand or a metal. Each cluster has the same weight, as a query and as a target. Existing results
are not computed again.
"""

import argparse
import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

import holo_types
from holo_downstream import full_power_spectrum, scalar_coefficients, whitening
from holo_downstream.validation.bootstrap import percentile_interval, resample_counts
from holo_features import (
    Selection,
    Structure,
    alpha_carbons,
    neighborhoods,
    read_ligand,
    read_structure,
    zernike_transform,
)
from holo_features.structures.residue import residue_numbers
from holo_features.surroundings.pairs import pairs_within
from holo_types import Embeddings, HoloError, Holograms, concatenate
from holo_types.files.csv_files import csv_text
from holo_vae import Model, load

Values = NDArray[np.float64]

MODEL = "microenvironment-z128"
CHAINS = Path(__file__).parents[1] / "split" / "chains.csv"
METALS, DONORS = ("ZN", "MG", "CA"), ("N", "O", "S")
_BOND, _SITE, _AROUND = 2.8, 6.0, 10.0  # Å
_COMPLEXES = 5  # of a cluster, at most
_RESAMPLES = 2000


def read_sites(folder: Path, out: Path) -> tuple[Holograms, Embeddings]:
    """Encode and embed the residues near ligands and metals, and find those that bind a metal."""
    model = load(MODEL, Model)
    if not (out / "metal_sites.h5").exists():
        holo_types.save(concatenate(list(_encoded(folder, model))), out / "metal_sites.h5")
    holograms = holo_types.load(out / "metal_sites.h5", kind=Holograms)
    if not (out / "metal_sites_z.h5").exists():
        holo_types.save(model.encode(holograms), out / "metal_sites_z.h5")
    return holograms, holo_types.load(out / "metal_sites_z.h5", kind=Embeddings)


def _encoded(folder: Path, model: Model) -> Iterator[Holograms]:
    basis = model.config.basis
    assert basis.radial is not None
    clusters = {
        row["structure"]: row["cluster"]
        for row in csv.DictReader(csv_text(CHAINS))
        if row["archive"] == "refined"
    }
    taken: dict[str, int] = {}
    for row in csv.DictReader(csv_text(folder / "labels.csv")):
        cluster = clusters[row["id"]]
        taken[cluster] = taken.get(cluster, 0) + 1
        if taken[cluster] > _COMPLEXES:
            continue
        path = folder / row["protein"]
        try:
            protein = read_structure(path)
            metals, bound = _metals(path, protein)
            ligand = read_ligand(folder / row["ligand"]).atoms.coord.astype(np.float64)
        except HoloError:
            continue
        around = np.concatenate([metals, ligand])
        near = pairs_within(around, protein.atoms.coord.astype(np.float64), _SITE).counts > 0
        numbers = residue_numbers(protein.atoms)
        carbons = alpha_carbons(protein)
        chosen = carbons[np.isin(numbers[carbons.atoms], np.unique(numbers[near]))]
        clouds = neighborhoods(protein, basis.radial.cutoff, basis.channels, centers=chosen)
        if len(clouds) == len(chosen):
            holograms = zernike_transform(clouds, basis)
            about = holograms.index.assign(
                cluster=[cluster] * len(chosen),
                metal=bound[numbers[chosen.atoms]],
                neighbors=[" ".join(names) for names in _neighbors(protein, chosen.positions)],
            )
            yield attrs.evolve(holograms, index=about)


def _metals(path: Path, protein: Structure) -> tuple[Values, NDArray[np.str_]]:
    """Return the positions of metals, and for each residue of the protein the metal that it binds."""
    everything = read_structure(path, Selection(hetero=True)).atoms
    metals = everything[np.isin(everything.element, METALS)]
    donors = np.flatnonzero(np.isin(protein.atoms.element, DONORS))
    places = metals.coord.astype(np.float64)
    found = pairs_within(protein.atoms.coord[donors].astype(np.float64), places, _BOND)
    numbers = residue_numbers(protein.atoms)
    bound = np.full(int(numbers.max()) + 1, "", dtype="U2")
    bound[numbers[donors[found.points]]] = np.repeat(metals.element, found.counts)
    return places, bound


def _neighbors(protein: Structure, places: Values) -> list[list[str]]:
    """Return the types of the residues around each position, without its own."""
    carbons = alpha_carbons(protein)
    names = carbons.index.column("residue_name")
    found = pairs_within(carbons.positions, places, _AROUND)
    ends = np.cumsum(found.counts)[:-1]
    apart = np.linalg.norm(carbons.positions[found.points] - np.repeat(places, found.counts, axis=0), axis=1)
    return [
        names[points[far > 0]].tolist()
        for points, far in zip(np.split(found.points, ends), np.split(apart, ends), strict=True)
    ]


# Vectors to compare


def vectors(holograms: Holograms, embeddings: Embeddings) -> dict[str, Values]:
    """Return the vectors of each row of the table, which are compared by Euclidean distance."""
    lists = [text.split() for text in holograms.index.column("neighbors").tolist()]
    names = sorted({name for each in lists for name in each})
    place = {name: number for number, name in enumerate(names)}
    counts = np.zeros((len(lists), len(names)))
    for row, each in enumerate(lists):
        np.add.at(counts[row], [place[name] for name in each], 1.0)
    blocks = [holograms[start : start + 1000] for start in range(0, len(holograms), 1000)]
    z = embeddings.invariants.astype(np.float64)
    spectra = np.concatenate([full_power_spectrum(block) for block in blocks])
    return {
        "number of residues within 10 Å": counts.sum(axis=1, keepdims=True),
        "counts of residue types within 10 Å": _standard(counts),
        "l = 0": _standard(np.concatenate([scalar_coefficients(block) for block in blocks])),
        "power spectrum": _standard(spectra),
        "z, whitened": whitening(z).of(z),
        "z, standardized": _standard(z),
    }


def _standard(values: NDArray[np.floating]) -> Values:
    numbers = values.astype(np.float64)
    scale = numbers.std(axis=0)
    standard: Values = (numbers - numbers.mean(axis=0)) / np.where(scale > 0, scale, 1)
    return standard


# Scores


@attrs.frozen(eq=False)
class Scores:
    """Scores of the queries of each cluster: AUROC, average precision, nearest residue right, and chance.

    Parameters
    ----------
    clusters
        The clusters of the queries.
    values : Float[ndarray, "clusters 4"]
        The means over the queries of a cluster; the last is the share of candidates that are right.
    """

    clusters: tuple[str, ...]
    values: Values


def score(
    values: Values, names: NDArray[np.str_], metals: NDArray[np.str_], clusters: NDArray[np.str_], metal: str
) -> Scores:
    """Score the search from residues that bind a metal for others of their type that do."""
    found: dict[str, list[tuple[float, float, float, float]]] = {}
    for query in np.flatnonzero(metals == metal):
        others = (names == names[query]) & (clusters != clusters[query])
        right = metals[others] == metal
        if not right.any() or right.all():
            continue
        apart = np.linalg.norm(values[others] - values[query], axis=1)
        # Each cluster has the same weight among the targets.
        _, place, count = np.unique(clusters[others][right], return_inverse=True, return_counts=True)
        weights = np.ones(len(right))
        weights[right] = 1 / count[place]
        found.setdefault(str(clusters[query]), []).append(
            (
                float(roc_auc_score(right, -apart, sample_weight=weights)),
                float(average_precision_score(right, -apart, sample_weight=weights)),
                float(right[np.argmin(apart)]),
                float(right.mean()),
            )
        )
    return Scores(tuple(found), np.array([np.mean(each, axis=0) for each in found.values()]))


def table(rows: Mapping[str, Scores], reference: str) -> list[str]:
    """Return the lines of a table; differences to the reference are paired by cluster."""
    count = len(rows[reference].clusters)
    draws = resample_counts(count, _RESAMPLES, 0)

    def told(values: Values) -> str:
        interval = percentile_interval(float(values.mean()), (draws @ values) / count)
        return f"{interval.estimate:.3f} [{interval.lower:.3f}, {interval.upper:.3f}]"

    lines = [
        f"{count} clusters; of the candidates {rows[reference].values[:, 3].mean():.3f} are right.",
        "",
        f"| compared by | AUROC | {reference} less it | average precision | nearest is right |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for row, scores in rows.items():
        less = "" if row == reference else told(rows[reference].values[:, 0] - scores.values[:, 0])
        cells = [told(scores.values[:, number]) for number in range(3)]
        lines.append(f"| {row} | {cells[0]} | {less} | {cells[1]} | {cells[2]} |")
    return lines


def main() -> None:
    """Make the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder with labels.csv and the complexes")
    parser.add_argument("--out", type=Path, required=True, help="folder for residues and tables")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    holograms, embeddings = read_sites(given.folder, given.out)
    compared = vectors(holograms, embeddings)
    names, metals, clusters = (holograms.index.column(name) for name in ("residue_name", "metal", "cluster"))
    lines = [f"{len(holograms)} residues of {len(np.unique(clusters))} clusters."]
    for metal in METALS:
        rows = {row: score(values, names, metals, clusters, metal) for row, values in compared.items()}
        lines += ["", f"{metal.capitalize()}: {int((metals == metal).sum())} residues bind it.", ""]
        lines += table(rows, "z, standardized")
    (given.out / "metals.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
