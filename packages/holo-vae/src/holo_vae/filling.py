"""Predictions of a residue's type from its surroundings alone (extra ``structures``)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray

from holo_types import Embeddings, HoloError
from holo_types.extras import extra

from .networks.model import Model
from .networks.storage import as_array, as_tensor

if TYPE_CHECKING:
    from holo_features import Centers, Structure

__all__ = ["FilledIn", "fill_in", "imprint"]

_COLUMN = "residue_name"


@attrs.frozen(eq=False)
class FilledIn:
    """Which residue types a model expects at each position, without having seen the residues.

    Parameters
    ----------
    surroundings
        z and frames of the surroundings without the residue's own atoms; the index names the residues that are there.
    backbones
        The same with the residue's backbone, but without its side chain: its N, C and O are present.
    residue_names
        The residue types that the model distinguishes.
    log_probabilities : Float[ndarray, "n types"]
        Natural logarithm of the probability of each type, given the surroundings without any of the residue's atoms.
    """

    surroundings: Embeddings
    backbones: Embeddings
    residue_names: tuple[str, ...]
    log_probabilities: Float[np.ndarray, "n types"]

    def take(self, rows: Int[np.ndarray, "rows"]) -> "FilledIn":
        """Return the residues of some rows."""
        return FilledIn(
            self.surroundings[rows], self.backbones[rows], self.residue_names, self.log_probabilities[rows]
        )

    def without_imprint(self, nats: float) -> "FilledIn":
        """Lower the odds of the residue in the structure, because its surroundings have adapted to it.

        Parameters
        ----------
        nats
            The amount by which its log-probability is lowered relative to the others, see `imprint`. Residues of types
            that the model does not know remain as they are.

        Returns
        -------
        FilledIn
            The same with adjusted log-probabilities; the probabilities of each row again sum to 1.
        """
        there = self.surroundings.index["residue_name"][:, None] == np.array(self.residue_names)
        lowered: NDArray[np.float64] = self.log_probabilities - nats * there
        sums = np.logaddexp.reduce(lowered, axis=1, keepdims=True)
        return attrs.evolve(self, log_probabilities=lowered - sums)

    def of(self, residue_names: Sequence[str]) -> Float[np.ndarray, "n"]:
        """Return the log-probability of one given type for each residue.

        Raises
        ------
        HoloError
            If the model does not know a type, or there is not exactly one type for each residue.
        """
        columns = {name: column for column, name in enumerate(self.residue_names)}
        unknown = sorted(set(residue_names) - set(columns))
        if unknown or len(residue_names) != len(self.log_probabilities):
            raise HoloError(
                f"there are {len(residue_names)} types for {len(self.log_probabilities)} residues, of which the model "
                f"does not know {', '.join(unknown) or 'none'}; each needs one of {', '.join(self.residue_names)}"
            )
        rows = np.arange(len(residue_names))
        chosen: NDArray[np.float64] = self.log_probabilities[rows, [columns[name] for name in residue_names]]
        return chosen


def fill_in(structure: "Structure", model: Model, sites: "Centers | None" = None) -> FilledIn:
    """Predict which residues fit the positions of a structure, given everything around them.

    The model's head on ``residue_name`` is applied to surroundings from which the residue's own atoms are left out. The
    difference of two log-probabilities at a position scores a mutation without using any measured stability.

    Parameters
    ----------
    structure
        As `holo_features.read_structure` returns it; all its atoms are part of the surroundings.
    model
        A model of structures, with a head on ``residue_name`` that was trained without the residue's own atoms
        (`ViewsConfig.without_own_atoms`).
    sites
        Positions from `holo_features.alpha_carbons` of the structure; by default all of them.

    Raises
    ------
    HoloError
        If holo-features is not installed (extra ``structures``), or the model is one of sphere images or has no such
        head.

    Examples
    --------
    >>> from holo_features import datasets, read_structure
    >>> from holo_types import Basis, Zernike
    >>> from holo_vae.networks.network import HolographicAutoencoder
    >>> from holo_vae.recipes.model import Condition, ModelConfig
    >>> config = ModelConfig(
    ...     basis=Basis(lmax=2, radial=Zernike(nmax=4, cutoff=8.0), channels=("C", "N", "O", "S")),
    ...     latent_dim=4,
    ...     lmax=(2, 1),
    ...     channels=(6, 6),
    ...     initial_projection=6,
    ...     heads=(Condition(column="residue_name", categories=("ALA", "GLY")),),
    ... )
    >>> model = Model(HolographicAutoencoder(config), name="untrained")
    >>> filled = fill_in(read_structure(datasets.example_structures()[0]), model)
    >>> filled.surroundings.invariants.shape, filled.log_probabilities.shape
    ((153, 4), (153, 2))
    >>> bool(np.allclose(np.exp(filled.log_probabilities).sum(axis=1), 1))
    True
    """
    with extra("holo-vae[structures]"):
        from holo_features import neighborhoods, without_own_atoms, zernike_transform  # noqa: PLC0415
    basis = model.config.basis
    columns = [head.column for head in model.config.heads]
    if basis.radial is None or _COLUMN not in columns:
        raise HoloError(
            f"model {model.name!r} has {'heads on ' + ', '.join(columns) if columns else 'no head'}; to predict "
            f"residues from their surroundings it must be one of structures with a head on {_COLUMN}"
        )
    number = columns.index(_COLUMN)
    clouds = neighborhoods(structure, basis.radial.cutoff, basis.channels, centers=sites, own_atoms=True)
    surroundings, backbones = (
        model.encode(zernike_transform(without_own_atoms(clouds, part), basis))
        for part in ("all", "side chain")
    )
    with torch.inference_mode():
        head = model.network.heads[number]
        scores = head(as_tensor(surroundings.invariants, model.network)).double()
        log_probabilities = as_array(torch.log_softmax(scores, dim=-1))
    names = tuple(str(name) for name in model.config.heads[number].categories)
    return FilledIn(surroundings, backbones, names, log_probabilities)


def imprint(ones: FilledIn, others: FilledIn) -> Float[np.ndarray, "n"]:
    """Measure on related proteins how much of a model's expectation is due to the residue in the structure.

    Surroundings close around the side chain that they hold, so a model that has not seen the side chain still finds
    its shape. Take two relatives that have different residues at one position, and otherwise similar surroundings.
    Without this effect, the log-odds of the two residues would be the same in both. The imprint is half of the amount
    by which they differ, each relative favoring its own residue. No measured stability enters.

    Parameters
    ----------
    ones, others
        Aligned residues of two proteins: row i of one corresponds to row i of the other.

    Returns
    -------
    Float[ndarray, "n"]
        The imprint in nats for each pair of different residues. A single pair says little: take the mean of many.

    Raises
    ------
    HoloError
        If the numbers of rows differ, or the model does not know a residue that occurs.

    Examples
    --------
    >>> from holo_types import ModelReference
    >>> def filled(name, odds):
    ...     model, index = ModelReference("a", "1", "0" * 64, "0" * 64), {"residue_name": [name]}
    ...     z = Embeddings(np.zeros((1, 2)), np.eye(3)[None], model, index)
    ...     return FilledIn(z, z, ("ALA", "LEU"), np.log([[1 - odds, odds]]))
    >>> imprint(filled("LEU", 0.9), filled("ALA", 0.5)).round(2).tolist()
    [1.1]
    """
    names = [each.surroundings.index["residue_name"] for each in (ones, others)]
    if len(names[0]) != len(names[1]):
        raise HoloError(f"imprint: {len(names[0])} residues and {len(names[1])}; each needs a partner")
    rows = np.flatnonzero(names[0] != names[1])
    one, other = ones.take(rows), others.take(rows)
    mine, theirs = (each[rows].tolist() for each in names)
    found: NDArray[np.float64] = (one.of(mine) - one.of(theirs) + other.of(theirs) - other.of(mine)) / 2
    return found
