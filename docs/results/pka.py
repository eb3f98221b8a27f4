"""The table of pKa values in docs/results/mutations.md, a negative control.

    python docs/results/pka.py DIR --out results/

DIR contains pka.csv (pdb, chain, resnum, resname, pKa) and the structures, as pdb/PDB.pdb. Each row of the table
predicts the deviation of a side chain's pKa from the mean of its type, from features of its surroundings, by ten folds
of related proteins.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from holo_downstream import paired_test, scalar_coefficients, score_by_group
from holo_downstream.validation.cross_validation import group_folds
from holo_downstream.vectors.csv_files import read_csv
from holo_features import (
    ResidueId,
    alpha_carbons,
    neighborhoods,
    one_letter_sequence,
    read_structure,
    site_numbers,
    zernike_transform,
)
from holo_features.structures.alignment import align
from holo_types import Basis, Zernike
from holo_vae import Model, fill_in, load

Values = NDArray[np.float64]
TYPES = ("ASP", "GLU", "HIS", "LYS", "TYR", "CYS", "ARG")
RELATED = 0.4  # identity of aligned residues over half of the shorter chain
FEWEST = 5  # values of a type, so that it has a mean
MEAN, COUNTED = "mean of the type", "counted"


@attrs.frozen
class SideChain:
    """A side chain with its measured pKa.

    Parameters
    ----------
    entry, residue, residue_name
        The PDB entry, the residue and its type.
    pka
        The measured pKa.
    """

    entry: str
    residue: ResidueId
    residue_name: str
    pka: float


def main() -> None:
    """Make the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with pka.csv")
    parser.add_argument("--out", type=Path, required=True, help="folder for the table")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    kept, numbers, sequences = described(given.data, measured(given.data / "pka.csv"))
    families = related([one.entry for one in kept], sequences)
    types = np.array([one.residue_name for one in kept])
    pka = np.array([one.pka for one in kept])
    predicted = {MEAN: unseen(None, types, pka, families)}
    predicted |= {name: unseen(values, types, pka, families) for name, values in numbers.items()}
    lines = [
        f"{len(kept)} side chains of {len(sequences)} structures in {len(set(families))} families",
        "",
        "| | RMSE | difference to the mean of the type | p, permutation | Pearson, deviation from the mean |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    means = predicted[MEAN]
    for name, values in predicted.items():
        error = score_by_group("rmsd", values, pka, families)
        cells = ("", "", "")
        if name != MEAN:
            test = paired_test(values[None], means[None], pka, "rmsd", groups=families)
            beside = score_by_group("pearson", values - means, pka - means, families)
            cells = (str(test.difference), f"{test.p_value:.4f}", str(beside))
        lines.append(f"| {name} | {error} | {' | '.join(cells)} |")
    (given.out / "pka.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


def measured(path: Path) -> list[SideChain]:
    """Read the values of side chains, without those of chain ends."""
    table = read_csv(path)
    found = []
    for entry, chain, number, name, pka in zip(
        *(table[column] for column in ("pdb", "chain", "resnum", "resname", "pKa")), strict=True
    ):
        try:
            one = SideChain(entry, ResidueId.parse(f"{chain}:{number}"), name, float(pka))
        except ValueError:  # given as a bound, such as "<2"
            continue
        if name in TYPES:
            found.append(one)
    counts = {name: sum(one.residue_name == name for one in found) for name in TYPES}
    return [one for one in found if counts[one.residue_name] >= FEWEST]


def described(
    folder: Path, sides: list[SideChain]
) -> tuple[list[SideChain], dict[str, Values], dict[str, str]]:
    """Return the side chains that are in their structures, their features by row, and the sequence of each entry."""
    models = {name: load(name, Model) for name in ("microenvironment-z128", "microenvironment-fill-z128")}
    charges = Basis(lmax=0, radial=Zernike(nmax=20, cutoff=10.0, envelope=1.5), channels=("charge",))
    of_entry: dict[str, list[SideChain]] = defaultdict(list)
    for one in sides:
        of_entry[one.entry].append(one)
    kept: list[SideChain] = []
    sequences: dict[str, str] = {}
    parts: dict[str, list[Values]] = defaultdict(list)
    for entry, some in of_entry.items():
        structure = read_structure(folder / "pdb" / f"{entry}.pdb")
        about = alpha_carbons(structure)
        columns = (about.index[name].tolist() for name in ("chain", "residue_number", "insertion_code"))
        rows = {name: row for row, name in enumerate(map(ResidueId, *columns))}
        names = about.index["residue_name"].tolist()
        there = [one for one in some if one.residue in rows and names[rows[one.residue]] == one.residue_name]
        if not there:
            continue
        kept += there
        first = [
            name
            for name, chain in zip(names, about.index["chain"], strict=True)
            if chain == there[0].residue.chain
        ]
        sequences[entry] = one_letter_sequence(first)
        sites = about[np.array([rows[one.residue] for one in there])]
        counted = site_numbers(structure, sites)
        parts[COUNTED].append(np.concatenate([counted.around.values, counted.kinds.values], axis=1))
        filled = fill_in(structure, models["microenvironment-fill-z128"], sites)
        parts["log-probabilities of the twenty types"].append(filled.log_probabilities)
        compared = models["microenvironment-z128"]
        for name, basis in (("z", compared.config.basis), ("charge", charges)):
            holograms = zernike_transform(
                neighborhoods(structure, 10.0, basis.channels, centers=sites), basis
            )
            if name == "z":
                parts["z of microenvironment-z128"].append(
                    compared.encode(holograms).invariants.astype(float)
                )
            else:
                parts["channel charge, coefficients of l = 0"].append(
                    scalar_coefficients(holograms).astype(float)
                )
    return kept, {name: np.concatenate(each) for name, each in parts.items()}, sequences


def related(entries: list[str], sequences: dict[str, str]) -> NDArray[np.str_]:
    """Return the family of each row's protein, where proteins belong together if a chain of similar ones links them."""
    family = {entry: entry for entry in sequences}
    names = list(sequences)
    for place, one in enumerate(names):
        for other in names[:place]:
            if family[one] == family[other]:
                continue
            found = align(sequences[one], sequences[other])
            enough = len(found.pairs) >= min(len(sequences[one]), len(sequences[other])) / 2
            if enough and found.identity > RELATED:
                old = family[one]
                family = {entry: family[other] if name == old else name for entry, name in family.items()}
    return np.array([family[entry] for entry in entries])


def unseen(
    numbers: Values | None, types: NDArray[np.str_], pka: Values, families: NDArray[np.str_]
) -> Values:
    """Predict each fold of families from the others, by the mean of the type plus a regression on features."""
    predicted = np.empty(len(pka))
    for fold in group_folds(families, 10):
        means = {name: pka[fold.training][types[fold.training] == name].mean() for name in set(types)}
        of_type = np.array([means[name] for name in types.tolist()])
        predicted[fold.test] = of_type[fold.test]
        if numbers is not None:
            learned = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 6, 13)))
            learned.fit(numbers[fold.training], (pka - of_type)[fold.training])
            predicted[fold.test] += learned.predict(numbers[fold.test])
    return predicted


if __name__ == "__main__":
    main()
