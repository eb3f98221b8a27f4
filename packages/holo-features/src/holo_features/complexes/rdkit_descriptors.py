"""RDKit's descriptors of a ligand from its bonds (extra ``rdkit``)."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from biotite.structure import AtomArray, BondType

from holo_features.surroundings.numbers import Numbers
from holo_types import HoloError
from holo_types.extras import extra

from .ligands import Ligand

if TYPE_CHECKING:
    from rdkit.Chem import Mol

__all__ = ["ligand_descriptors", "murcko_scaffold", "rdkit_molecule"]


def ligand_descriptors(ligand: Ligand) -> Numbers:
    """Return all of RDKit's descriptors of a ligand: size, log P, polar surface, donors, rings, fragments.

    Parameters
    ----------
    ligand
        A ligand with bonds, as SDF and MOL2 files have them. Hydrogens need not be present; missing valences count as
        hydrogens.

    Returns
    -------
    Numbers
        The descriptors by RDKit's names, such as ``"MolLogP"`` and ``"TPSA"``; 0 if one is not defined for the
        molecule.

    Raises
    ------
    HoloError
        If RDKit is not installed, the ligand has no bonds, or RDKit cannot make a molecule of it.

    Examples
    --------
    >>> from biotite.structure.info import residue
    >>> found = ligand_descriptors(Ligand("GLY", residue("GLY")))
    >>> dict(zip(found.names, found.values.round(2).tolist()))["TPSA"]
    63.32
    """
    with extra("holo-features[rdkit]"):
        from rdkit.Chem import Descriptors  # noqa: PLC0415
        from rdkit.rdBase import BlockLogs  # noqa: PLC0415

    molecule = rdkit_molecule(ligand)
    descriptors: Sequence[tuple[str, Callable[[Mol], float]]] = Descriptors.descList
    with BlockLogs(), _without_interrupts():  # each fragment that is not found would be a line about valences
        numbers = np.array([_value(calculate, molecule) for _, calculate in descriptors])
    # The charge of an atom without parameters is NaN, and some quotients of counts overflow.
    known = np.isfinite(numbers) & (np.abs(numbers) < 1e6)
    return Numbers(tuple(name for name, _ in descriptors), np.where(known, numbers, 0.0))


def _value(calculate: "Callable[[Mol], float]", molecule: "Mol") -> float:
    # Unlike `CalcMolDescriptors`, which takes Ctrl-C for a descriptor that is not defined.
    try:
        return float(calculate(molecule))
    except Exception:  # noqa: BLE001 - whatever a descriptor raises, it is not defined
        return 0.0


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back: RDKit takes it for its own while it searches, and then returns only a part."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows has none
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def murcko_scaffold(ligand: Ligand) -> str:
    """Return the scaffold of a ligand: its rings and the chains that link them, without side chains [1]_.

    Returns
    -------
    str
        A SMILES string, which is the same for ligands of one series; empty if the ligand has no ring.

    Raises
    ------
    HoloError
        As in `ligand_descriptors`.

    References
    ----------
    .. [1] G. W. Bemis, M. A. Murcko, The Properties of Known Drugs. 1. Molecular Frameworks, J. Med. Chem. 39, 2887
       (1996).

    Examples
    --------
    >>> from biotite.structure.info import residue
    >>> murcko_scaffold(Ligand("PHE", residue("PHE"))), murcko_scaffold(Ligand("GLY", residue("GLY")))
    ('c1ccccc1', '')
    """
    with extra("holo-features[rdkit]"):
        from rdkit.Chem.Scaffolds import MurckoScaffold  # noqa: PLC0415
        from rdkit.rdBase import BlockLogs  # noqa: PLC0415

    scaffold: Callable[..., str] = MurckoScaffold.MurckoScaffoldSmiles
    molecule = rdkit_molecule(ligand)
    with BlockLogs(), _without_interrupts():
        return scaffold(mol=molecule)


def rdkit_molecule(ligand: Ligand) -> "Mol":
    """Make RDKit's molecule from atoms and bonds; valences unknown to RDKit are left as they are.

    Raises
    ------
    HoloError
        If RDKit is not installed, the ligand has no bonds, or RDKit cannot make a molecule of it.
    """
    with extra("holo-features[rdkit]"):
        from rdkit import Chem  # noqa: PLC0415
        from rdkit.rdBase import BlockLogs  # noqa: PLC0415

    atoms: AtomArray = ligand.atoms
    if atoms.bonds is None or (len(atoms) > 1 and not len(atoms.bonds.as_array())):
        raise HoloError(
            f"ligand {ligand.name!r} has no bonds; RDKit's descriptors are of molecules with bonds"
        )
    editable = Chem.RWMol()
    for element, charge in zip(atoms.element.tolist(), atoms.charge.tolist(), strict=True):
        atom = Chem.Atom(element.title())
        atom.SetFormalCharge(int(charge))
        editable.AddAtom(atom)
    kinds = {
        BondType.DOUBLE: Chem.BondType.DOUBLE,
        BondType.TRIPLE: Chem.BondType.TRIPLE,
        BondType.AROMATIC: Chem.BondType.AROMATIC,
        BondType.AROMATIC_DOUBLE: Chem.BondType.DOUBLE,
    }
    for first, second, kind in atoms.bonds.as_array().tolist():
        bond = kinds.get(BondType(kind), Chem.BondType.SINGLE)
        editable.AddBond(first, second, bond)
        if bond == Chem.BondType.AROMATIC:
            for end in (first, second):
                editable.GetAtomWithIdx(end).SetIsAromatic(True)
    molecule = editable.GetMol()
    steps = Chem.SanitizeFlags
    with BlockLogs():
        failed = Chem.SanitizeMol(molecule, catchErrors=True)
        if failed != steps.SANITIZE_NONE:
            # As in files whose bonds are all single, or that lack charges.
            rest = steps.SANITIZE_ALL ^ steps.SANITIZE_PROPERTIES ^ steps.SANITIZE_KEKULIZE
            molecule.UpdatePropertyCache(strict=False)
            if Chem.SanitizeMol(molecule, rest, catchErrors=True) != steps.SANITIZE_NONE:
                raise HoloError(f"ligand {ligand.name!r}: RDKit makes no molecule of it ({failed!s})")
    return molecule
