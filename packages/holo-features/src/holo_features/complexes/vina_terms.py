"""The terms of AutoDock Vina's scoring function, as used by RF-Score (extra ``rdkit``)."""

import attrs
import numpy as np
from biotite.structure import AtomArray
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from holo_features.readers.symbols import HYDROGENS, METALS
from holo_features.surroundings.numbers import Numbers
from holo_features.surroundings.pairs import pairs_within

from .complex import Complex
from .contacts import contact_counts
from .rdkit_descriptors import rdkit_molecule

__all__ = ["rf_score_features", "vina_terms"]

_CUTOFF = 8.0  # Å
_RADII = {
    "C": 1.9,
    "N": 1.8,
    "O": 1.7,
    "S": 2.0,
    "P": 2.1,
    "F": 1.5,
    "CL": 1.8,
    "BR": 2.0,
    "I": 2.2,
    "SI": 2.2,
}
_OTHER_RADIUS = 1.2  # for metals
_HALOGENS = ("F", "CL", "BR", "I")
_NAMES = ("gauss 1", "gauss 2", "repulsion", "hydrophobic", "hydrogen bond", "rotatable bonds")

# Polar atoms of side chains that donate a hydrogen; the backbone's N does so except in proline.
_DONORS = frozenset(
    {
        *(("LYS", "NZ"), ("ARG", "NE"), ("ARG", "NH1"), ("ARG", "NH2"), ("ASN", "ND2"), ("GLN", "NE2")),
        *(("HIS", "ND1"), ("HIS", "NE2"), ("TRP", "NE1"), ("SER", "OG"), ("THR", "OG1"), ("TYR", "OH")),
    }
)
_ACCEPTING_NITROGENS = frozenset({("HIS", "ND1"), ("HIS", "NE2")})
# Carbon atoms that are bonded to a polar atom of the same residue are not hydrophobic.
_POLAR_CARBONS = frozenset(
    {
        *(
            ("ARG", "CD"),
            ("ARG", "CZ"),
            ("ASN", "CG"),
            ("ASP", "CG"),
            ("CYS", "CB"),
            ("GLN", "CD"),
            ("GLU", "CD"),
        ),
        *(("HIS", "CG"), ("HIS", "CD2"), ("HIS", "CE1"), ("LYS", "CE"), ("MET", "CG"), ("MET", "CE")),
        *(("PRO", "CD"), ("SER", "CB"), ("THR", "CB"), ("TRP", "CD1"), ("TRP", "CE2"), ("TYR", "CZ")),
    }
)


def vina_terms(complex_: Complex) -> Numbers:
    """Return the five sums over pairs of a protein and a ligand atom, and the number of rotatable bonds.

    Parameters
    ----------
    complex_
        A protein and its ligand, which needs bonds. Hydrogens do not count; which polar atoms have one is known from
        the atom names of the twenty amino acids, and from the valences of the ligand.

    Returns
    -------
    Numbers
        With d the distance of two atoms within 8 Å, minus their radii: Σ exp(-(2d)²), Σ exp(-((d - 3) / 2)²), and Σ d²
        for d < 0; over pairs of hydrophobic atoms, and over pairs of a donor and an acceptor, a closeness from 0 to 1;
        and RDKit's number of rotatable bonds.

    Raises
    ------
    HoloError
        As in `holo_features.complexes.rdkit_descriptors.ligand_descriptors`.

    Notes
    -----
    Trott and Olson, *J. Comput. Chem.* 31, 455 (2010), without the weights and the division by rotatable bonds.

    Examples
    --------
    >>> from biotite.structure.info import residue
    >>> from holo_features.complexes.ligands import Ligand
    >>> from holo_features.structures.structure import Structure
    >>> serine, moved = residue("SER"), residue("SER")
    >>> moved.coord += 4
    >>> found = vina_terms(Complex("1abc", Structure("1abc", serine), Ligand("SER", moved)))
    >>> found.names[0], bool(found.values[0] > 0)
    ('gauss 1', True)
    """
    protein, ligand = _Typed.of_protein(complex_.protein.atoms), _Typed.of_ligand(complex_)
    near = pairs_within(protein.places, ligand.places, _CUTOFF)
    ours, theirs = near.points, np.repeat(np.arange(len(ligand.places)), near.counts)
    apart = np.linalg.norm(protein.places[ours] - ligand.places[theirs], axis=1)
    d = apart - protein.radii[ours] - ligand.radii[theirs]
    hydrophobic = protein.hydrophobic[ours] & ligand.hydrophobic[theirs]
    bonding = (protein.donor[ours] & ligand.acceptor[theirs]) | (
        protein.acceptor[ours] & ligand.donor[theirs]
    )
    terms = [
        np.exp(-np.square(2 * d)).sum(),
        np.exp(-np.square((d - 3) / 2)).sum(),
        np.square(np.minimum(d, 0)).sum(),
        np.clip(1.5 - d, 0, 1)[hydrophobic].sum(),
        np.clip(-d / 0.7, 0, 1)[bonding].sum(),
        ligand.rotatable_bonds,
    ]
    return Numbers(_NAMES, np.array(terms, dtype=np.float64))


