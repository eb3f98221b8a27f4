"""A residue and the chain around it, seen in the residue's own frame."""

import attrs
import numpy as np
from chains import Protein
from jaxtyping import Float, Int, Shaped

from holo_features import residue_numbers
from holo_types import Embeddings, in_frame

__all__ = ["Scene", "scene"]

_LONGEST_STEP, _LONGEST_BOND = 4.5, 1.95  # Å


@attrs.frozen(eq=False)
class Scene:
    """The drawing of a residue, with positions in Å around its Cα in its frame.

    Parameters
    ----------
    steps : Float[ndarray, "steps 2 3"]
        The segments of the chain around it, from Cα to Cα.
    structures : Shaped[ndarray, "steps"]
        The secondary structure of each segment.
    atoms : Float[ndarray, "atoms 3"]
        The atoms of the residue itself.
    elements : Shaped[ndarray, "atoms"]
        The elements of these atoms.
    bonds : Int[ndarray, "bonds 2"]
        The bonds between them.
    """

    steps: Float[np.ndarray, "steps 2 3"]
    structures: Shaped[np.ndarray, "steps"]
    atoms: Float[np.ndarray, "atoms 3"]
    elements: Shaped[np.ndarray, "atoms"]
    bonds: Int[np.ndarray, "bonds 2"]


def scene(protein: Protein, row: int, embeddings: Embeddings, radius: float) -> Scene:
    """Return the surroundings of a residue within a radius.

    Parameters
    ----------
    protein
        The protein of the residue.
    row
        The row of the residue.
    embeddings
        The embeddings of the protein's residues, with their secondary structure.
    radius
        The radius in Å.
    """
    frame = embeddings.frames[row].astype(np.float64)
    origin = protein.centers.positions[row]
    trace = in_frame(protein.centers.positions - origin, frame)
    steps = np.stack([trace[:-1], trace[1:]], axis=1)
    chains = embeddings.index["chain"]
    shown = (
        (np.linalg.norm(steps[:, 1] - steps[:, 0], axis=1) < _LONGEST_STEP)
        & (np.linalg.norm(steps, axis=2).min(axis=1) < radius)
        & (chains[1:] == chains[:-1])
    )
    numbers = residue_numbers(protein.structure.atoms)
    own = protein.structure.atoms[numbers == numbers[protein.centers.atoms[row]]]
    atoms = in_frame(own.coord.astype(np.float64) - origin, frame)
    between = np.linalg.norm(atoms[:, None] - atoms, axis=2)
    return Scene(
        steps[shown],
        embeddings.index["secondary_structure"][:-1][shown],
        atoms,
        own.element,
        np.argwhere(np.triu(between < _LONGEST_BOND, 1)),
    )
