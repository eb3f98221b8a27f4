"""Structure files to holograms, one after the other."""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import attrs

from holo_types import Basis, HoloError, Holograms

from .formats import structure_stem
from .neighbors import SkippedResidue, neighborhoods, skipped_residues
from .structures import LeftOutAtom, read_structure
from .zernike import zernike_transform

__all__ = ["EncodedStructure", "encode_structures", "structure_names"]


@attrs.frozen(eq=False)
class EncodedStructure:
    """What came of one structure file.

    Parameters
    ----------
    path
        The file.
    name
        What the index calls it.
    holograms
        One row for each residue that has a neighbourhood; None if the file gave nothing.
    skipped
        Residues without a neighbourhood.
    left_out_atoms
        Atoms left out because their element is unknown.
    error
        Why the file gave nothing.
    """

    path: Path
    name: str
    holograms: Holograms | None
    skipped: tuple[SkippedResidue, ...] = ()
    left_out_atoms: tuple[LeftOutAtom, ...] = ()
    error: HoloError | None = None


def structure_names(paths: Iterable[str | os.PathLike[str]]) -> dict[Path, str]:
    """Give each file the name that the index calls it: its stem, or its path where stems are equal.

    A path that is given twice is there once.

    Examples
    --------
    >>> list(structure_names(["a/1abc.pdb", "a/2xyz.cif.gz"]).values())
    ['1abc', '2xyz']
    >>> [name.replace(os.sep, "/") for name in structure_names(["a/1abc.pdb", "b/1abc.cif"]).values()]
    ['a/1abc.pdb', 'b/1abc.cif']
    """
    unique = list(dict.fromkeys(map(Path, paths)))
    stems = Counter(map(structure_stem, unique))
    return {path: structure_stem(path) if stems[structure_stem(path)] == 1 else str(path) for path in unique}


def encode_structures(
    paths: Iterable[str | os.PathLike[str]],
    basis: Basis,
    secondary_structure: bool = False,
    done: Collection[str] = (),
) -> Iterator[EncodedStructure]:
    """Encode the neighbourhoods of structure files as holograms, file by file.

    A file that cannot be used gives its error, and the others go on.

    Parameters
    ----------
    paths
        Structure files, see `read_structure`.
    basis
        Its cutoff is the radius of the neighbourhoods, its channels are chemical elements.
    secondary_structure
        Add the column ``secondary_structure`` to the index, see `neighborhoods`.
    done
        Names of structures that need no encoding any more; they are passed over.

    Yields
    ------
    EncodedStructure
        One for each different path that is not done, in their order. Names are unique: the file's stem, or
        the path as given where stems are equal.

    Raises
    ------
    HoloError
        If the basis is of a sphere.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_types import Zernike
    >>> basis = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N", "O", "S"))
    >>> [encoded.error for encoded in encode_structures(example_structures()[:2], basis)]
    [None, None]
    """
    radial = basis.radial
    if radial is None:
        raise HoloError(
            "encode_structures: the basis is of a sphere (radial None); it must be a Zernike basis"
        )
    names = structure_names(paths)
    return (
        _encode(path, name, basis, radial.cutoff, secondary_structure)
        for path, name in names.items()
        if name not in done
    )


def _encode(
    path: Path, name: str, basis: Basis, cutoff: float, secondary_structure: bool
) -> EncodedStructure:
    try:
        structure = attrs.evolve(read_structure(path), name=name)
        clouds = neighborhoods(structure, cutoff, basis.channels, secondary_structure)
        skipped = skipped_residues(structure, cutoff, basis.channels)
        if len(clouds) == 0:
            reasons = "; ".join(dict.fromkeys(residue.reason for residue in skipped))
            raise HoloError(f"{path}: no residue has a neighbourhood ({reasons})")
        holograms = zernike_transform(clouds, basis)
    except HoloError as error:
        return EncodedStructure(path, name, None, error=error)
    return EncodedStructure(path, name, holograms, skipped, structure.left_out_atoms)
