"""The atoms of a ligand on which a prediction is based."""

from collections.abc import Sequence

import attrs
import numpy as np
from jaxtyping import Float

from holo_downstream import ComplexPredictor
from holo_features import Complex, Ligand

from .blocks import BLOCKS, block_numbers

__all__ = ["AtomContributions", "atom_contributions"]


@attrs.frozen(eq=False)
class AtomContributions:
    """The contribution of each atom of a ligand, through its contacts, to the predicted affinity.

    Parameters
    ----------
    complex_
        The complex, with heavy atoms only.
    prediction
        The prediction with all atoms, in pK.
    contributions : Float[ndarray, "atoms"]
        The prediction with all atoms minus the prediction without the contacts of this atom, in pK.
    """

    complex_: Complex
    prediction: float
    contributions: Float[np.ndarray, "atoms"]


def atom_contributions(complex_: Complex, predictor: ComplexPredictor) -> AtomContributions:
    """Predict a complex again without the contacts of each of its ligand's atoms.

    Contacts and burial, which are counted around the ligand's atoms, are counted without the atom. The descriptors of
    the ligand stay the same. The contributions do not add up to the prediction, which is not a sum over atoms.

    Parameters
    ----------
    complex_
        The complex, read as for the features of the predictor, without hydrogens.
    predictor
        The predictor of the affinity.

    Raises
    ------
    HoloError
        If a feature cannot be computed.
    """
    names = predictor.blocks
    whole = {name: block_numbers(complex_, [name]).values for name in names}
    atoms = complex_.ligand.atoms
    rows = [_joined(names, whole, {})]
    for atom in range(len(atoms) if len(atoms) > 1 else 0):
        rest = Ligand(complex_.ligand.name, atoms[np.arange(len(atoms)) != atom])
        without = attrs.evolve(complex_, ligand=rest)
        changed = {name: BLOCKS[name].numbers(without).values for name in names if BLOCKS[name].of_contacts}
        rows.append(_joined(names, whole, changed))
    predicted, _ = predictor.mean_and_spread(predictor.vectors(np.stack(rows)))
    contributions = predicted[0] - predicted[1:] if len(atoms) > 1 else np.zeros(1)
    return AtomContributions(complex_, float(predicted[0]), contributions)


def _joined(
    names: Sequence[str],
    whole: dict[str, Float[np.ndarray, "_"]],
    changed: dict[str, Float[np.ndarray, "_"]],
) -> Float[np.ndarray, "features"]:
    return np.concatenate([changed.get(name, whole[name]) for name in names])
