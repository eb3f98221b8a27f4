"""Structures as Holo uses them: atoms of residues, with one conformer of each."""

import os
from pathlib import Path

import attrs
import numpy as np
from biotite.structure import AtomArray
from jaxtyping import Bool, Int
from numpy.typing import NDArray

from holo_features.readers.assemblies import build_assembly
from holo_features.readers.elements import is_element
from holo_features.readers.formats import raw_atoms, structure_stem
from holo_features.readers.names import WATERS
from holo_features.readers.raw import RawAtoms, Remark, listed
from holo_features.readers.symbols import HYDROGENS
from holo_types import FormatError

from .conformers import Conformers, select_conformers
from .peptides import Backbone, are_amino_acids, dictionary_names, in_chains
from .places import check_repeated, misplaced
from .residue import ResidueId, residue_ids, residue_starts
from .selection import Selection

__all__ = ["LeftOutAtom", "RepeatedResidue", "Structure", "classify", "read_structure", "structure_of"]

_SAME_PLACE = 0.5  # Å; closer than any two atoms can be


@attrs.frozen
class LeftOutAtom:
    """An atom that was left out of a residue.

    Parameters
    ----------
    residue, residue_name, atom_name
        The atom.
    element
        Its element in the file, in upper case.
    reason
        The reason in words.
    """

    residue: ResidueId
    residue_name: str
    atom_name: str
    element: str
    reason: str


@attrs.frozen
class RepeatedResidue:
    """An amino acid residue with the chain, number and insertion code of an earlier residue of the file.

    Parameters
    ----------
    residue, residue_name
        The residue and its type.
    kept
        False if it was left out because it lies where the earlier one does. True if it lies elsewhere: then it is
        included, but its name does not distinguish it from the earlier one.
    """

    residue: ResidueId
    residue_name: str
    kept: bool


@attrs.frozen(eq=False)
class Structure:
    """The atoms of one structure.

    Parameters
    ----------
    name
        Its name in the index: the file's name without the suffixes of its format.
    atoms
        One conformer of each residue; positions in Å. In addition to biotite's annotations there are ``charge``, the
        formal charge (0 if the file has none), ``b_factor`` (NaN if it has none), ``amino_acid``, true for amino acid
        residues of chains, and ``water``; everything else is a ligand, an ion or a nucleic acid. Elements are in upper
        case.
    model
        Number of the model in the file.
    left_out_atoms
        Atoms that were left out of these residues, with the reasons.
    repeated_residues
        Residues that have the name of an earlier one.
    remarks
        What else was done with the file that its user should know.
    has_plddt
        Whether the file declares that its B-factors are a predictor's pLDDT.
    """

    name: str
    atoms: AtomArray
    model: int = 1
    left_out_atoms: tuple[LeftOutAtom, ...] = ()
    repeated_residues: tuple[RepeatedResidue, ...] = ()
    remarks: tuple[Remark, ...] = ()
    has_plddt: bool = False


_DEFAULT = Selection()


def read_structure(path: str | os.PathLike[str], selection: Selection = _DEFAULT) -> Structure:
    """Read a PDB, mmCIF or BinaryCIF file, by default the amino acid residues of its first model.

    By default the heavy atoms of amino acid residues are kept, including modified residues such as MSE; water, ions,
    ligands, nucleic acids, hydrogen and deuterium are optional. A residue counts as an amino acid if the Chemical
    Component Dictionary lists it as one, if it has a force field's name for one of the twenty (HSD, CYX; it is then
    renamed as in the dictionary), or if it has the atoms N, CA and C at the distances of bonds. It must also belong to
    a chain: it is not a HETATM after the chain's TER record (PDB), has a ``label_seq_id`` (mmCIF, BinaryCIF), or is
    joined by a peptide bond to one that does. Of alternate locations, the conformer with the highest mean occupancy is
    used, or in a tie the first label. An element that the file leaves blank is inferred from the atom's name.

    Impossible data are left out and listed: atoms whose element is not a chemical element, atoms of an amino acid that
    have the name of an earlier one (in a ligand, also its position), residues that lie where an earlier one of their
    name does, and atoms at one point with two others or within 0.3 Å of one of their residue.

    Parameters
    ----------
    path
        A file with the suffix .pdb, .ent, .cif, .mmcif or .bcif, optionally with .gz.
    selection
        What to use of the file: model, chains, assembly, and kinds of atoms.

    Returns
    -------
    Structure
        Chains, residue numbers and insertion codes are those of the authors of the entry. In an assembly, the first
        copy of a chain keeps its name, and the others are named ``A-2``, ``A-3``, ...

    Raises
    ------
    FormatError
        If the file is missing, empty, damaged or of another kind, a coordinate is not a finite number, it has no such
        model, chain, assembly or kind of atoms, or its atoms cannot all be real: more than a tenth of them coincide
        with others, or repeated residues lie among those that they repeat. The message names the file and what it has.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> structure = read_structure(example_structures()[0])
    >>> len(structure.atoms) > 100
    True
    """
    try:
        raw = raw_atoms(path, selection.model, selection.assembly)
        try:
            return structure_of(raw, structure_stem(path), selection)
        except FormatError as error:
            raise FormatError(f"{Path(path)}: {error}") from None
    except MemoryError as error:
        raise FormatError(f"{Path(path)}: it takes more memory than there is ({error})") from None


