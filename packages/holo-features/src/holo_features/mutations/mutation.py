"""An exchange of a single amino acid, and the check that a structure has the residue."""

import re
from collections.abc import Sequence

import attrs
import numpy as np
from jaxtyping import Int

from holo_features.readers.names import STANDARD_AMINO_ACIDS, heavy_atoms
from holo_features.structures.residue import ResidueId, residue_numbers
from holo_features.structures.structure import Structure
from holo_features.surroundings.centers import Centers, alpha_carbons
from holo_features.surroundings.poses import Backbones
from holo_types import HoloError

from .amino_acids import letter_of, residue_name_of

__all__ = ["FoundSites", "Mutation", "all_mutations", "find_sites"]

_AT_AN_END = "OXT"


@attrs.frozen
class Mutation:
    """An exchange of one residue of a structure.

    Parameters
    ----------
    residue
        The residue, in the numbering of the authors of the entry.
    mutant
        The letter of the new amino acid.
    wild_type
        The letter of the present amino acid; None if it was not given.

    Raises
    ------
    HoloError
        If a letter is not one of the twenty.

    Examples
    --------
    >>> mutation = Mutation.parse("A:57:L")
    >>> mutation.residue.residue_number, mutation.mutant
    (57, 'L')
    >>> str(Mutation(ResidueId("A", 57), "L", "V"))
    'A:V57L'
    """

    residue: ResidueId
    mutant: str
    wild_type: str | None = None

    def __attrs_post_init__(self) -> None:
        for letter in (self.mutant, *([] if self.wild_type is None else [self.wild_type])):
            residue_name_of(letter)

    @classmethod
    def parse(cls, text: str) -> "Mutation":
        """Read an exchange written as chain, colon, number and insertion code, colon, letter of the mutant.

        Raises
        ------
        HoloError
            If the text is written otherwise, or the letter is not one of the twenty.
        """
        match = re.fullmatch(r"([^:,]+:-?[0-9]+[A-Za-z]?):([A-Za-z])", text)
        if match is None:
            raise HoloError(
                f"mutation {text[:100]!r}: it must be written as chain:number:mutant, such as A:57:L"
            )
        return cls(ResidueId.parse(match[1]), match[2].upper())

    def __str__(self) -> str:
        residue = self.residue
        return f"{residue.chain}:{self.wild_type or ''}{residue.residue_number}{residue.insertion_code}{self.mutant}"


@attrs.frozen(eq=False)
class FoundSites:
    """The residues of mutations in a structure.

    Parameters
    ----------
    mutations
        Those that were found, each with its wild type.
    places
        Their positions among the requested mutations.
    sites
        Their residues, one row each.
    problems
        For each of the others, by its position, the reason why it cannot be made.
    remarks
        What should be known about some of those that were found, by their positions.
    """

    mutations: tuple[Mutation, ...]
    places: Int[np.ndarray, "found"]
    sites: Centers
    problems: dict[int, str]
    remarks: dict[int, str]


