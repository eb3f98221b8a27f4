"""Names of residues: the twenty amino acids, water, and what modeling programs call them."""

from biotite.structure.info import residue as _dictionary_residue

from .symbols import HYDROGENS

__all__ = [
    "FOUR_LETTERS",
    "IONS",
    "STANDARD_AMINO_ACIDS",
    "SYNONYMS",
    "WATERS",
    "dictionary_elements",
    "heavy_atoms",
]

_TWENTY = "ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL"
STANDARD_AMINO_ACIDS = tuple(_TWENTY.split())

# Names in the Chemical Component Dictionary and in modeling programs; some cut four letters to three.
_WATERS = "HOH DOD WAT H2O SOL SPC TIP TIP2 TIP3 TIP4 TIP5 TP3 TP4 TP5 T3P T4P OH2 SPCE TIP3P TIP4P OPC3"
WATERS = frozenset(_WATERS.split())

# Names in force fields for protonation states, tautomers and disulfides of the twenty: CHARMM, Amber, GROMOS, OPLS.
_STATES = {
    "HIS": "HSD HSE HSP HSC HID HIE HIP HISA HISB HISD HISE HISH HISP HIS1 HIS2 HISN",
    "ASP": "ASH ASPP ASPH",
    "GLU": "GLH GLUP GLUH",
    "LYS": "LYN LSN LYSH LYSN LYS+",
    "CYS": "CYX CYM CYN CYSH CYSX CYS1 CYS2 CYS- CYSD DISU",
    "ARG": "ARN ARGN ARG+ ARGP",
    "TYR": "TYM TYRU",
}
_OF_STATES = {state: name for name, states in _STATES.items() for state in states.split()}
# Amber has its own names for the first and the last residue of a chain.
_ENDS = {
    end + name: standard
    for name, standard in (*zip(STANDARD_AMINO_ACIDS, STANDARD_AMINO_ACIDS, strict=True), *_OF_STATES.items())
    for end in "NC"
    if len(name) == 3
}
SYNONYMS = {**_ENDS, **_OF_STATES}

_LIPIDS = """CHL1 CHOL DLPC DLPE DLPG DLPS DMPA DMPC DMPE DMPG DMPS DOPA DOPC DOPE DOPG DOPS DPPA DPPC DPPE DPPG DPPS
    DSPC DSPE DSPG DSPS PLPC PLPE POPA POPC POPE POPG POPS POPI PYPE SAPI SDPC SDPE SLPC SOPC SOPE CER1 TOCL TMCL"""
_SUGARS = "AGLC BGLC AGAL BGAL AMAN BMAN AFUC BFUC AXYL BXYL AGLN BGLN"
# Four-letter names, for which the format has three columns; programs continue into the next one, which is blank.
FOUR_LETTERS = frozenset(
    name
    for name in (*SYNONYMS, *WATERS, *_LIPIDS.split(), *_SUGARS.split(), "HEME", "NAD+", "CHYO")
    if len(name) == 4
)

# Ions of one atom whose names are not element symbols.
_IONS = """SOD:NA NA+:NA CLA:CL CL-:CL POT:K K+:K CAL:CA CA2:CA CES:CS CS+:CS LIT:LI LI+:LI RUB:RB RB+:RB BAR:BA CAD:CD
    CD2:CD ZN2:ZN MG2:MG MN2:MN FE2:FE FE3:FE CU1:CU CU2:CU NI2:NI BR-:BR BRO:BR IOD:I I-:I F-:F"""
IONS = dict(pair.split(":") for pair in _IONS.split())


def dictionary_elements(residue_name: str) -> dict[str, str] | None:
    """Return the elements of a residue's atoms by their names, or None if the residue is unknown.

    Examples
    --------
    >>> elements = dictionary_elements("MSE")
    >>> elements["SE"], elements["CE"]
    ('SE', 'C')
    """
    try:
        known = _dictionary_residue(residue_name)
    except KeyError:
        return None
    return dict(zip(known.atom_name.tolist(), known.element.tolist(), strict=True))


def heavy_atoms(residue_name: str) -> frozenset[str]:
    """Return the names of the heavy atoms of a residue, in a chain or free; none if the residue is unknown."""
    elements = dictionary_elements(residue_name) or {}
    return frozenset(name for name, element in elements.items() if element not in HYDROGENS)
