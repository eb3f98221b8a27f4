"""Data that a lab has set aside to measure models on, in the basis of each model."""

from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np

from holo_features.encoding.structures import structure_names
from holo_types import Basis, HoloError, Holograms, Index
from holo_vae.evaluation.comparison import GROUPS, Compared, compare_models
from holo_vae.evaluation.gate_residues import SPLIT, GateResidues, read_gate_residues
from holo_vae.evaluation.invariants import encoded
from holo_vae.networks.model import Model

__all__ = ["Comparison", "compare", "indices"]


@attrs.frozen(eq=False)
class Comparison:
    """Models, and the residues that they are measured on.

    Parameters
    ----------
    models
        The candidate and, if there is one, the champion.
    residues, holograms
        For each model, the residues, and their holograms in its basis.
    """

    models: tuple[Model, ...]
    residues: tuple[GateResidues, ...]
    holograms: tuple[Holograms, ...]

    @classmethod
    def of(cls, data: Path, models: Sequence[Model]) -> "Comparison":
        """Read the residues for each model, and encode them.

        Raises
        ------
        HoloError
            If nothing at the path can be used, or a model is conditional.
        """
        read: dict[tuple[float, tuple[str, ...]], GateResidues] = {}
        residues, holograms = [], []
        for model in models:
            if model.config.condition is not None:
                raise HoloError(f"{data}: model {model.name!r} is conditional; --gate-data is for others")
            basis = model.config.basis
            if (key := _reach(basis)) not in read:
                read[key] = read_gate_residues(data, basis)
            residues.append(read[key])
            holograms.append(encoded(read[key].clouds, basis))
        return cls(tuple(models), tuple(residues), tuple(holograms))


def _reach(basis: Basis) -> tuple[float, tuple[str, ...]]:
    return (0.0 if basis.radial is None else basis.radial.cutoff, basis.channels)


def compare(comparison: Comparison, rows: Sequence[str], left_out: list[str]) -> tuple[Compared, ...]:
    """Compare the candidate with the champion by rows of `worth`; see `compare_models`."""
    candidate, champion = zip(comparison.models, comparison.residues, strict=True)
    return compare_models(candidate, champion, rows, left_out)


def indices(comparison: Comparison, rows: Sequence[str]) -> list[Index]:
    """Return the indices of what is measured: of the residues, and of the structures that are searched for residues."""
    residues = comparison.residues[0]
    found = [residues.clouds.index]
    if residues.table is not None and {*rows} & {"matches", *GROUPS["matches"]}:
        asked = [row for row in residues.table.of(SPLIT) if row.ligand is not None]
        names = structure_names(row.path for row in asked)
        columns = {"structure": [names[row.path] for row in asked], "cluster": [row.cluster for row in asked]}
        for name, _ in asked[0].clusterings if asked else ():
            columns[name] = [dict(row.clusterings)[name] for row in asked]
        found.append(Index({name: np.array(values, dtype=np.str_) for name, values in columns.items()}))
    return found
