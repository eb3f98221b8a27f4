"""Where a ligand binds to a whole protein, told by pockets of other families: a table of docs/results/search.md.

    python docs/results/search/where.py DIR --out results/

DIR holds labels.csv (id, source, cluster30, protein, ligand) and the files that it names, of whole proteins; of each
cluster one crystal complex is taken. No residue of a protein is said to be of a pocket. Each asks for the residues of
other clusters that are most like it, among all that have an atom within 4 Å of their ligand and ten times as many that
have none. Its score is the share of the former among the first. Residues near to each other are taken together, and
the patch with the highest score gives the place. How many are asked for and how large patches are is chosen on half of
the clusters, row by row, and scored once on the other half.
"""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from holo_downstream import full_power_spectrum, scalar_coefficients
from holo_features import (
    Structure,
    alpha_carbons,
    neighborhoods,
    read_ligand,
    read_structure,
    zernike_transform,
)
from holo_types import Index
from holo_types.files.csv_files import csv_text
from holo_vae import Model, load

MODEL = "microenvironment-z128"
WITHIN, RIGHT = 4.0, 4.0  # Å, of a pocket's atom from its ligand, and of a place from its center
OTHERS = 10  # residues that are in no pocket, for one that is
ASKED, RADII, JOINED = (10, 30, 100), (6.0, 8.0, 10.0), ("sum", "mean")
COMPONENTS = 128  # of the power spectrum
_AROUND = 10.0  # Å, in which residues and atoms are counted
_DISTANCES = np.arange(3.0, 20.0, 2.0)  # Å, of two Cα
_RESAMPLES = 2000
Values = NDArray[np.floating]


@attrs.frozen(eq=False)
class Protein:
    """A protein and what is told of its residues.

    Parameters
    ----------
    name, cluster
        What it is.
    points
        The mean of each residue's atoms, in Å.
    pocket
        Which residues are near the ligand.
    ligand
        Its center.
    rows
        Numbers of each residue, for each row of the table.
    """

    name: str
    cluster: str
    points: Values
    pocket: NDArray[np.bool_]
    ligand: Values
    rows: dict[str, Values]


def read_proteins(folder: Path) -> Iterator[Protein]:
    """Read one protein of each cluster."""
    first: dict[str, dict[str, str]] = {}
    for row in csv.DictReader(csv_text(folder / "labels.csv")):
        if row["source"] != "plrex":
            first.setdefault(row["cluster30"], row)
    model = load(MODEL, Model)
    basis = model.config.basis
    assert basis.radial is not None
    for row in first.values():
        structure, ligand = read_structure(folder / row["protein"]), read_ligand(folder / row["ligand"])
        carbons = alpha_carbons(structure)
        clouds = neighborhoods(structure, basis.radial.cutoff, basis.channels, centers=carbons)
        if len(clouds) != len(carbons):
            continue
        holograms = zernike_transform(clouds, basis, np.float32)
        points, pocket = _residues(structure, carbons.index, ligand.atoms.coord)
        rows = {
            "size: atoms within 10 Å": np.diff(clouds.offsets)[:, None].astype(np.float32),
            **_counts(carbons.positions, carbons.index["residue_name"]),
            "l = 0": scalar_coefficients(holograms),
            "power spectrum": full_power_spectrum(holograms).astype(np.float16),
            "z": model.encode(holograms).invariants,
        }
        yield Protein(row["id"], row["cluster30"], points, pocket, ligand.atoms.coord.mean(axis=0), rows)


def _residues(structure: Structure, index: Index, ligand: Values) -> tuple[Values, NDArray[np.bool_]]:
    """Return the mean of each residue's atoms, and whether one of them is near the ligand."""
    atoms = structure.atoms
    near = np.linalg.norm(atoms.coord[:, None] - ligand, axis=2).min(axis=1) <= WITHIN
    number = {
        name: place
        for place, name in enumerate(
            zip(
                *(index[column].tolist() for column in ("chain", "residue_number", "insertion_code")),
                strict=True,
            )
        )
    }
    names = zip(atoms.chain_id.tolist(), atoms.res_id.tolist(), atoms.ins_code.tolist(), strict=True)
    owner = np.array([number.get(name, -1) for name in names])
    sums, count = np.zeros((len(number), 3)), np.zeros(len(number))
    np.add.at(sums, owner[owner >= 0], atoms.coord[owner >= 0])
    np.add.at(count, owner[owner >= 0], 1)
    pocket = np.zeros(len(number), bool)
    pocket[owner[near & (owner >= 0)]] = True
    return sums / count[:, None], pocket


TYPES = np.array(
    "ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL".split()  # noqa: SIM905
)


def _counts(places: Values, names: NDArray[np.str_]) -> dict[str, Values]:
    """Count residue types around each residue, together and at distances."""
    kinds = (names[:, None] == TYPES).astype(np.float32)
    apart = np.linalg.norm(places[:, None] - places, axis=2)
    at_distances = np.concatenate(
        [np.exp(-(((apart - distance) / 2) ** 2)) @ kinds for distance in _DISTANCES], axis=1
    )
    return {
        "counts of residue types within 10 Å": (apart <= _AROUND).astype(np.float32) @ kinds,
        "geometry: residue types at distances": at_distances.astype(np.float32),
    }


