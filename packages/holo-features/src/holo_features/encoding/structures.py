"""Encoding of structure files and protein-ligand complexes as holograms, in sequence or over processes."""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import attrs
import numpy as np
from jaxtyping import Bool

from holo_features.complexes.complex import CentersOf, LigandAtoms, complex_neighborhoods
from holo_features.complexes.sets import ComplexSource, read_complex
from holo_features.readers.formats import structure_stem
from holo_features.readers.raw import Remark
from holo_features.structures.confidence import Confidence, residue_confidences
from holo_features.structures.residue import ResidueId
from holo_features.structures.selection import Selection
from holo_features.structures.structure import LeftOutAtom, RepeatedResidue, Structure, read_structure
from holo_features.surroundings.centers import (
    Centers,
    SkippedResidue,
    alpha_carbons,
    amino_acids,
    atom_centers,
    name_skipped,
    select_residues,
)
from holo_features.surroundings.neighbors import Neighborhoods, cut_in_blocks
from holo_features.surroundings.poses import Backbones
from holo_features.surroundings.residues import single_residues
from holo_features.transforms.zernike import zernike_transform
from holo_types import Basis, HoloError, Holograms, concatenate

from .parallel import map_files, map_in_order

__all__ = [
    "EncodedStructure",
    "Encoding",
    "PocketEncoding",
    "encode_complexes",
    "encode_structures",
    "map_complexes",
    "map_structures",
    "structure_names",
]

Result = TypeVar("Result")

_BLOCK = 512  # centers whose neighborhoods are in memory at the same time


@attrs.frozen(kw_only=True)
class Encoding:
    """The neighborhoods that `encode_structures` makes of a structure; by default those of all its residues.

    Parameters
    ----------
    selection
        Which part of a file is used.
    single_residues
        Encode residues by themselves instead of neighborhoods, see `holo_features.single_residues`; then neither the
        centers nor the secondary structure can be chosen.
    residues
        The residues around which to encode; None for all. A structure that lacks one of them gives an error.
    center_atoms
        Names of the atoms around which to encode, each of them; None for the Cα.
    central_residue
        Keep the residue of the center in its neighborhood.
    pose
        The pose of neighborhoods: ``"file"``, as in the file; ``"backbone"``, each rotated so that the backbone of its
        residue lies along the axes, see `holo_features.surroundings.poses`. For training, see
        `holo_vae.TrainingConfig.frame_weight`.
    confidence
        Which residues of a predicted structure are reliable enough to be centers; None for all.
    double_precision
        Return coefficients in float64.

    Examples
    --------
    >>> Encoding(residues=(ResidueId.parse("A:52B"),)).central_residue
    True
    """

    selection: Selection = attrs.field(factory=Selection)
    single_residues: bool = False
    residues: tuple[ResidueId, ...] | None = None
    center_atoms: tuple[str, ...] | None = None
    central_residue: bool = True
    pose: Literal["file", "backbone"] = "file"
    confidence: Confidence | None = None
    double_precision: bool = False


@attrs.frozen(kw_only=True)
class PocketEncoding:
    """The neighborhoods that `encode_complexes` makes of a complex; by default those of all residues of its pocket.

    Parameters
    ----------
    selection
        Which part of the protein's file is used, and whether hydrogens are, also for the ligand.
    centers, ligand_atoms
        See `holo_features.complexes.complex.complex_neighborhoods`.
    pocket_distance
        See `holo_features.complexes.complex.pocket`, in Å; None for the residues that the data set lists.
    central_residue
        Keep the residue of the center in its neighborhood.
    secondary_structure
        Add the column ``secondary_structure`` to the index.
    double_precision
        Return coefficients in float64.

    Examples
    --------
    >>> PocketEncoding().pocket_distance
    6.0
    """

    selection: Selection = attrs.field(factory=Selection)
    centers: CentersOf = "pocket"
    pocket_distance: float | None = 6.0
    ligand_atoms: LigandAtoms = "bound"
    central_residue: bool = True
    secondary_structure: bool = False
    double_precision: bool = False


