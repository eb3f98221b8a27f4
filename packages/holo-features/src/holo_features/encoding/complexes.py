"""Protein-ligand complexes to holograms of their pockets, one after the other or spread over processes."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import attrs
import numpy as np

from holo_features.complexes.complex import complex_neighborhoods
from holo_features.complexes.sets import ComplexSource, read_complex
from holo_features.structures.selection import Selection
from holo_features.transforms.zernike import zernike_transform
from holo_types import Basis, HoloError

from .parallel import map_in_order
from .structures import EncodedStructure

__all__ = ["PocketEncoding", "encode_complexes"]


@attrs.frozen(kw_only=True)
class PocketEncoding:
    """Which neighbourhoods `encode_complexes` makes of a complex, by default those of all residues of its pocket.

    Parameters
    ----------
    selection
        What is taken of the protein's file, and whether hydrogens are, of the ligand too.
    pocket_distance
        See `holo_features.complexes.complex.pocket`, in Å; None takes the residues that the data set lists.
    central_residue
        Keep the residue of the centre in its neighbourhood.
    secondary_structure
        Add the column ``secondary_structure`` to the index.
    double_precision
        Give coefficients in float64.

    Examples
    --------
    >>> PocketEncoding().pocket_distance
    6.0
    """

    selection: Selection = attrs.field(factory=Selection)
    pocket_distance: float | None = 6.0
    central_residue: bool = True
    secondary_structure: bool = False
    double_precision: bool = False


def encode_complexes(
    sources: Iterable[ComplexSource],
    basis: Basis,
    encoding: PocketEncoding = PocketEncoding(),
    *,
    workers: int = 1,
    scheduler: str | None = None,
) -> Iterator[EncodedStructure]:
    """Encode the neighbourhoods of pocket residues as holograms, the ligand's atoms among them.

    A complex that cannot be used gives its error, and the others go on. What comes, and in what order, does not
    depend on how many processes do the work.

    Parameters
    ----------
    sources
        Where the complexes are, see `holo_features.complexes.sets.find_complexes`.
    basis
        Its cutoff is the radius of the neighbourhoods, its channels are those of `neighborhoods`.
    encoding
        Which neighbourhoods, and of what.
    workers, scheduler
        As for `holo_features.encoding.structures.encode_structures`.

    Yields
    ------
    EncodedStructure
        One for each source; its path and name are the complex's.

    Raises
    ------
    HoloError
        If the basis is of a sphere; see also `holo_features.encoding.parallel.map_in_order`.

    Examples
    --------
    >>> from holo_features.complexes.tables import ComplexFiles
    >>> from holo_types import Zernike
    >>> basis = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N", "O", "S"))
    >>> encoded, = encode_complexes([ComplexFiles("1abc", Path("1abc.pdb"), Path("1abc.sdf"))], basis)
    >>> print(encoded.error)
    complex 1abc: 1abc.pdb does not exist
    """
    if basis.radial is None:
        raise HoloError(
            "encode_complexes: the basis is of a sphere (radial None); it must be a Zernike basis"
        )
    return map_in_order(partial(_encode, basis=basis, encoding=encoding), sources, workers, scheduler)


def _encode(source: ComplexSource, *, basis: Basis, encoding: PocketEncoding) -> EncodedStructure:
    assert basis.radial is not None
    path = Path(source.name)
    try:
        complex_ = read_complex(source, encoding.selection)
        found = complex_neighborhoods(
            complex_,
            basis.radial.cutoff,
            basis.channels,
            encoding.secondary_structure,
            pocket_distance=encoding.pocket_distance,
            central_residue=encoding.central_residue,
        )
        if len(found.clouds) == 0:
            reasons = "; ".join(dict.fromkeys(residue.reason for residue in found.skipped))
            raise HoloError(
                f"complex {source.name}: no residue of the pocket has a neighbourhood ({reasons})"
            )
        dtype = np.float64 if encoding.double_precision else np.float32
        holograms = zernike_transform(found.clouds, basis, dtype)
    except HoloError as error:
        return EncodedStructure(path, source.name, None, error=error)
    protein = complex_.protein
    return EncodedStructure(
        path, source.name, holograms, found.skipped, protein.left_out_atoms, protein.repeated_residues
    )