def find_sites(structure: Structure, mutations: Sequence[Mutation]) -> FoundSites:
    """Find the residues that mutations exchange, and list the mutations that cannot be made.

    A mutation cannot be made if the structure has no such residue, or several with its name; if the residue is not the
    given wild type, is already the mutant, or is not one of the twenty; or if N, Cα or C is missing. If the
    structure lacks the chain but has only one, that one is used, with a remark.

    Parameters
    ----------
    structure
        A structure from `read_structure`.
    mutations
        The mutations.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures.structure import read_structure
    >>> structure = read_structure(example_structures()[0])
    >>> wanted = [Mutation.parse("A:1:L"), Mutation.parse("A:999:L"), Mutation(ResidueId("A", 2), "A", "W")]
    >>> found = find_sites(structure, wanted)
    >>> [str(mutation) for mutation in found.mutations]
    ['A:V1L']
    >>> found.problems
    {1: 'there is no residue A:999', 2: 'A:2 is L; the mutation says that it is W'}
    """
    about = alpha_carbons(structure)
    names = _names(about)
    rows = {name: row for row, name in enumerate(names)}
    repeated = {each.residue for each in structure.repeated_residues if each.kept}
    axes = np.isfinite(Backbones.of(structure).axes(about.atoms)).all(axis=(1, 2))
    chains = dict.fromkeys(name.chain for name in names)
    lacking = _lacking(structure, about)
    kept: list[Mutation] = []
    chosen: list[int] = []
    places: list[int] = []
    problems: dict[int, str] = {}
    remarks: dict[int, str] = {}
    for number, mutation in enumerate(mutations):
        residue, said = mutation.residue, []
        if residue.chain not in chains and len(chains) == 1:
            residue = residue._replace(chain=next(iter(chains)))
            said.append(
                f"there is no chain {mutation.residue.chain}; {residue.chain}, the only one, is taken"
            )
        row = rows.get(residue)
        problem = (
            f"there is no residue {mutation.residue}"
            if row is None
            else f"several residues are called {residue}"
            if residue in repeated
            else _problem(mutation, residue, str(about.index["residue_name"][row]), bool(axes[row]))
        )
        if problem is not None or row is None:
            problems[number] = problem or ""
            continue
        if lacking[row]:
            said.append(
                f"the side chain of {residue} lacks {lacking[row]}, which the prediction does not look at"
            )
        if said:
            remarks[number] = "; ".join(said)
        kept.append(Mutation(residue, mutation.mutant, letter_of(str(about.index["residue_name"][row]))))
        chosen.append(row)
        places.append(number)
    return FoundSites(
        tuple(kept),
        np.array(places, dtype=np.int64),
        about[np.array(chosen, dtype=np.int64)],
        problems,
        remarks,
    )


def all_mutations(structure: Structure) -> tuple[Mutation, ...]:
    """Return all exchanges of all residues of the twenty: nineteen for each.

    Examples
    --------
    >>> from holo_features.datasets import example_structures
    >>> from holo_features.structures.structure import read_structure
    >>> mutations = all_mutations(read_structure(example_structures()[0]))
    >>> len(mutations) == 19 * 153, str(mutations[0])
    (True, 'A:V1A')
    """
    about = alpha_carbons(structure)
    letters = [letter_of(name) for name in STANDARD_AMINO_ACIDS]
    return tuple(
        Mutation(residue, mutant, letter_of(name))
        for residue, name in zip(_names(about), about.index["residue_name"].tolist(), strict=True)
        if name in STANDARD_AMINO_ACIDS
        for mutant in letters
        if residue_name_of(mutant) != name
    )


def _names(about: Centers) -> list[ResidueId]:
    columns = (about.index[name].tolist() for name in ("chain", "residue_number", "insertion_code"))
    return list(map(ResidueId, *columns))


def _problem(mutation: Mutation, residue: ResidueId, name: str, has_axes: bool) -> str | None:
    """Return the reason why an existing residue cannot be exchanged, or None."""
    if name not in STANDARD_AMINO_ACIDS:
        return f"{residue} is {name}, which is not one of the twenty amino acids"
    letter = letter_of(name)
    if mutation.wild_type not in (None, letter):
        return f"{residue} is {letter}; the mutation says that it is {mutation.wild_type}"
    if letter == mutation.mutant:
        return f"{residue} is {letter} already"
    return None if has_axes else f"the atoms N, CA and C of {residue} are not all there, or lie on a line"


def _lacking(structure: Structure, about: Centers) -> list[str]:
    """Return the names of the heavy atoms that each residue lacks."""
    atoms, residues = structure.atoms, residue_numbers(structure.atoms)
    starts = np.searchsorted(residues, np.arange(int(residues.max(initial=-1)) + 2))
    lacking = []
    for place, name in zip(residues[about.atoms].tolist(), about.index["residue_name"].tolist(), strict=True):
        there = atoms.atom_name[starts[place] : starts[place + 1]].tolist()
        lacking.append(", ".join(sorted(heavy_atoms(name) - {_AT_AN_END, *there})))
    return lacking