@attrs.frozen(eq=False)
class EncodedStructure:
    """The result of encoding one structure file, or one complex.

    Parameters
    ----------
    path
        The file; for a complex, its name.
    name
        Its name in the index.
    holograms
        One row for each residue that has a neighborhood; None if there is none.
    skipped
        Residues without a neighborhood.
    left_out_atoms
        Atoms that were left out; see `Structure`.
    repeated_residues
        Residues that have the number of an earlier one; see `Structure`.
    remarks
        What else was done with the file that its user should know; see `Structure`.
    error
        The reason why the file gave nothing.
    """

    path: Path
    name: str
    holograms: Holograms | None
    skipped: tuple[SkippedResidue, ...] = ()
    left_out_atoms: tuple[LeftOutAtom, ...] = ()
    repeated_residues: tuple[RepeatedResidue, ...] = ()
    remarks: tuple[Remark, ...] = ()
    error: HoloError | None = None


def structure_names(paths: Iterable[str | os.PathLike[str]]) -> dict[Path, str]:
    """Return the name of each file in the index: its stem, or its path if stems are equal.

    A path that is given twice occurs once.

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
    *,
    encoding: Encoding = Encoding(),
    workers: int = 1,
    scheduler: str | None = None,
) -> Iterator[EncodedStructure]:
    """Encode the neighborhoods of structure files as holograms, file by file.

    A file that cannot be used yields an error, and the others continue. The results and their order do not depend on
    the number of processes.

    Parameters
    ----------
    paths
        Structure files; see `read_structure`.
    basis
        The basis; its cutoff is the radius of the neighborhoods, and its channels are those of `neighborhoods`.
    secondary_structure
        Add the column ``secondary_structure`` to the index; see `neighborhoods`.
    done
        Names of structures that need no encoding and are left out.
    encoding
        Which neighborhoods to encode, and how.
    workers
        Number of processes, each with one thread; with 1, everything happens in this one.
    scheduler
        Address of a Dask scheduler, whose workers then do the work instead of processes here; they must find the files
        under the same paths. This needs the extra ``dask``.

    Yields
    ------
    EncodedStructure
        One for each distinct path that is not done, in their order. Names are unique: the file's stem, or the path as
        given if stems are equal.

    Raises
    ------
    HoloError
        If the basis is one on a sphere; see also `holo_features.encoding.parallel.map_in_order`.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_types import Zernike
    >>> basis = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N", "O", "S"))
    >>> [encoded.error for encoded in encode_structures(example_structures()[:2], basis)]
    [None, None]
    """
    return map_structures(
        _itself,
        paths,
        basis,
        secondary_structure,
        done,
        encoding=encoding,
        workers=workers,
        scheduler=scheduler,
    )


def map_structures(
    function: Callable[[EncodedStructure], Result],
    paths: Iterable[str | os.PathLike[str]],
    basis: Basis,
    secondary_structure: bool = False,
    done: Collection[str] = (),
    *,
    encoding: Encoding = Encoding(),
    workers: int = 1,
    scheduler: str | None = None,
) -> Iterator[Result]:
    """Encode structures and apply a function to each in the process that encoded it, so that holograms are not sent.

    Parameters
    ----------
    function
        Called with an encoded structure; with several workers, it and its results must be picklable.
    paths, basis, secondary_structure, done, encoding, workers, scheduler
        As in `encode_structures`.

    Yields
    ------
    Result
        One for each distinct path that is not done, in their order.

    Raises
    ------
    HoloError
        As in `encode_structures`.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_types import Zernike
    >>> basis = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N", "O", "S"))
    >>> [len(rows) > 20 for rows in map_structures(lambda e: e.holograms, example_structures()[:2], basis)]
    [True, True]
    """
    _check_radial(basis, "encode_structures")
    encode = partial(
        _map_structure,
        function=function,
        basis=basis,
        secondary_structure=secondary_structure,
        encoding=encoding,
    )
    # Workers elsewhere have their own working folder; the returned paths stay as given.
    files = (
        (path if scheduler is None else path.absolute(), (path, name))
        for path, name in structure_names(paths).items()
        if name not in done
    )
    return map_files(encode, files, workers, scheduler)


def _map_structure(
    place: Path, given: tuple[Path, str], *, function: Callable[[EncodedStructure], Result], **options: Any
) -> Result:
    path, name = given
    return function(attrs.evolve(_encode_structure(place, name, **options), path=path))


def _itself(encoded: EncodedStructure) -> EncodedStructure:
    return encoded


def encode_complexes(
    sources: Iterable[ComplexSource],
    basis: Basis,
    encoding: PocketEncoding = PocketEncoding(),
    *,
    workers: int = 1,
    scheduler: str | None = None,
) -> Iterator[EncodedStructure]:
    """Encode the neighborhoods of pocket residues, including the ligand's atoms, as holograms.

    In all other respects it works like `encode_structures`.

    Parameters
    ----------
    sources
        The locations of the complexes; see `holo_features.complexes.sets.find_complexes`.
    encoding
        Which neighborhoods to encode, and how.
    basis, workers, scheduler
        As in `encode_structures`.

    Yields
    ------
    EncodedStructure
        One for each source; its path and name are those of the complex.

    Raises
    ------
    HoloError
        As in `encode_structures`.

    Examples
    --------
    >>> from holo_features.complexes.tables import ComplexFiles
    >>> from holo_types import Zernike
    >>> basis = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N", "O", "S"))
    >>> encoded, = encode_complexes([ComplexFiles("1abc", Path("1abc.pdb"), Path("1abc.sdf"))], basis)
    >>> print(encoded.error)
    complex 1abc: 1abc.pdb does not exist
    """
    return map_complexes(_itself, sources, basis, encoding, workers=workers, scheduler=scheduler)


def map_complexes(
    function: Callable[[EncodedStructure], Result],
    sources: Iterable[ComplexSource],
    basis: Basis,
    encoding: PocketEncoding = PocketEncoding(),
    *,
    workers: int = 1,
    scheduler: str | None = None,
) -> Iterator[Result]:
    """Encode complexes and apply a function to each in the process that encoded it, as `map_structures` does.

    Parameters
    ----------
    function
        As in `map_structures`.
    sources, basis, encoding, workers, scheduler
        As in `encode_complexes`.

    Yields
    ------
    Result
        One for each source.

    Raises
    ------
    HoloError
        As in `encode_complexes`.

    Examples
    --------
    >>> from holo_features.complexes.tables import ComplexFiles
    >>> from holo_types import Zernike
    >>> basis = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N", "O", "S"))
    >>> missing = ComplexFiles("1abc", Path("1abc.pdb"), Path("1abc.sdf"))
    >>> list(map_complexes(lambda encoded: encoded.name, [missing], basis))
    ['1abc']
    """
    _check_radial(basis, "encode_complexes")
    encode = partial(_map_complex, function=function, basis=basis, encoding=encoding)
    return map_in_order(encode, sources, workers, scheduler)


def _map_complex(
    source: ComplexSource, *, function: Callable[[EncodedStructure], Result], **options: Any
) -> Result:
    return function(_encode_complex(source, **options))


def _check_radial(basis: Basis, function: str) -> None:
    if basis.radial is None:
        raise HoloError(f"{function}: the basis is of a sphere (radial None); it must be a Zernike basis")


def _encode_structure(
    path: Path, name: str, *, basis: Basis, secondary_structure: bool, encoding: Encoding
) -> EncodedStructure:
    def cut() -> tuple[Structure, Iterator[Neighborhoods]]:
        structure = attrs.evolve(read_structure(path, encoding.selection), name=name)
        if encoding.single_residues:
            assert basis.radial is not None
            found = iter((single_residues(structure, basis.radial.cutoff, basis.channels),))
        else:
            structure, centers = _centers(structure, encoding)
            found = _neighborhoods(structure, centers, basis, secondary_structure, encoding)
        return structure, map(Backbones.of(structure).pose, found) if encoding.pose == "backbone" else found

    nothing = f"{path}: no residue has a neighborhood"
    return _encoded(path, name, cut, basis, encoding.double_precision, nothing=nothing)


def _encode_complex(source: ComplexSource, *, basis: Basis, encoding: PocketEncoding) -> EncodedStructure:
    assert basis.radial is not None
    cutoff = basis.radial.cutoff

    def cut() -> tuple[Structure, Iterator[Neighborhoods]]:
        complex_ = read_complex(source, encoding.selection)
        found = complex_neighborhoods(
            complex_,
            cutoff,
            basis.channels,
            encoding.secondary_structure,
            centers=encoding.centers,
            pocket_distance=encoding.pocket_distance,
            ligand_atoms=encoding.ligand_atoms,
            central_residue=encoding.central_residue,
        )
        remarks = complex_.protein.remarks + complex_.ligand.remarks
        return attrs.evolve(complex_.protein, remarks=remarks), iter((found,))

    center = "residue of the pocket" if encoding.centers == "pocket" else "atom of the ligand"
    nothing = f"complex {source.name}: no {center} has a neighborhood"
    return _encoded(Path(source.name), source.name, cut, basis, encoding.double_precision, nothing=nothing)


def _encoded(
    path: Path,
    name: str,
    cut: Callable[[], tuple[Structure, Iterator[Neighborhoods]]],
    basis: Basis,
    double_precision: bool,
    *,
    nothing: str,
) -> EncodedStructure:
    """Encode the neighborhoods of a structure in blocks; if there are none, report the reason."""
    dtype = np.float64 if double_precision else np.float32
    parts: list[Holograms] = []
    skipped: list[SkippedResidue] = []
    try:
        structure, blocks = cut()
        for found in blocks:
            skipped += found.skipped
            if len(found.clouds):
                parts.append(zernike_transform(found.clouds, basis, dtype))
    except HoloError as error:
        return EncodedStructure(path, name, None, error=error)
    holograms, why = None, None
    if parts:
        holograms = parts[0] if len(parts) == 1 else concatenate(parts)
    else:
        reasons = "; ".join(dict.fromkeys(residue.reason for residue in skipped))
        why = HoloError(f"{nothing} ({reasons or 'there is no center'})")
    return EncodedStructure(
        path,
        name,
        holograms,
        tuple(skipped),
        structure.left_out_atoms,
        structure.repeated_residues,
        structure.remarks,
        why,
    )


def _neighborhoods(
    structure: Structure, centers: Centers, basis: Basis, secondary_structure: bool, encoding: Encoding
) -> Iterator[Neighborhoods]:
    assert basis.radial is not None
    # A block at a time: the neighborhoods of a capsid, or of twenty models in one file, would fill gigabytes.
    yield from cut_in_blocks(
        structure,
        basis.radial.cutoff,
        basis.channels,
        secondary_structure,
        centers=centers,
        central_residue=encoding.central_residue,
        block=_BLOCK,
    )


def _centers(structure: Structure, encoding: Encoding) -> tuple[Structure, Centers]:
    """Return the centers, and the structure with the atoms that can be around them."""
    chosen = None if encoding.residues is None else select_residues(structure, encoding.residues)
    if encoding.center_atoms is None:
        centers = alpha_carbons(structure, chosen)
    else:
        named: Bool[np.ndarray, atoms] = np.isin(structure.atoms.atom_name, encoding.center_atoms)
        centers = atom_centers(structure, named if chosen is None else named & chosen)
    return (
        (structure, centers)
        if encoding.confidence is None
        else _certain(structure, centers, encoding.confidence)
    )


def _certain(structure: Structure, centers: Centers, confidence: Confidence) -> tuple[Structure, Centers]:
    """Leave out the centers that the predictor is not certain of, and list them."""
    certain, plddt, remarks = residue_confidences(structure, confidence)
    enough = certain[centers.atoms]
    reasons = [
        f"its pLDDT is {value:.1f}; at least {confidence.minimum:g} is asked for"
        for value in plddt[centers.atoms[~enough]].tolist()
    ]
    uncertain = name_skipped(centers.index.take(~enough), reasons)
    kept = certain | ~amino_acids(structure.atoms)
    if not confidence.drop_neighbors:
        kept[:] = True
    atoms = (np.cumsum(kept) - 1)[centers.atoms[enough]]
    return (
        attrs.evolve(structure, atoms=structure.atoms[kept], remarks=structure.remarks + remarks),
        Centers(centers.positions[enough], centers.index.take(enough), atoms, centers.skipped + uncertain),
    )
