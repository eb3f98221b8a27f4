"""A predictor's own confidence: pLDDT, which is stored in the column of B-factors."""

import attrs
import numpy as np
from biotite.structure import AtomArray
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from holo_features.readers.raw import Remark
from holo_features.readers.symbols import HYDROGENS
from holo_types import HoloError

from .residue import residue_numbers
from .structure import Structure

__all__ = ["Confidence", "mean_b_factors", "residue_confidences"]

_HIGHEST = 100.0
_DECIMALS = 4  # of a mean: files have two, and 70 in float32 must not be less than 70


@attrs.frozen(kw_only=True)
class Confidence:
    """Which residues of a predicted structure are reliable enough to be centers.

    Parameters
    ----------
    minimum
        The lowest pLDDT of a center, from 0 to 100.
    in_b_factors
        Read the B-factors as pLDDT even if the file does not declare them so, which a PDB file cannot.
    drop_neighbors
        Also leave the atoms of the other residues out of all neighborhoods.

    Raises
    ------
    HoloError
        If the minimum is not from 0 to 100.

    Examples
    --------
    >>> Confidence(minimum=70.0).drop_neighbors
    False
    """

    minimum: float
    in_b_factors: bool = False
    drop_neighbors: bool = False

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.minimum <= _HIGHEST:
            raise HoloError(f"Confidence: minimum is {self.minimum}; it must be from 0 to {_HIGHEST:g}")

    @classmethod
    def asked(
        cls, *, minimum_plddt: float | None, b_factors_are_plddt: bool, drop_neighbors: bool
    ) -> "Confidence | None":
        """Make one from a command's options, or return None if none are given.

        Raises
        ------
        HoloError
            If the other options are given without a minimum.
        """
        if minimum_plddt is not None:
            return cls(minimum=minimum_plddt, in_b_factors=b_factors_are_plddt, drop_neighbors=drop_neighbors)
        if b_factors_are_plddt or drop_neighbors:
            raise HoloError(
                "--b-factors-are-plddt and --drop-neighbors are for --minimum-plddt, which is not given"
            )
        return None


def mean_b_factors(atoms: AtomArray) -> Float[np.ndarray, "atoms"]:
    """Return for each atom the mean B-factor of its residue's heavy atoms, NaN if the file has none.

    Examples
    --------
    >>> from biotite.structure.info import residue
    >>> atoms = residue("GLY")
    >>> atoms.set_annotation("b_factor", np.where(atoms.element == "H", 99.0, 20.0))
    >>> set(mean_b_factors(atoms).tolist())
    {20.0}
    """
    if "b_factor" not in atoms.get_annotation_categories() or not len(atoms):
        return np.full(len(atoms), np.nan)
    values: NDArray[np.float64] = atoms.b_factor
    heavy = ~np.isnan(values)
    for symbol in HYDROGENS:
        heavy &= atoms.element != symbol
    residues = residue_numbers(atoms)
    counts = np.bincount(residues[heavy], minlength=residues[-1] + 1)
    sums = np.bincount(residues[heavy], weights=values[heavy], minlength=residues[-1] + 1)
    with np.errstate(invalid="ignore"):
        means = np.divide(sums, counts)
    every: NDArray[np.float64] = means[residues]
    return every


def residue_confidences(
    structure: Structure, confidence: Confidence
) -> tuple[Bool[np.ndarray, "atoms"], Float[np.ndarray, "atoms"], tuple[Remark, ...]]:
    """Return which atoms belong to residues that are reliable enough.

    Parameters
    ----------
    structure
        A structure from `read_structure`.
    confidence
        The criterion.

    Returns
    -------
    Bool[ndarray, "atoms"]
        True for the atoms of residues at the minimum or above.
    Float[ndarray, "atoms"]
        The pLDDT of each atom's residue, from 0 to 100.
    tuple of Remark
        A remark if the file has values from 0 to 1.

    Raises
    ------
    HoloError
        If the B-factors are not known to be pLDDT, because in a crystal structure the most disordered residues would be
        kept; or if they are not numbers from 0 to 100.
    """
    if not (structure.has_plddt or confidence.in_b_factors):
        raise HoloError(
            f"structure {structure.name}: its B-factors are not known to be pLDDT (mmCIF says so in _ma_qa_metric); "
            "say that they are, or take all residues"
        )
    values = mean_b_factors(structure.atoms)
    there = values[~np.isnan(values)]
    low, high = (float(there.min()), float(there.max())) if len(there) else (np.nan, np.nan)
    if not 0 <= low <= high <= _HIGHEST:
        raise HoloError(
            f"structure {structure.name}: its B-factors are from {low:g} to {high:g}; pLDDT is from 0 to {_HIGHEST:g}"
        )
    remarks: tuple[Remark, ...] = ()
    if high <= 1:
        values *= _HIGHEST
        remarks = (Remark("read so", "its pLDDT, from 0 to 1, was taken times 100"),)
    values = np.round(values, _DECIMALS)
    return values >= confidence.minimum, values, remarks