def rf_score_features(complex_: Complex) -> Numbers:
    """Return the features of RF-Score-v3: contacts by pair of elements within 12 Å, and Vina's terms.

    Parameters
    ----------
    complex_
        A protein and its ligand, which needs bonds.

    Returns
    -------
    Numbers
        36 counts, such as ``"C-N"``, protein first, and the terms of `vina_terms`.

    Raises
    ------
    HoloError
        As in `vina_terms`.

    Notes
    -----
    Li et al., *Mol. Inform.* 34, 115 (2015).

    Examples
    --------
    >>> from biotite.structure.info import residue
    >>> from holo_features.complexes.ligands import Ligand
    >>> from holo_features.structures.structure import Structure
    >>> serine = residue("SER")
    >>> len(rf_score_features(Complex("1abc", Structure("1abc", serine), Ligand("SER", serine))).names)
    42
    """
    counted = contact_counts(complex_)
    terms = vina_terms(complex_)
    return Numbers(
        (*counted.pairs, *terms.names),
        np.concatenate([counted.counts.ravel().astype(np.float64), terms.values]),
    )


@attrs.frozen(eq=False)
class _Typed:
    """The heavy atoms of one side with their types in Vina."""

    places: Float[np.ndarray, "atoms 3"]
    radii: Float[np.ndarray, "atoms"]
    hydrophobic: Bool[np.ndarray, "atoms"]
    donor: Bool[np.ndarray, "atoms"]
    acceptor: Bool[np.ndarray, "atoms"]
    rotatable_bonds: int

    @classmethod
    def of(
        cls,
        atoms: AtomArray,
        *,
        donor: Bool[np.ndarray, "all"],
        acceptor: Bool[np.ndarray, "all"],
        polar_carbon: Bool[np.ndarray, "all"],
        rotatable_bonds: int = 0,
    ) -> "_Typed":
        elements: NDArray[np.str_] = atoms.element
        heavy = ~np.isin(elements, HYDROGENS)
        metal = np.isin(elements, list(METALS))
        radii = np.array([_RADII.get(element, _OTHER_RADIUS) for element in elements.tolist()])
        hydrophobic = ((elements == "C") & ~polar_carbon) | np.isin(elements, _HALOGENS)
        return cls(
            atoms.coord[heavy].astype(np.float64),
            radii[heavy],
            hydrophobic[heavy],
            (donor | metal)[heavy],  # a metal takes the place of a hydrogen
            acceptor[heavy],
            rotatable_bonds,
        )

    @classmethod
    def of_protein(cls, atoms: AtomArray) -> "_Typed":
        named = list(zip(atoms.res_name.tolist(), atoms.atom_name.tolist(), strict=True))
        backbone = (atoms.atom_name == "N") & (atoms.res_name != "PRO")

        def among(names: frozenset[tuple[str, str]]) -> NDArray[np.bool_]:
            return np.fromiter((name in names for name in named), dtype=bool, count=len(named))

        carbons = np.isin(atoms.atom_name, ("C", "CA")) & (atoms.element == "C")
        return cls.of(
            atoms,
            donor=backbone | among(_DONORS),
            acceptor=(atoms.element == "O") | among(_ACCEPTING_NITROGENS),
            polar_carbon=carbons | among(_POLAR_CARBONS),
        )

    @classmethod
    def of_ligand(cls, complex_: Complex) -> "_Typed":
        from rdkit.Chem import rdMolDescriptors  # noqa: PLC0415

        molecule = rdkit_molecule(complex_.ligand)
        atoms = list(molecule.GetAtoms())
        hydrogens = np.array([atom.GetTotalNumHs(includeNeighbors=True) for atom in atoms])
        bonds = np.array([atom.GetTotalDegree() for atom in atoms])
        elements = complex_.ligand.atoms.element
        hetero = [any(other.GetAtomicNum() not in (1, 6) for other in atom.GetNeighbors()) for atom in atoms]
        polar = np.isin(elements, ("N", "O"))
        return cls.of(
            complex_.ligand.atoms,
            donor=polar & (hydrogens > 0),
            # A nitrogen with three bonds has its lone pair in a conjugated system, or a charge.
            acceptor=(elements == "O") | ((elements == "N") & (bonds <= 2)),
            polar_carbon=(elements == "C") & np.array(hetero),
            rotatable_bonds=int(rdMolDescriptors.CalcNumRotatableBonds(molecule)),
        )
