"""Elements of the atom types in MOL2 files, which are Sybyl's, whose format it is, or those of a force field."""

from collections.abc import Callable, Sequence

import numpy as np

from holo_features.readers.elements import is_element
from holo_types import FormatError

__all__ = ["type_elements"]

_SYBYL = frozenset(
    """H H.spc H.t3p C.3 C.2 C.1 C.ar C.cat N.4 N.3 N.2 N.1 N.ar N.am N.pl3 O.3 O.2 O.co2 O.spc O.t3p S.3 S.2 S.O S.O2
    P.3 Cr.oh Cr.th Co.oh Ru.oh Ti.oh Ti.th LP Du Du.C Any Hal Het Hev""".lower().split()
)
# Amber's types: parm10 and earlier ones. C0 is calcium; IM and IP are chloride and sodium.
_AMBER_TYPES = """C CA CB CC CD CE CF CG CH CI CJ CK CM CN CO CP CQ CR CS CT CV CW CX CY CZ C* C1 C2 C3 C4 C5 2C 3C 8C
    H H0 H1 H2 H3 H4 H5 HA HC HO HP HS HW HZ N NA NB NC ND NP NO NT NX NY NZ N* N1 N2 N3 O O2 O3 OA OH OP OS OW OX OZ
    P P5 S SH S2 F I IB LP EP CL BR K LI CS RB FE ZN MG CU NA+ IM IP C0"""
_AMBER = {kind: kind.lstrip("238")[0] for kind in _AMBER_TYPES.split()} | {
    **{symbol: symbol for symbol in ("CL", "BR", "LI", "RB", "FE", "ZN", "MG", "CU")},
    **{"IM": "CL", "IP": "NA", "IB": "NA", "NA+": "NA", "C0": "CA", "LP": "", "EP": ""},
}
_GAFF_FIRST = frozenset("chnopsfi")


def type_elements(kinds: Sequence[str]) -> list[str]:
    """Return the elements, in upper case, of a molecule's atom types.

    Whether the types are Sybyl's or a force field's is decided from all of them together: CA, NB and OS are Amber's
    types of carbon, nitrogen and oxygen, but beside Sybyl's types, such as ``C.3``, they are calcium, niobium and
    osmium.

    Parameters
    ----------
    kinds
        The types of all atoms of one molecule.

    Raises
    ------
    FormatError
        If they belong to none of these schemes; the message names a type, and the scheme if it is known.

    Examples
    --------
    >>> type_elements(["C.ar", "Ca", "Cl"]), type_elements(["CA", "NB", "OS"]), type_elements(["ca", "cl", "n4"])
    (['C', 'CA', 'CL'], ['C', 'N', 'O'], ['C', 'CL', 'N'])
    """
    if len(kinds) == 1 and kinds[0].isupper() and _is_element(kinds[0]):  # an ion
        return [kinds[0].upper()]
    schemes: tuple[tuple[Callable[[str], bool], Callable[[str], str]], ...] = (
        (_is_sybyl, _of_sybyl),
        (lambda kind: kind in _AMBER or _is_symbol(kind), lambda kind: _AMBER.get(kind, kind.upper())),
        (_is_gaff, _of_gaff),
        (_is_cgenff, _of_cgenff),
        # Symbols in capitals, beside types that cannot be Amber's.
        (lambda kind: _is_sybyl(kind) or _is_element(kind), _of_sybyl),
    )
    for belongs, element in schemes:
        if all(map(belongs, kinds)):
            return list(map(element, kinds))
    strange = next((kind for kind in kinds if not any(belongs(kind) for belongs, _ in schemes)), kinds[0])
    raise FormatError(
        f"its atom types, such as {strange!r}, are {_scheme(strange)}; they must be Sybyl's, such as C.3, or Amber's, "
        "GAFF's or CGenFF's"
    )


def _is_element(symbol: str) -> bool:
    return bool(is_element(np.array([symbol.upper()]))[0])


def _is_symbol(kind: str) -> bool:
    """Return whether a type is an element in its usual spelling: N, Ca."""
    return kind == kind.title() and _is_element(kind)


def _is_sybyl(kind: str) -> bool:
    first, dot, _ = kind.partition(".")
    return kind.lower() in _SYBYL or _is_symbol(kind) or (bool(dot) and _is_element(first))


def _of_sybyl(kind: str) -> str:
    return kind.partition(".")[0].upper()


def _is_gaff(kind: str) -> bool:
    """Return whether a type is one of antechamber's, which begin in lower case."""
    return (len(kind) <= 2 and kind[0] in _GAFF_FIRST) or kind in ("cl", "br") or _is_symbol(kind)


def _of_gaff(kind: str) -> str:
    if kind[0].isupper() or kind in ("cl", "br"):
        return kind.upper()
    return kind[0].upper()


def _is_cgenff(kind: str) -> bool:
    """Return whether a type is one of CHARMM's general force field: the element, G, and its surroundings."""
    return bool(_of_cgenff(kind)) or kind == "LPH"


def _of_cgenff(kind: str) -> str:
    first, found, rest = kind.partition("G")
    return (
        first
        if found and rest[:1].isalnum() and first in ("H", "C", "N", "O", "S", "P", "F", "CL", "BR", "I")
        else ""
    )


def _scheme(kind: str) -> str:
    if kind.lower().startswith("opls"):
        return "OPLS's"
    if kind.isdigit():
        return "numbers, as MMFF and OPLS have"
    return "of no scheme that is known"
