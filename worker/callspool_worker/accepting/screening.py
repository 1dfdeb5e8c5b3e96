"""Documents that must not be called, sorted out of what is accepted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from callspool_ledger.guard import GuardQuestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from callspool_ledger.guard import Guard, Hit
    from callspool_ledger.writes import Delivery, Group


def screen_deliveries(guard: Guard, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
    """Asks the guard in one round trip; documents on a list get groups of their own.

    Raises `LedgerUnavailable`.
    """
    groups = [group for delivery in deliveries for group in delivery.groups if not group.reason]
    questions = [
        GuardQuestion(group.lane.account, group.lane.campaign, group.documents) for group in groups
    ]
    found = {
        id(group): clearance.hits
        for group, clearance in zip(groups, guard.screen_all(questions), strict=True)
        if clearance.hits
    }
    if not found:
        return deliveries
    return [
        replace(
            delivery,
            groups=[
                part for group in delivery.groups for part in _parts(group, found.get(id(group)))
            ],
        )
        for delivery in deliveries
    ]


def _parts(group: Group, hits: Sequence[Hit] | None) -> Iterator[Group]:
    """The documents that may be called, and those that a list is about, a group for each list."""
    if not hits:
        yield group
        return
    struck = {place for hit in hits for place in hit.places}
    kept = [place for place in range(len(group.documents)) if place not in struck]
    if kept:
        yield _some(group, kept)
    for hit in hits:
        part = _some(group, hit.places)
        yield replace(part, reason=hit.source.reason, suppressed=hit.kind)


def _some(group: Group, places: Iterable[int]) -> Group:
    """The documents at these places alone."""
    at = [*places]
    return replace(
        group,
        digests=[group.digests[place] for place in at],
        documents=[group.documents[place] for place in at],
        numbers=[group.numbers[place] for place in at] if group.numbers else [],
    )
