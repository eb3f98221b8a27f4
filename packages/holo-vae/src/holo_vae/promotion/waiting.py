"""Registered models that wait for the promotion gate, after a run has ended or its store was unavailable."""

import attrs

from holo_vae.tracking.store import Store

from .promotions import PromotionRefused, promote
from .registry_access import alias_version

__all__ = ["Outcome", "promote_waiting"]


@attrs.frozen
class Outcome:
    """The result of a promotion that was requested at registration.

    Parameters
    ----------
    name, version, alias
        The registered model and version, and the alias that was requested.
    promoted
        Whether the alias points at the version now.
    refusal
        The reason if it does not; otherwise empty.
    """

    name: str
    version: str
    alias: str
    promoted: bool
    refusal: str


def promote_waiting(store: Store) -> tuple[Outcome, ...]:
    """Submit the models that a run has registered for an alias to the gate, unless that was done before.

    Parameters
    ----------
    store
        The store of the run, with everything that the run's journal holds.

    Raises
    ------
    HoloError
        If the registry does not answer; the models then remain waiting.
    """
    outcomes = []
    for entry in store.unjudged:
        assert entry.alias is not None
        version, refusal = store.sent.versions[entry.name], ""
        try:
            # The model may have been promoted by a process that was killed before it could record that.
            if alias_version(entry.name, entry.alias, store=store.uri) != version:
                promote(entry.name, version, entry.alias, store=store.uri)
        except PromotionRefused as error:
            refusal = str(error)
        outcomes.append(Outcome(entry.name, version, entry.alias, not refusal, refusal))
        store.note_judged(entry.name)
    return tuple(outcomes)
