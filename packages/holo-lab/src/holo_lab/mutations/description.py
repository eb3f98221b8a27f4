"""The features of mutations of one structure, as a predictor takes them."""

from collections.abc import Sequence

import attrs
import numpy as np

from holo_downstream import Columns, Substitutions
from holo_features import (
    FoundSites,
    Mutation,
    Structure,
    find_sites,
    placed_numbers,
    residue_name_of,
    site_numbers,
)
from holo_features.mutations.amino_acids import PROPERTIES, properties
from holo_vae import Model, fill_in

__all__ = ["Described", "describe_mutations", "joined"]

_SCORE = "log-probability without imprint"
# The bias of microenvironment-fill-z128 toward the residue that is present, in nats: the mean over relatives that
# differ at a position, measured by docs/results/imprint.py without any value of stability.
_IMPRINT = 1.43


@attrs.frozen(eq=False)
class Described:
    """The mutations of one structure that can be made, and their features.

    Parameters
    ----------
    found
        These mutations, and what is wrong with the others.
    exchanges
        The features, with a row for each mutation that was found, or None if there are none.
    """

    found: FoundSites
    exchanges: Substitutions | None


def describe_mutations(structure: Structure, mutations: Sequence[Mutation], model: Model | None) -> Described:
    """Compute the features of mutations of a structure.

    Parameters
    ----------
    structure
        The structure, as returned by `holo_features.read_structure`.
    mutations
        The mutations; those that cannot be made are reported in the result.
    model
        A model that predicts the type of a residue from its surroundings, see `holo_vae.fill_in`. The log-probability
        of an amino acid, minus the imprint of the one that is present, becomes a feature of it at the site, and z
        without the residue's own atoms becomes the block ``z`` of the sites, which the default settings do not use.

    Raises
    ------
    HoloError
        If the model does not take structures, or has no head on ``residue_name``.
    """
    found = find_sites(structure, mutations)
    if not found.mutations:
        return Described(found, None)
    # A scan contains each residue nineteen times, but it is described only once.
    _, first, rows = np.unique(found.sites.atoms, return_index=True, return_inverse=True)
    once = found.sites[first]
    numbers = site_numbers(structure, once)
    blocks = {
        name: Columns(part.names, part.values) for name, part in attrs.asdict(numbers, recurse=False).items()
    }
    wild_types, mutants = (
        [residue_name_of(letter) for letter in letters]
        for letters in (
            [mutation.wild_type or "" for mutation in found.mutations],
            [mutation.mutant for mutation in found.mutations],
        )
    )
    sites = numbers.take(rows)
    before, after = (placed_numbers(sites, names) for names in (wild_types, mutants))
    names, changes = after.names, after.values - before.values
    if model is not None:
        filled = fill_in(structure, model, once).without_imprint(_IMPRINT)
        z = filled.surroundings.invariants.astype(np.float64)
        blocks["z"] = Columns(tuple(f"z {number}" for number in range(z.shape[1])), z)
        scores = [filled.take(rows).of(residue_names) for residue_names in (wild_types, mutants)]
        names, changes = (*names, _SCORE), np.column_stack([changes, scores[1] - scores[0]])
    exchanges = Substitutions(
        {name: block.take(rows) for name, block in blocks.items()},
        Columns(PROPERTIES, properties(wild_types)),
        Columns(PROPERTIES, properties(mutants)),
        Columns(names, changes),
    )
    return Described(found, exchanges)


def joined(parts: Sequence[Substitutions]) -> Substitutions:
    """Concatenate the substitutions of several structures."""

    def join(columns: Sequence[Columns]) -> Columns:
        return Columns(columns[0].names, np.concatenate([each.values for each in columns]))

    return Substitutions(
        {name: join([part.sites[name] for part in parts]) for name in parts[0].sites},
        join([part.wild_types for part in parts]),
        join([part.mutants for part in parts]),
        join([part.changes for part in parts]),
    )
