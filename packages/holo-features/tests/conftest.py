"""Atom records made by hand."""

import pytest

BACKBONE = {"N": (-0.5, 1.4, 0.0), "CA": (0.0, 0.0, 0.0), "C": (1.5, 0.0, 0.0), "O": (2.1, -1.1, 0.0)}


def atom_record(
    name,
    xyz,
    *,
    residue="ALA",
    chain="A",
    number=1,
    insertion=" ",
    label=" ",
    element=None,
    occupancy=1.0,
    hetero=False,
):
    """Return one ATOM or HETATM line; the element defaults to the first letter of the name."""
    symbol = name[0] if element is None else element
    padded = f" {name:<3}" if len(symbol) < 2 and len(name) < 4 else f"{name:<4}"
    x, y, z = (value if isinstance(value, str) else f"{value:8.3f}" for value in xyz)
    record = "HETATM" if hetero else "ATOM  "
    return (
        f"{record}{1:>5} {padded}{label}{residue:>3} {chain}{number:>4}{insertion}   "
        f"{x:>8}{y:>8}{z:>8}{occupancy:6.2f}{0:6.2f}          {symbol:>2}"
    )


def residue_records(shift=0.0, names=tuple(BACKBONE), **about):
    """Return the backbone atoms of a residue, shifted along x."""
    return [atom_record(name, (BACKBONE[name][0] + shift, *BACKBONE[name][1:]), **about) for name in names]


@pytest.fixture(name="atom")
def _atom():
    return atom_record


@pytest.fixture(name="residue")
def _residue():
    return residue_records


@pytest.fixture
def write_pdb(tmp_path):
    """Write records as a PDB file and return its path."""

    def write(*records, name="made.pdb"):
        path = tmp_path / name
        path.write_text("\n".join([*records, "END"]) + "\n", encoding="utf-8")
        return path

    return write
