"""A single amino acid exchange, and whether a structure has what it exchanges."""

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
        Which residue, in the numbering of the authors of the entry.
    mutant
        The letter of what is to be there.
    wild_type
        The letter of what is there; None where it has not been said.

    Raises
    ------
    HoloError
        If a letter is none of the twenty.

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
            If the text is written otherwise, or the letter is none of the twenty.
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
    """Where the residues of mutations are in a structure.

    Parameters
    ----------
    mutations
        Those that were found, each with its wild type.
    places
        Their numbers among those that were asked for.
    sites
        Their residues, a row each.
    problems
        For each of the others, by its number, why it cannot be made.
    remarks
        What should be known of some of those that were found, by their numbers.
    """

    mutations: tuple[Mutation, ...]
    places: Int[np.ndarray, "found"]
    sites: Centers
    problems: dict[int, str]
    remarks: dict[int, str]


def find_sites(structure: Structure, mutations: Sequence[Mutation]) -> FoundSites:
    """Find the residues that mutations exchange; those that cannot be made are named.

    A mutation cannot be made where the structure has no such residue, or several of its name; where another amino acid
    is there than it says, or what is there already, or none of the twenty; and where N, Cα or C is missing. Where the
    chain is missing and the file has one only, that one is taken, and it is said.

    Parameters
    ----------
    structure
        As `read_structure` gives it.
    mutations
        What is to be exchanged.

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
    """Return all exchanges of all residues of the twenty: nineteen at each.

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
    """Say why a residue that is there cannot be exchanged."""
    if name not in STANDARD_AMINO_ACIDS:
        return f"{residue} is {name}, which is none of the twenty amino acids"
    letter = letter_of(name)
    if mutation.wild_type not in (None, letter):
        return f"{residue} is {letter}; the mutation says that it is {mutation.wild_type}"
    if letter == mutation.mutant:
        return f"{residue} is {letter} already"
    return None if has_axes else f"the atoms N, CA and C of {residue} are not all there, or lie on a line"


def _lacking(structure: Structure, about: Centers) -> list[str]:
    """Name the heavy atoms that each residue lacks."""
    atoms, residues = structure.atoms, residue_numbers(structure.atoms)
    starts = np.searchsorted(residues, np.arange(int(residues.max(initial=-1)) + 2))
    lacking = []
    for place, name in zip(residues[about.atoms].tolist(), about.index["residue_name"].tolist(), strict=True):
        there = atoms.atom_name[starts[place] : starts[place + 1]].tolist()
        lacking.append(", ".join(sorted(heavy_atoms(name) - {_AT_AN_END, *there})))
    return lacking
