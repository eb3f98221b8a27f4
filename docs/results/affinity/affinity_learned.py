"""Predictions for the atoms of a ligand by a model trained to predict the kinds of atoms in proteins.

Nothing was fitted to affinities or complexes; the model has seen only chains of other sequence clusters.
"""

from pathlib import Path

import attrs
import numpy as np
import torch
from affinity_kinds import KINDS, ligand_kinds
from numpy.typing import NDArray
from protein_atoms import CHANNELS

import holo_types
from holo_features import Complex, zernike_transform
from holo_features.complexes.complex import complex_neighborhoods
from holo_features.complexes.sets import find_complexes
from holo_features.readers.symbols import METALS
from holo_features.surroundings.pairs import pairs_within
from holo_lab.affinity.folders import read_bound
from holo_types import HoloError, NamedArrays
from holo_vae import Model

Values = NDArray[np.float64]

_KIND = "AffinityStudyAtoms"
_METAL_BOND = 3.0  # Å
_EXTREME = 6.0  # largest log-odds; more extreme values carry no further information
_GROUPS = ("C", "aromatic C", "N", "O")


@attrs.frozen(eq=False)
class Atoms:
    """Atoms of ligands, with the predictions of a model from the protein around them.

    Parameters
    ----------
    ids
        The ids of the complexes.
    rows
        The complex of each atom.
    z
        The z of the protein atoms around each atom.
    log_probabilities
        The log-probability of each of `KINDS` at the position of the atom.
    kinds
        The kind of the atom as an index into `KINDS`, or -1 if proteins do not have it or it is bonded to a metal.
    """

    ids: tuple[str, ...]
    rows: NDArray[np.int64]
    z: Values
    log_probabilities: Values
    kinds: NDArray[np.int64]


def ligand_atoms(table: Path, model: Model, kept: Path) -> Atoms:
    """Return the predictions for the ligand atoms of a table, from a file if they were computed before."""
    if not kept.exists():
        ids: list[str] = []
        rows: list[NDArray[np.int64]] = []
        z: list[Values] = []
        kinds: list[NDArray[np.int64]] = []
        for source in find_complexes(table).sources:
            try:
                complex_ = read_bound(source)
                seen, of = _seen(complex_, model)
            except HoloError:
                continue
            rows.append(np.full(len(seen), len(ids)))
            ids.append(source.name)
            z.append(seen)
            kinds.append(of)
        arrays = {"ids": np.array(ids), "rows": np.concatenate(rows), "z": np.concatenate(z)}
        holo_types.save(NamedArrays(_KIND, {**arrays, "kinds": np.concatenate(kinds)}, {}), kept)
    stored = holo_types.load(kept, kind=NamedArrays).arrays
    with torch.inference_mode():
        scores = model.network.heads[0](torch.from_numpy(stored["z"]).float()).double()
    return Atoms(
        tuple(stored["ids"].tolist()),
        stored["rows"],
        stored["z"].astype(np.float64),
        np.asarray(torch.log_softmax(scores, dim=-1)),
        stored["kinds"],
    )


def _seen(complex_: Complex, model: Model) -> tuple[Values, NDArray[np.int64]]:
    """Return z of the protein around each heavy atom of the ligand, without the ligand, and the atom's kind.

    Ligand atoms without any protein atom around them are left out.
    """
    basis = model.config.basis
    assert basis.radial is not None
    found = complex_neighborhoods(
        complex_, basis.radial.cutoff, CHANNELS, centers="ligand", ligand_atoms="unbound"
    )
    z: Values = np.asarray(model.encode(zernike_transform(found.clouds, basis)).invariants)
    return z, _kinds(complex_)[found.atoms - len(complex_.protein.atoms)]


def _kinds(complex_: Complex) -> NDArray[np.int64]:
    """Return the kind of each atom of the ligand; those at metals have none, which the model has never seen."""
    protein, ligand = complex_.protein.atoms, complex_.ligand.atoms
    kinds = [KINDS.index(kind) if kind in KINDS else -1 for kind in ligand_kinds(complex_.ligand).tolist()]
    metals = protein.coord[np.isin(protein.element, list(METALS))].astype(np.float64)
    bonded = pairs_within(metals, ligand.coord.astype(np.float64), _METAL_BOND).counts > 0
    return np.where(bonded, -1, kinds)


def log_odds(atoms: Atoms) -> Values:
    """Pool over each ligand the log-odds of the kinds of its atoms at their positions."""
    count, rows, known = len(atoms.ids), atoms.rows, atoms.kinds >= 0
    kinds = np.bincount(atoms.kinds[known], minlength=len(KINDS)) + 5.0
    odds = np.clip(atoms.log_probabilities - np.log(kinds / kinds.sum()), -_EXTREME, _EXTREME)
    own = np.where(known, odds[np.arange(len(rows)), atoms.kinds], 0.0)
    sizes = np.bincount(rows, minlength=count)
    entropy = -(np.exp(atoms.log_probabilities) * atoms.log_probabilities).sum(axis=1)
    least = np.full(count, np.inf)
    np.minimum.at(least, rows, own)

    def total(values: Values) -> Values:
        found: Values = np.bincount(rows, values, count).astype(np.float64)
        return found

    mean = total(own) / sizes
    columns = [total(own), mean, np.sqrt(np.maximum(total(own**2) / sizes - mean**2, 0)), least]
    columns += [total(np.maximum(own, 0)), total(np.minimum(own, 0)), total(entropy), total(entropy) / sizes]
    groups = np.array([*(_group(kind) for kind in KINDS), ""])[atoms.kinds]
    columns += [total(np.where(groups == group, own, 0.0)) for group in _GROUPS]
    return np.stack(columns, axis=1)


def _group(kind: str) -> str:
    """Return the element of a kind, or aromatic C: the first word of one letter."""
    return kind if kind == "aromatic C" else next(word for word in kind.split() if len(word) == 1)
