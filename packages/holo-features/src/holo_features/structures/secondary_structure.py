"""Secondary structure from Cα positions."""

import numpy as np
from biotite.structure import AtomArray, annotate_sse
from jaxtyping import Float, Shaped

__all__ = ["secondary_structure"]

# Letters are biotite 1's, numbers biotite 2's.
_NAMES = {"a": "helix", "b": "sheet", "c": "coil", "": "coil", 1: "helix", 2: "sheet", 0: "coil", -1: "coil"}
# Cα atoms of neighbors in a chain are 3.8 Å apart, or 2.9 Å if the peptide bond is cis.
_LONGEST_STEP = 4.5


def secondary_structure(
    positions: Float[np.ndarray, "residues 3"], chains: Shaped[np.ndarray, "residues"]
) -> Shaped[np.ndarray, "residues"]:
    """Return which residues are in helices and sheets, by P-SEA.

    P-SEA uses distances and angles of Cα positions along each chain. A chain is regarded as broken where two
    consecutive Cα are more than 4.5 Å apart, whatever the residue numbers are: these jump or repeat at gaps and
    insertion codes of a numbering scheme.

    Parameters
    ----------
    positions : Float[ndarray, "residues 3"]
        Cα positions in Å, in the order of the chain.
    chains
        Each residue's chain.

    Returns
    -------
    Str[ndarray, "residues"]
        ``"helix"``, ``"sheet"`` or ``"coil"``; residues that P-SEA cannot assign, as at the ends of a chain, are coil.

    Notes
    -----
    Labesse et al., *Comput. Appl. Biosci.* 13, 291 (1997), in biotite's implementation.

    Examples
    --------
    >>> turn = np.deg2rad(100.0) * np.arange(12)
    >>> helix = np.stack([2.3 * np.cos(turn), 2.3 * np.sin(turn), 1.5 * np.arange(12)], axis=1)
    >>> secondary_structure(helix, np.full(12, "A"))[5].item()
    'helix'
    """
    names = np.full(len(positions), "coil", dtype="U5")
    for chain in dict.fromkeys(chains.tolist()):
        rows = np.flatnonzero(chains == chain)
        trace = AtomArray(len(rows))
        trace.coord = positions[rows].astype(np.float32)
        trace.atom_name[:], trace.element[:], trace.res_name[:] = "CA", "C", "ALA"
        steps = np.linalg.norm(np.diff(positions[rows], axis=0), axis=1)
        # biotite assumes a break where the residue number increases by more than one.
        trace.res_id = np.cumsum([1, *np.where(steps > _LONGEST_STEP, 2, 1)])
        names[rows] = [_NAMES[code] for code in annotate_sse(trace).tolist()]
    return names
