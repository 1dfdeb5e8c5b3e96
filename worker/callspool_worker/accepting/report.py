"""What is told of messages that the ledger has accepted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from callspool_worker import events
from callspool_worker.events.emitter import account_shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from callspool_ledger.writes import Accepted, Delivery
    from callspool_worker.events import Event

BATCHES_TOLD = 50
"""Batches that an event of acceptance names, at most."""


@dataclass(slots=True)
class _AcceptanceCounts:
    """What messages held for one account."""

    ids: list[str] = field(default_factory=list)
    documents: int = 0
    duplicate: int = 0
    conflict: int = 0
    invalid: int = 0
    dead: int = 0
    batches: dict[int, None] = field(default_factory=dict)


def acceptance_events(found: Iterable[tuple[Delivery, Accepted]]) -> Iterator[Event]:
    """What became of messages that were accepted together, an event for each account.

    One with a trace, or with something to warn of, is told by itself; none that was known before.
    """
    shared: dict[str, _AcceptanceCounts] = {}
    for delivery, accepted in found:
        if accepted.known:
            continue
        alone = delivery.trace or delivery.refusals or any(each.reason for each in delivery.groups)
        tallies = {} if alone else shared
        _add(tallies, delivery, accepted)
        if alone:
            yield from _events(tallies, delivery.trace)
    yield from _events(shared)


def _add(tallies: dict[str, _AcceptanceCounts], delivery: Delivery, accepted: Accepted) -> None:
    entry_id = delivery.entry_id
    for group, (new, known, other) in zip(delivery.groups, accepted.by_group, strict=True):
        tally = _of(tallies, group.lane.account, entry_id)
        tally.documents += new
        tally.duplicate += known
        tally.conflict += other
        if group.reason:
            tally.dead += new
    for refusal in delivery.refusals:
        _of(tallies, refusal.account, entry_id).invalid += 1
    for tally in tallies.values():
        if tally.ids[-1] == entry_id:
            tally.batches.update(dict.fromkeys(accepted.batches))


def _of(tallies: dict[str, _AcceptanceCounts], account: str, entry_id: str) -> _AcceptanceCounts:
    """The account's tally, which counts this message now."""
    tally = tallies.get(account)
    if tally is None:
        tally = tallies[account] = _AcceptanceCounts()
    if not tally.ids or tally.ids[-1] != entry_id:
        tally.ids.append(entry_id)
    return tally


def _events(tallies: dict[str, _AcceptanceCounts], trace: str = "") -> Iterator[Event]:
    for account, tally in tallies.items():
        yield events.MessageAccepted(
            message_id=tally.ids[0],
            message_ids=tuple(tally.ids) if len(tally.ids) > 1 else (),
            account=account_shown(account),
            documents=tally.documents,
            duplicate=tally.duplicate,
            conflict=tally.conflict,
            invalid=tally.invalid,
            dead=tally.dead,
            batches=tuple(tally.batches)[:BATCHES_TOLD],
            trace=trace,
        )