def told(proteins: list[Protein], row: str, generator: np.random.Generator) -> list[Values]:
    """Return for each residue the share of pockets among the residues of other clusters that are most like it."""
    values = _scaled(proteins, row)
    owner = np.repeat(np.arange(len(proteins)), [len(protein.points) for protein in proteins])
    pocket = np.concatenate([protein.pocket for protein in proteins])
    others = generator.permutation(np.flatnonzero(~pocket))[: OTHERS * int(pocket.sum())]
    among = np.concatenate([np.flatnonzero(pocket), others])
    squares, labels = (values[among] ** 2).sum(axis=1), pocket[among]
    shares = []
    for number in range(len(proteins)):
        mine = values[owner == number]
        apart = squares - 2 * mine @ values[among].T
        apart[:, owner[among] == number] = np.inf
        nearest = np.argpartition(apart, ASKED[-1], axis=1)[:, : ASKED[-1]]
        order = np.argsort(np.take_along_axis(apart, nearest, 1), axis=1)
        found = labels[np.take_along_axis(nearest, order, 1)]
        shares.append(np.stack([found[:, :count].mean(axis=1) for count in ASKED]))
    return shares


def _scaled(proteins: list[Protein], row: str) -> NDArray[np.float32]:
    if row == "z and geometry":
        parts = [_scaled(proteins, each) for each in ("z", "geometry: residue types at distances")]
        return np.concatenate([part / np.sqrt(part.shape[1]) for part in parts], axis=1)
    values = np.concatenate([protein.rows[row] for protein in proteins])
    if row == "power spectrum":
        some = values[:: max(1, len(values) // 4000)].astype(np.float32)
        reduced = PCA(COMPONENTS, random_state=0).fit(some)
        blocks = (values[start : start + 2000].astype(np.float32) for start in range(0, len(values), 2000))
        values = np.concatenate([reduced.transform(block) for block in blocks])
    spread = values.std(axis=0)
    scaled: NDArray[np.float32] = ((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1)).astype(
        np.float32
    )
    return scaled


def outcomes(protein: Protein, scores: Values) -> NDArray[np.bool_]:
    """Say whether the patch with the highest score lies at the ligand.

    Parameters
    ----------
    protein
        Which.
    scores : Float[ndarray, "ways n"]
        Of its residues.

    Returns
    -------
    Bool[ndarray, "ways radii joined"]
        For each way to score, radius of patches, and how their scores are joined.
    """
    apart = np.linalg.norm(protein.points[:, None] - protein.points, axis=2)
    found = np.empty((len(scores), len(RADII), len(JOINED)), bool)
    for place, radius in enumerate(RADII):
        near = (apart <= radius).astype(np.float64)
        for way, score in enumerate(scores):
            total, off = near @ score, _off(protein, near, score)
            found[way, place] = [
                off[joined.argmax()] <= RIGHT for joined in (total, total / near.sum(axis=1))
            ]
    return found


def _off(protein: Protein, near: Values, score: Values) -> Values:
    """Return how far the place of each patch is from the ligand's center."""
    weights = score + 1e-6
    places = near @ (weights[:, None] * protein.points) / (near @ weights)[:, None]
    off: Values = np.linalg.norm(places - protein.ligand, axis=1)
    return off


def _by_chance(protein: Protein) -> float:
    """Return the share of patches that lie at the ligand, for each radius; the mean."""
    apart = np.linalg.norm(protein.points[:, None] - protein.points, axis=2)
    even = np.ones(len(apart))
    return float(np.mean([_off(protein, (apart <= radius) * 1.0, even) <= RIGHT for radius in RADII]))


def table(proteins: list[Protein], rows: list[str]) -> list[str]:
    """Choose on half of the clusters, and score on the other half."""
    order = np.random.default_rng(2026).permutation(len(proteins))
    choosing, scoring = order[: len(order) // 2].tolist(), order[len(order) // 2 :].tolist()
    scored: dict[str, NDArray[np.float64]] = {}
    ways: dict[str, str] = {}
    for row in rows:
        shares = told(proteins, row, np.random.default_rng(0))
        hits = np.array([outcomes(*each) for each in zip(proteins, shares, strict=True)], dtype=float)
        best = np.unravel_index(hits[choosing].mean(axis=0).argmax(), hits.shape[1:])
        ways[row] = f"{ASKED[best[0]]} asked, patches of {RADII[best[1]]:.0f} Å, {JOINED[best[2]]}"
        scored[row] = hits[scoring][:, *best]
        print(
            row, ways[row], f"{hits[choosing][:, *best].mean():.3f}", f"{scored[row].mean():.3f}", flush=True
        )
    known = np.array(
        [outcomes(proteins[each], proteins[each].pocket[None].astype(float)).max() for each in scoring]
    )
    chance = np.array([_by_chance(proteins[each]) for each in scoring])
    draws = np.random.default_rng(1).integers(len(scoring), size=(_RESAMPLES, len(scoring)))
    lines = [
        f"{len(proteins)} proteins, {sum(len(each.points) for each in proteins):,} residues; {len(scoring)} are scored",
        "",
        "| compared by | chosen | first place right | z less it |",
        "| --- | --- | ---: | ---: |",
        f"| a place at random | | {_interval(chance, draws)} | {_interval(scored['z'] - chance, draws)} |",
    ]
    for row in rows:
        less = "" if row == "z" else _interval(scored["z"] - scored[row], draws)
        lines.append(f"| {row} | {ways[row]} | {_interval(scored[row], draws)} | {less} |")
    return [*lines, f"| the pocket itself, were it known | | {_interval(known.astype(float), draws)} | |"]


def _interval(values: NDArray[np.float64], draws: NDArray[np.int64]) -> str:
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


def main() -> None:
    """Make the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder with labels.csv and the complexes")
    parser.add_argument("--out", type=Path, required=True, help="folder for the table")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    proteins = list(read_proteins(given.folder))
    lines = table(proteins, [*proteins[0].rows, "z and geometry"])
    (given.out / "where.md").write_text("\n".join([*lines, ""]), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
