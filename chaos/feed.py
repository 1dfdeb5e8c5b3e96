"""The feed against the ledger: each settled document and each call that ended is told. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from callspool_ledger.reads.feed import FeedEvent
    from chaos.contacts import Key
    from chaos.judging import Found

_SETTLED = frozenset({"created", "dead", "cancelled", "expired"})
_OF_CALLS = frozenset({"ended", "evaluated", "lost_sight"})


class FeedFigures(NamedTuple):
    """How many events there are by type, and what is wrong with them."""

    events: Counter[str]
    problems: list[str]


def judge_feed(
    found: Mapping[Key, Found | None], events: Iterable[FeedEvent], *, may_repeat: bool
) -> FeedFigures:
    """Compares. ``may_repeat``: Redis may have forgotten a step, which was then made again.

    The spaces of a run share no ids within a campaign, so an event names its document.
    """
    told: dict[tuple[str, str, str], list[FeedEvent]] = defaultdict(list)
    types: Counter[str] = Counter()
    for event in events:
        types[event.type] += 1
        told[event.account, event.campaign or "", event.document_id].append(event)
    wrong: Counter[str] = Counter()
    for key, status in found.items():
        scope = key.scope
        own = told.pop((scope.account, scope.campaign, key.document_id), [])
        if status is not None:
            wrong.update(_faults(status, own, may_repeat=may_repeat))
    if told:
        wrong["events of documents that were never enqueued"] = len(told)
    return FeedFigures(types, [f"feed: {what}: {n}" for what, n in wrong.items()])


def _faults(status: Found, own: list[FeedEvent], *, may_repeat: bool) -> Iterable[str]:
    settled = [event.type for event in own if event.type in _SETTLED]
    of_calls = [event for event in own if event.type in _OF_CALLS]
    if status.state in _SETTLED and settled[-1:] != [status.state]:
        yield f"documents that are {status.state} and not told so last"
    # An answer that was another request's is taken back, and told as held.
    taken_back = sum(event.type == "held" for event in own)
    if not may_repeat and settled.count("created") > 1 + taken_back:
        yield "documents created twice"
    if status.outcome not in {None, "open"}:
        if not of_calls:
            yield "calls that ended without an event"
        elif of_calls[-1].outcome != status.outcome:
            yield "calls with another outcome than told last"
    if of_calls and "created" not in [event.type for event in own[: own.index(of_calls[0])]]:
        yield "events of calls before their creation"
    if not may_repeat and len({event.id for event in own}) != len(own):
        yield "ids that come twice"
