"""The blocks of features from which affinities are predicted."""

from collections.abc import Callable, Sequence

import attrs
import numpy as np

from holo_features import Complex, Numbers, element_counts, ligand_burial, ligand_descriptors, shell_contacts
from holo_types import HoloError

__all__ = ["BLOCKS", "DEFAULT_FEATURES", "Block", "block_numbers"]


@attrs.frozen
class Block:
    """Named features of a complex that belong together.

    Parameters
    ----------
    name
        The name of the block in predictors.
    numbers
        The function that computes the features.
    of_contacts
        Whether the features are counted around the ligand's atoms, so that an atom can be left out.
    """

    name: str
    numbers: Callable[[Complex], Numbers]
    of_contacts: bool = False


def _elements(complex_: Complex) -> Numbers:
    return element_counts(complex_.ligand)


def _descriptors(complex_: Complex) -> Numbers:
    return ligand_descriptors(complex_.ligand)


BLOCKS = {
    block.name: block
    for block in (
        Block("contacts in shells", shell_contacts, of_contacts=True),
        Block("burial", ligand_burial, of_contacts=True),
        Block("elements", _elements),
        Block("descriptors", _descriptors),
    )
}

# The features of a predictor by default.
DEFAULT_FEATURES = ("contacts in shells", "burial", "elements", "descriptors")


def block_numbers(complex_: Complex, names: Sequence[str]) -> Numbers:
    """Compute the features of a complex, block by block.

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