def structure_of(raw: RawAtoms, name: str, selection: Selection = _DEFAULT) -> Structure:
    """Select from the atoms of a file, as `read_structure` does.

    Parameters
    ----------
    raw
        All atoms of the chosen model.
    name
        Name of the structure in the index.
    selection
        Which chains and kinds of atoms to use.

    Raises
    ------
    FormatError
        If there is no such chain or kind of atoms.
    """
    raw = _of_chains(raw, selection.chains)
    (conformers, remarks), atoms = classify(raw), raw.atoms
    wanted: NDArray[np.bool_] = atoms.amino_acid.copy()
    if selection.waters:
        wanted |= atoms.water
    if selection.hetero:
        wanted |= ~(atoms.amino_acid | atoms.water)
    if not selection.hydrogens:
        for symbol in HYDROGENS:
            wanted &= atoms.element != symbol
    known = is_element(atoms.element)
    left_out = _left_out(atoms, wanted & conformers.chosen & ~known, wanted & conformers.repeated)
    kept = wanted & conformers.chosen & known
    if not kept.any():
        kinds = ["amino acid residue"] + ["water"] * selection.waters + ["ligand"] * selection.hetero
        of = "it has no " if selection.chains is None else f"chain {listed(selection.chains)} has no "
        raise FormatError(f"{of}{' and no '.join(kinds)}")
    rows = np.flatnonzero(kept)
    if len(rows) < len(atoms):
        atoms = atoms[rows]
    again, repeated_residues = _repeated_residues(atoms)
    if again.any():
        atoms, rows = atoms[~again], rows[~again]
    stacked = misplaced(atoms.coord, conformers.residues[rows], raw.labels[rows])
    if stacked.any():
        remarks += (_stacked(atoms, np.flatnonzero(stacked)),)
        atoms, rows = atoms[~stacked], rows[~stacked]
    if raw.copies is not None:
        atoms = build_assembly(atoms, raw.units[rows], raw.copies)
        if len(atoms) == 0:
            raise FormatError(f"assembly {selection.assembly} has none of these atoms")
    return Structure(
        name, atoms, raw.model, left_out, repeated_residues, raw.remarks + remarks, raw.has_plddt
    )


def _of_chains(raw: RawAtoms, chains: tuple[str, ...] | None) -> RawAtoms:
    if chains is None:
        return raw
    there = dict.fromkeys(raw.atoms.chain_id.tolist())
    missing = [chain for chain in chains if chain not in there]
    if missing:
        raise FormatError(f"it has no chain {listed(missing)}; it has {listed(there)}")
    return raw[np.isin(raw.atoms.chain_id, chains)]


def classify(raw: RawAtoms) -> tuple[Conformers, tuple[Remark, ...]]:
    """Classify every atom by the annotations ``amino_acid`` and ``water`` of `raw.atoms`.

    Residues of the twenty amino acids get their names in the dictionary.

    Returns
    -------
    Conformers
        The chosen conformers.
    tuple of Remark
        Residues that were renamed, and those that look like amino acids but do not belong to a chain.
    """
    atoms = raw.atoms
    conformers = select_conformers(atoms, raw.labels, raw.occupancies)
    rows = np.flatnonzero(conformers.chosen)
    residues = conformers.residues[rows]
    firsts = np.flatnonzero(np.diff(residues, prepend=-1))
    # Every residue has a chosen atom, so these rows are the numbers of residues.
    called = atoms.res_name[rows[firsts]]
    names, remarks = dictionary_names(atoms, rows, firsts, called)
    if remarks:
        atoms.res_name = np.where(
            (names != called)[conformers.residues], names[conformers.residues], atoms.res_name
        )
    amino_acid = are_amino_acids(names)
    water = np.fromiter(map(WATERS.__contains__, names.tolist()), dtype=bool, count=len(names))
    polymer = raw.polymer[rows[firsts]]
    if not (amino_acid & polymer | water).all():
        backbone = Backbone.of(atoms, rows, firsts)
        amino_acid |= backbone.is_whole() & ~water
        aside = amino_acid & ~polymer
        in_chain = in_chains(amino_acid & polymer, aside, backbone)
        remarks += _put_aside(atoms, rows[firsts[aside & ~in_chain]])
        amino_acid = in_chain
    atoms.set_annotation("amino_acid", amino_acid[conformers.residues])
    atoms.set_annotation("water", water[conformers.residues])
    return _with_namesakes(raw, conformers), remarks


def _put_aside(atoms: AtomArray, rows: Int[np.ndarray, "residues"]) -> tuple[Remark, ...]:
    """Return remarks on the residues that look like amino acids but do not belong to a chain."""
    names = zip(residue_ids(atoms, rows), atoms.res_name[rows].tolist(), strict=True)
    reason = "it looks like an amino acid, but neither the file nor a peptide bond says that it is of a chain"
    return tuple(Remark("residue put aside", reason, residue.words(name)) for residue, name in names)


