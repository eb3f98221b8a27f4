"""Complexes drawn in 3D by 3Dmol.js, which is embedded in the page."""

import html
import json
from collections.abc import Sequence

import numpy as np
from biotite.structure import AtomArray, BondType

from holo_features import pocket
from holo_lab.affinity.atoms import AtomContributions

from .library_3dmol import library_text

__all__ = ["library", "viewer"]

_POCKET = 6.0  # Å
_ORDERS = {BondType.DOUBLE: 2, BondType.AROMATIC_DOUBLE: 2, BondType.TRIPLE: 3}
_RED, _WHITE, _BLUE = (200, 60, 50), (235, 235, 235), (42, 90, 170)


def library() -> str:
    """Return the script of 3Dmol.js with its license, which a page contains once, before its viewers."""
    return f"<script>{library_text()}</script>"


def viewer(drawn: AtomContributions, number: int) -> str:
    """Return an interactive 3D view of a complex, with the ligand's atoms colored by contribution and a thin pocket.

    Parameters
    ----------
    drawn
        The complex and the contributions of its ligand's atoms.
    number
        The number of the viewer in its page.
    """
    complex_ = drawn.complex_
    atoms = complex_.protein.atoms
    near = pocket(complex_, _POCKET)
    largest = float(np.abs(drawn.contributions).max())
    colors = [_color(each / largest if largest else 0.0) for each in drawn.contributions.tolist()]
    scene = {
        "ligand": _plain(complex_.ligand.atoms, drawn.contributions.tolist()),
        "colors": colors,
        "pocket": _pdb(atoms[near]) if near.any() else "",
    }
    # In a script, "<" may begin the closing tag.
    text = json.dumps(scene, allow_nan=False).replace("<", "\\u003c")
    name = html.escape(f"{complex_.name} in 3D")
    return (
        f'<div class="molecule" id="molecule-{number}" role="img" aria-label="{name}"></div>\n'
        f"<script>drawMolecule({number}, {text});</script>"
    )


def _color(share: float) -> str:
    """Return a color from red for -1 over white for 0 to blue for 1."""
    end = np.array(_BLUE if share > 0 else _RED)
    mixed = np.round(np.array(_WHITE) + abs(share) * (end - _WHITE)).astype(int).tolist()
    return "#{:02x}{:02x}{:02x}".format(*mixed)


def _plain(atoms: AtomArray, contributions: Sequence[float]) -> list[dict[str, object]]:
    """Return atoms in the form of 3Dmol.js, with their contributions."""
    bonded: list[list[int]] = [[] for _ in range(len(atoms))]
    orders: list[list[int]] = [[] for _ in range(len(atoms))]
    for first, second, kind in [] if atoms.bonds is None else atoms.bonds.as_array().tolist():
        order = _ORDERS.get(kind, 1)
        for one, other in ((first, second), (second, first)):
            bonded[one].append(other)
            orders[one].append(order)
    return [
        {
            "elem": str(element).title(),
            "x": round(float(x), 3),
            "y": round(float(y), 3),
            "z": round(float(z), 3),
            "bonds": bonded[row],
            "bondOrder": orders[row],
            "serial": row,
            "index": row,
            "hetflag": True,
            "adds": round(contributions[row], 3),
        }
        for row, (element, (x, y, z)) in enumerate(
            zip(atoms.element.tolist(), atoms.coord.tolist(), strict=True)
        )
    ]


def _pdb(atoms: AtomArray) -> str:
    """Return atoms as lines of a PDB file, with names cut to the width of their columns."""
    columns = (atoms.atom_name, atoms.res_name, atoms.chain_id, atoms.res_id, atoms.coord, atoms.element)
    lines = [
        f"ATOM  {serial % 100000:5d} {_padded(name, element):4.4s} {residue:>3.3s} {chain:1.1s}{number % 10000:4d}    "
        f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          {element:>2.2s}"
        for serial, (name, residue, chain, number, (x, y, z), element) in enumerate(
            zip(*(column.tolist() for column in columns), strict=True), start=1
        )
    ]
    return "\n".join([*lines, "END"])


def _padded(name: str, element: str) -> str:
    """Pad the name of an atom so that the element's symbol is in its columns of a PDB file."""
    return name if len(name) > 3 or len(element) > 1 else f" {name}"
