"""What follows from an endpoint's answer: go on, rest, look for the event that it refuses. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from callspool_ledger.webhooks import EndpointState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callspool_worker.api.endpoint import PostAnswer

MOST_EVENTS = 50
MOST_BYTES = 15_000
"""Events of one POST, and bytes of its body, at most."""

TRIES_ALONE = 5
"""How often an endpoint refuses an event that is sent alone, until that is set aside."""

BROKEN = 3
"""Events set aside in a row after which the endpoint counts as broken, and its tries lie apart."""

GONE = 410
_REFUSALS = frozenset({400, 413, 422})
_LONGEST_WAIT = 3600.0
"""Seconds that an endpoint may ask for; later it is probed all the same."""


class OutgoingEvent(NamedTuple):
    """An event on its way: as JSON, and the feed's cursor behind it."""

    id: str
    body: bytes
    cursor: str


class DeliveryStep(NamedTuple):
    """What to record: the new state, the outcome of the POST, how many events the endpoint took,
    and the event that is set aside, if one is.
    """

    state: EndpointState
    outcome: str
    events: int = 0
    aside: OutgoingEvent | None = None


def digest_url(url: str) -> str:
    """Returns what the ledger keeps of a URL, which may hold a secret."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def is_off(state: EndpointState, url: str) -> bool:
    """Whether the endpoint said that it is gone; at another URL it is a new one."""
    return bool(state.off) and state.off == digest_url(url)


def begin_anew(state: EndpointState) -> EndpointState:
    """Returns the state of an endpoint that works again, at the same position."""
    return EndpointState(cursor=state.cursor, delivered_at=state.delivered_at)


def count_events(state: EndpointState) -> int:
    """Returns how many events the next POST holds at most: half of those under suspicion."""
    return max(1, state.suspects // 2) if state.suspects else MOST_EVENTS


def fill_post(events: Sequence[OutgoingEvent], most: int, envelope: int) -> list[OutgoingEvent]:
    """Returns the first events that fit into a POST with an ``envelope`` of bytes; one at least."""
    size, chosen = envelope, list[OutgoingEvent]()
    for event in events[:most]:
        size += len(event.body) + 1
        if chosen and size > MOST_BYTES:
            break
        chosen.append(event)
    return chosen


def judge_answer(
    state: EndpointState,
    sent: Sequence[OutgoingEvent],
    answer: PostAnswer,
    now_ms: int,
    url: str,
    wait: Callable[[int, float | None], float],
) -> DeliveryStep:
    """Returns what follows from an answer to a POST of these events.

    ``wait``: returns seconds until the next try, from the number of tries and a ``Retry-After``.
    """
    if 200 <= answer.status < 300:
        taken = EndpointState(
            cursor=sent[-1].cursor,
            delivered_at=now_ms,
            suspects=max(0, state.suspects - len(sent)),
        )
        return DeliveryStep(taken, "delivered", len(sent))
    why = _describe(answer)
    if answer.status == GONE:
        why += "; it is switched off"
        off = msgspec.structs.replace(state, off=digest_url(url), why=why, resting_since=now_ms)
        return DeliveryStep(off, "gone")
    if answer.status in _REFUSALS:
        return _judge_refusal(state, sent, why, now_ms, wait)
    asked = answer.retry_after if answer.retry_after is None else _limit_wait(answer.retry_after)
    rest = msgspec.structs.replace(
        state,
        failures=state.failures + 1,
        rest_until=now_ms + round(1000 * wait(state.failures + 1, asked)),
        resting_since=state.resting_since or now_ms,
        why=why,
    )
    return DeliveryStep(rest, "failed")


def _judge_refusal(
    state: EndpointState,
    sent: Sequence[OutgoingEvent],
    why: str,
    now_ms: int,
    wait: Callable[[int, float | None], float],
) -> DeliveryStep:
    """An event among them is refused: it is sought by halving, and set aside once it is alone."""
    is_broken = state.asides >= BROKEN
    since_ms = (state.resting_since or now_ms) if is_broken else 0
    if len(sent) > 1:
        halved = msgspec.structs.replace(
            state, suspects=len(sent), failures=0, resting_since=since_ms, why=why
        )
        return DeliveryStep(halved, "refused")
    (event,) = sent
    refusals = state.refusals + 1 if state.lone == event.id else 1
    if refusals >= TRIES_ALONE:
        passed = EndpointState(
            cursor=event.cursor,
            suspects=max(0, state.suspects - 1),
            asides=state.asides + 1,
            resting_since=since_ms,
            why=why,
            delivered_at=state.delivered_at,
        )
        return DeliveryStep(passed, "refused", 0, event)
    pause = wait(refusals + 3 * state.asides, None)
    again = msgspec.structs.replace(
        state,
        suspects=1,
        lone=event.id,
        refusals=refusals,
        failures=0,
        rest_until=now_ms + round(1000 * pause),
        resting_since=since_ms,
        why=why,
    )
    return DeliveryStep(again, "refused")


def _limit_wait(seconds: float) -> float:
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def _describe(answer: PostAnswer) -> str:
    if answer.fault:
        return answer.fault
    if 300 <= answer.status < 400:
        return f"it answers {answer.status}, a redirect: give the address that it leads to as url"
    return f"it answers {answer.status}"