def _with_namesakes(raw: RawAtoms, conformers: Conformers) -> Conformers:
    """Also choose atoms of ligands that have the name of another one: programs call all carbon C.

    Only those at exactly the position of an earlier one are repeated.
    """
    free = ~raw.atoms.amino_acid & (raw.labels == "")
    if not (free & conformers.repeated).any():
        return conformers
    rows = np.flatnonzero(free)
    names = np.unique(raw.atoms.atom_name[rows], return_inverse=True)[1]
    keys = np.column_stack([conformers.residues[rows], names, raw.atoms.coord[rows]])
    chosen = conformers.chosen.copy()
    chosen[rows[np.unique(keys, axis=0, return_index=True)[1]]] = True
    return attrs.evolve(conformers, chosen=chosen, repeated=conformers.repeated & ~chosen)


def _left_out(
    atoms: AtomArray, unknown: Bool[np.ndarray, "atoms"], repeated: Bool[np.ndarray, "atoms"]
) -> tuple[LeftOutAtom, ...]:
    rows = np.flatnonzero(unknown | repeated)
    if not len(rows):
        return ()
    return tuple(
        LeftOutAtom(
            residue,
            str(atoms.res_name[row]),
            str(atoms.atom_name[row]),
            str(atoms.element[row]),
            "an earlier atom of its residue has its name"
            if repeated[row]
            else f"its element {str(atoms.element[row])!r} is unknown",
        )
        for row, residue in zip(rows.tolist(), residue_ids(atoms, rows), strict=True)
    )


def _repeated_residues(atoms: AtomArray) -> tuple[Bool[np.ndarray, "atoms"], tuple[RepeatedResidue, ...]]:
    """Find amino acid residues with the name of an earlier one, and which atoms lie where it does."""
    again, elsewhere = np.zeros((2, len(atoms)), dtype=bool)
    begins = np.zeros(len(atoms), dtype=bool)
    begins[residue_starts(atoms)] = True
    begins[1:] |= atoms.res_name[1:] != atoms.res_name[:-1]
    firsts = starts = np.flatnonzero(begins)
    ends = np.append(firsts[1:], len(atoms))
    of_amino_acid = atoms.amino_acid[firsts]
    firsts, ends = firsts[of_amino_acid], ends[of_amino_acid]
    columns = (atoms.chain_id[firsts], atoms.res_id[firsts], atoms.ins_code[firsts])
    if len(set(zip(*(column.tolist() for column in columns), strict=True))) == len(firsts):
        return again, ()
    names = residue_ids(atoms, firsts)
    seen: dict[ResidueId, int] = {}
    earliest = np.array([seen.setdefault(name, number) for number, name in enumerate(names)])
    same = _same_place(atoms, firsts, ends, earliest)
    repeated = []
    for number in np.flatnonzero(earliest < np.arange(len(earliest))).tolist():
        residue, kept = slice(firsts[number], ends[number]), not same[number]
        again[residue], elsewhere[residue] = not kept, kept
        repeated.append(RepeatedResidue(names[number], str(atoms.res_name[firsts[number]]), kept))
    if elsewhere.any():
        rows = np.flatnonzero(atoms.amino_acid & ~again)
        each = np.searchsorted(starts, rows, side="right")
        one = next(residue for residue in repeated if residue.kept)
        check_repeated(
            atoms.coord[rows].astype(np.float64), each, elsewhere[rows], one.residue.words(one.residue_name)
        )
    return again, tuple(repeated)


def _stacked(atoms: AtomArray, rows: Int[np.ndarray, "n"]) -> Remark:
    """Return a remark on atoms that cannot be at their positions."""
    names = zip(
        residue_ids(atoms, rows), atoms.res_name[rows].tolist(), atoms.atom_name[rows].tolist(), strict=True
    )
    which = listed(f"{residue.words(residue_name)} {atom}" for residue, residue_name, atom in names)
    were = "atom was" if len(rows) == 1 else "atoms were"
    return Remark(
        "atom left out",
        f"{len(rows)} {were} left out, for others lie at the same point: {which}",
        count=len(rows),
    )


def _same_place(
    atoms: AtomArray,
    firsts: Int[np.ndarray, "residues"],
    ends: Int[np.ndarray, "residues"],
    earliest: Int[np.ndarray, "residues"],
) -> Bool[np.ndarray, "residues"]:
    """Return in which residues an atom lies where the same atom of the earliest residue of their name does."""
    residue = np.repeat(np.arange(len(firsts)), ends - firsts)
    rows = np.arange(len(residue)) + (firsts - np.cumsum(ends - firsts) + (ends - firsts))[residue]
    names, name = np.unique(atoms.atom_name[rows], return_inverse=True)
    keys = earliest[residue] * len(names) + name
    original = earliest[residue] == residue
    known, places = np.unique(keys[original], return_index=True)
    found = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    apart = atoms.coord[rows] - atoms.coord[rows[original][places[found]]]
    near = (known[found] == keys) & (np.linalg.norm(apart, axis=-1) < _SAME_PLACE)
    return np.bincount(residue, weights=near, minlength=len(firsts)) > 0
