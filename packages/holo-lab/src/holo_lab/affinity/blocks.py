"""The blocks of numbers that affinities are predicted from."""

from collections.abc import Callable, Sequence

import attrs
import numpy as np

from holo_features import (
    Complex,
    Ligand,
    Numbers,
    element_counts,
    ligand_burial,
    ligand_descriptors,
    rf_score_features,
    shell_contacts,
)
from holo_types import HoloError

__all__ = ["BLOCKS", "DEFAULT_FEATURES", "Block", "block_numbers"]


@attrs.frozen
class Block:
    """Named numbers of a complex that belong together.

    Parameters
    ----------
    name
        What predictors call it.
    numbers
        Computes them.
    without_atom
        Where they are counted around the ligand's atoms: computes them without what is counted around the atom of a
        number. None where they are of the ligand itself.
    """

    name: str
    numbers: Callable[[Complex], Numbers]
    without_atom: Callable[[Complex, int], Numbers] | None = None


def _elements(complex_: Complex) -> Numbers:
    return element_counts(complex_.ligand)


def _descriptors(complex_: Complex) -> Numbers:
    return ligand_descriptors(complex_.ligand)


def _of_rest(numbers: Callable[[Complex], Numbers]) -> Callable[[Complex, int], Numbers]:
    """Give a function that leaves an atom of the ligand out."""

    def without_atom(complex_: Complex, atom: int) -> Numbers:
        atoms = complex_.ligand.atoms
        rest = Ligand(complex_.ligand.name, atoms[np.arange(len(atoms)) != atom])
        return numbers(attrs.evolve(complex_, ligand=rest))

    return without_atom


def _rf_score_without(complex_: Complex, atom: int) -> Numbers:
    # Its neighbors stay what they are: bonds decide whether they are donors or acceptors.
    return rf_score_features(complex_, ligand_atoms=np.arange(len(complex_.ligand.atoms)) != atom)


BLOCKS = {
    block.name: block
    for block in (
        Block("contacts in shells", shell_contacts, _of_rest(shell_contacts)),
        Block("burial", ligand_burial, _of_rest(ligand_burial)),
        Block("RF-Score", rf_score_features, _rf_score_without),
        Block("elements", _elements),
        Block("descriptors", _descriptors),
    )
}

# What a predictor learns from unless something else is said.
DEFAULT_FEATURES = ("contacts in shells", "burial", "RF-Score", "elements", "descriptors")


def block_numbers(complex_: Complex, names: Sequence[str]) -> Numbers:
    """Compute blocks of a complex, one after the other.

    Raises
    ------
    HoloError
        If there is no such block, or one cannot be computed.

    Examples
    --------
    >>> from biotite.structure.info import residue
    >>> from holo_features import Ligand, Structure
    >>> glycine = residue("GLY")
    >>> complex_ = Complex("1abc", Structure("1abc", glycine), Ligand("GLY", glycine))
    >>> block_numbers(complex_, ["burial", "elements"]).values.shape
    (31,)
    """
    if unknown := [name for name in names if name not in BLOCKS]:
        raise HoloError(f"there is no block of features {unknown[0]!r}; there are {', '.join(BLOCKS)}")
    blocks = [BLOCKS[name].numbers(complex_) for name in names]
    return Numbers(
        tuple(name for block in blocks for name in block.names),
        np.concatenate([block.values for block in blocks]),
    )
