"""How much the surroundings of each residue differ between two structures."""

import attrs
import numpy as np
from jaxtyping import Float, Int

from holo_features import Structure, neighborhoods, zernike_transform
from holo_types import HoloError, Index
from holo_vae import Model

from .partners import NO_PARTNER, find_partners

__all__ = ["NOISE", "Comparison", "compare_structures"]

NOISE = 0.2  # Å along each axis, about the coordinate error of a crystal structure
_PAIRS = 20_000


@attrs.frozen(eq=False)
class Comparison:
    """The residues of two structures, and how far apart their z are.

    Parameters
    ----------
    first, second
        The residues of each structure.
    partners : Int[ndarray, "n"]
        For each residue of the first structure, the row of its partner in the second, or -1 if it has none.
    distances : Float[ndarray, "n"]
        Distances of the two z, with each component of z divided by its standard deviation over both structures; NaN
        for residues without a partner.
    noise_floor
        The median distance that noise of 0.2 Å on all atoms causes.
    random
        The median distance of two random residues.
    """

    first: Index
    second: Index
    partners: Int[np.ndarray, "n"]
    distances: Float[np.ndarray, "n"]
    noise_floor: float
    random: float

    @property
    def alone(self) -> Int[np.ndarray, "m"]:
        """The rows of the second structure without a partner."""
        return np.setdiff1d(np.arange(self.second.rows or 0), self.partners)


def compare_structures(first: Structure, second: Structure, model: Model) -> Comparison:
    """Compare the surroundings of the residues that two structures share.

    Parameters
    ----------
    first, second
        Two structures, such as a wild type and a mutant, or two conformations.
    model
        The model that embeds the surroundings.

    Returns
    -------
    Comparison
        The distances in z, with the distance caused by noise and the distance of random residues.

    Raises
    ------
    HoloError
        If a structure has no residue to embed, or no residue of one corresponds to one of the other.

    Examples
    --------
    >>> from holo_features import datasets, read_structure
    >>> from holo_vae import load
    >>> structure = read_structure(datasets.example_structures()[0])
    >>> same = compare_structures(structure, structure, load("microenvironment-z128"))
    >>> float(same.distances.max()), 0 < same.noise_floor < same.random
    (0.0, True)
    """
    a, first_index = _embed(first, model)
    b, second_index = _embed(second, model)
    noisy, _ = _embed(_with_noise(first), model)
    partners = find_partners(first_index, second_index)
    found = partners != NO_PARTNER
    if not found.any():
        raise HoloError(
            f"{first.name} and {second.name}: no residue of one corresponds to one of the other, by numbers or sequence"
        )
    spread = np.concatenate([a, b]).std(axis=0)
    spread[spread == 0] = 1.0
    distances = np.full(len(a), np.nan)
    distances[found] = np.linalg.norm((a[found] - b[partners[found]]) / spread, axis=1)
    rng = np.random.default_rng(0)
    one, other = rng.integers(len(a), size=(2, _PAIRS))
    apart = np.linalg.norm((a[one] - a[other])[one != other] / spread, axis=1)
    return Comparison(
        first=first_index,
        second=second_index,
        partners=partners,
        distances=distances,
        noise_floor=float(np.median(np.linalg.norm((a - noisy) / spread, axis=1))),
        random=float(np.median(apart)),
    )


def _embed(structure: Structure, model: Model) -> tuple[Float[np.ndarray, "n d"], Index]:
    basis = model.config.basis
    if basis.radial is None:
        raise HoloError(
            f"model {model.name!r} takes images on a sphere; it must take surroundings of residues"
        )
    clouds = neighborhoods(structure, cutoff=basis.radial.cutoff, channels=basis.channels)
    if len(clouds) < 2:
        raise HoloError(f"{structure.name}: has {len(clouds)} residues to embed; it must have at least 2")
    z = model.encode(zernike_transform(clouds, basis)).invariants
    return z.astype(np.float64), clouds.index


def _with_noise(structure: Structure) -> Structure:
    moved = structure.atoms.copy()
    moved.coord = moved.coord + np.random.default_rng(0).normal(0, NOISE, moved.coord.shape).astype(
        np.float32
    )
    return attrs.evolve(structure, atoms=moved)
