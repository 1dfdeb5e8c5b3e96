"""What one process knows of one account's permits, and what an answer says of its load: pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from callspool_ledger.writes.account_calls import Ask, News
from callspool_worker.decisions.answers import Answered, NoAnswer, code_of

if TYPE_CHECKING:
    from callspool_ledger.writes.account_calls import Change, Grant
    from callspool_worker.decisions.answers import Answer, Quota


LONGEST_REST = 600.0
"""Seconds of rest that an API may ask for; after that a single request tries it all the same."""

_TOO_MANY = frozenset({429, 503, 504})
_MAY_ASK_FOR_REST = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Feedback:
    """``carried_out``: it was, so how long it took counts. ``too_many``: it was refused, or not
    answered, as an API does that has too much to do. ``throttled``: in the API's own word for it.
    ``rest``: seconds for which it asks, None if it does not. ``quota``: what it takes yet.
    """

    carried_out: bool = False
    too_many: bool = False
    throttled: bool = False
    rest: float | None = None
    quota: Quota | None = None


def feedback(answer: Answer) -> Feedback:
    """Returns what an answer to a create-call says of the load."""
    match answer:
        case Answered():
            code = code_of(answer)
            asks = code in _MAY_ASK_FOR_REST and answer.retry_after is not None
            return Feedback(
                carried_out=200 <= code < 300,
                too_many=code in _TOO_MANY,
                throttled=code == 429,
                rest=min(answer.retry_after or 0.0, LONGEST_REST) if asks else None,
                quota=answer.quota if code != 429 else None,
            )
        case NoAnswer():
            return Feedback(too_many=answer.kind == "timeout")
        case _:
            return Feedback()


FRESH = 2.5
"""Seconds for which permits are good without having been asked for again."""

OFTEN, SELDOM = 0.025, 0.1
"""Seconds between two asks while something waits for a permit, and while requests are sent."""

IDLE = 0.25
"""Seconds after which unused permits are given back."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds of rest when the API refuses again and again and does not say for how long."""


@dataclass(slots=True)
class AccountPermits:
    """``told``: requests in flight that the ask on its way tells of; None where none is. ``hope``:
    loops that may find something to send, besides those at work. ``begin``: requests that may be
    begun, where these are counted; None where only permits are. ``rate``: whether the settings
    limit requests a second.
    """

    name: str
    rate: bool = False
    permits: int = 0
    busy: int = 0
    told: int | None = None
    peak: int = 0
    hope: int = 0
    begin: int | None = None
    cuts: int = 0
    limit: int = 0
    news: News = field(default_factory=News)
    change: Change | None = None
    seconds: float = 0.0
    asked_at: float = -math.inf
    asks_again_at: float = 0.0
    rests_until: float = -math.inf
    used_at: float = -math.inf
    refusals: int = 0
    refused_at: float = -math.inf
    is_urgent: bool = False
    wished: int = 0
    pause: float = OFTEN

    def may_begin(self, now: float) -> bool:
        """Whether another request may be sent."""
        if self.is_urgent or now - self.asked_at > FRESH or now < self.rests_until:
            return False
        # What an ask does not tell of, its answer may have given to others.
        most = self.permits if self.told is None else min(self.permits, self.told)
        return self.busy < most and self.begin != 0

    def expects(self, now: float, most: int) -> None:
        """Takes note that something may be ready on which no thread of this process works."""
        self.hope = min(self.hope + 1, most)
        if not self.may_begin(now):
            self.asks_again_at = min(self.asks_again_at, max(now, self.asked_at + OFTEN))

    def take(self) -> None:
        """Takes note that one permit is in use from now on."""
        self.busy += 1
        self.peak = max(self.peak, self.busy)
        if self.begin is not None:
            self.begin -= 1

    def give_back(self) -> None:
        """Takes note that a permit was not needed: nothing was sent."""
        self.busy -= 1
        if self.begin is not None:
            self.begin += 1

    def note_end(self, told: Feedback, begun: float, cuts: int, now: float) -> float:
        """Takes note of the end of a request; returns the seconds that its account rests.

        ``cuts``: those that were known when it began.
        """
        self.busy -= 1
        self.used_at = now
        if told.carried_out:
            self.refusals = 0
            self.news.n += 1
            self.news.ms += (now - begun) * 1000
        if told.quota is not None:
            self.news.left, self.news.reset = told.quota.left, _ms(told.quota.seconds)
        if told.too_many and cuts == self.cuts:
            self.news.refused += 1
            self.is_urgent = True
        rest = self._rest(told, begun, now)
        if rest:
            self.is_urgent = True
            self.rests_until = max(self.rests_until, now + rest)
            self.news.rest = max(self.news.rest, _ms(rest))
        return rest

    def _rest(self, told: Feedback, begun: float, now: float) -> float:
        if told.throttled and begun > self.refused_at:
            self.refusals += 1
            self.refused_at = now
        if told.rest is not None:
            return told.rest
        if not told.throttled or self.refusals < 2:
            return 0.0
        return min(FIRST_PAUSE * 2.0 ** min(self.refusals - 2, 10), LONGEST_PAUSE)

    def ask(self, holder: str, room: int, now: float) -> Ask:
        """Returns what to ask for, if ``room`` more requests could be in flight in this process."""
        news, change = self.news, self.change
        unused, self.begin = self.begin or 0, None if self.begin is None else 0
        wanted = self.busy + min(self.hope, room)
        if self.permits > self.busy and now - self.used_at < IDLE:
            wanted = max(wanted, min(self.permits, self.peak))
        peak, self.peak = self.peak, self.busy
        self.news, self.change = News(cuts=self.cuts), None
        self.is_urgent, self.wished, self.told = False, wanted, self.busy
        told = news if news != News(cuts=news.cuts) else None
        return Ask(holder, self.busy, max(peak, self.busy), wanted, unused, told, change)

    def was_not_heard(self, ask: Ask) -> None:
        """Takes note that an ask did not reach Redis: what it reported is reported again."""
        old, new = ask.news, self.news
        if old is not None:
            new.n, new.ms, new.rest = new.n + old.n, new.ms + old.ms, max(new.rest, old.rest)
            new.refused += old.refused if old.cuts == new.cuts else 0
        self.permits, self.told = 0, None

    def got(self, grant: Grant, now: float) -> None:
        """Takes in the answer to an ask."""
        is_more = grant.permits > self.permits
        self.permits, self.limit, self.asked_at, self.told = grant.permits, grant.limit, now, None
        self.begin = grant.begin if grant.begin >= 0 else None
        if grant.cuts != self.cuts:
            self.cuts = grant.cuts
            self.news.refused, self.news.cuts = 0, grant.cuts
        wait = grant.wait / 1000
        if not wait and not self.news.rest and not self.is_urgent:
            self.rests_until = min(self.rests_until, now)  # an operator may have ended the rest
        if wait and self.begin is None:
            self.rests_until = max(self.rests_until, now + wait)
        self.pause = min(SELDOM, self.pause * 2)
        if is_more or self.wished <= grant.permits:
            self.pause = OFTEN if is_more else SELDOM
        self.asks_again_at = now + max(self.pause, min(wait, FRESH / 2))

    def is_due(self, now: float) -> bool:
        """Whether it is time to ask."""
        return now >= self.due_at()

    def due_at(self) -> float:
        """Returns when to ask; never, while nothing is in use, hoped for or to be given back."""
        if self.is_urgent or self.change is not None:
            return -math.inf
        if self.busy or self.permits or self.hope or self.news.n:
            return self.asks_again_at
        return math.inf


def _ms(seconds: float) -> int:
    return math.ceil(seconds * 1000)
