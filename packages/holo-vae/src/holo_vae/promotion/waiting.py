"""Registered models that wait for the promotion gate: of a run that has just ended, or whose store was away."""

import attrs

from holo_vae.tracking.store import Store

from .promotions import PromotionRefused, promote
from .registry_access import alias_version

__all__ = ["Outcome", "promote_waiting"]


@attrs.frozen
class Outcome:
    """What has become of a model that was registered for an alias.

    Parameters
    ----------
    name, version, alias
        What was registered, for which alias.
    promoted
        Whether the alias points at it.
    refusal
        Why not; empty if it does.
    """

    name: str
    version: str
    alias: str
    promoted: bool
    refusal: str


def promote_waiting(store: Store) -> tuple[Outcome, ...]:
    """Let what a run has registered for an alias pass the gate, where it has not been there.

    Parameters
    ----------
    store
        Of the run; it has all that the run's journal holds.

    Raises
    ------
    HoloError
        If the registry does not answer; what waits goes on waiting.
    """
    outcomes = []
    for entry in store.unjudged:
        assert entry.alias is not None
        version, refusal = store.sent.versions[entry.name], ""
        try:
            # It may have been promoted by a process that was killed before it could note that.
            if alias_version(entry.name, entry.alias, store=store.uri) != version:
                promote(entry.name, version, entry.alias, store=store.uri)
        except PromotionRefused as error:
            refusal = str(error)
        outcomes.append(Outcome(entry.name, version, entry.alias, not refusal, refusal))
        store.note_judged(entry.name)
    return tuple(outcomes)
