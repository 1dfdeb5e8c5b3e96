"""What follows from what was found of an attempt: a pure function, and a value for each case."""

from __future__ import annotations

import math
from dataclasses import dataclass

from callspool_worker.decisions.decide import AttemptView, Bury, Isolate, after_missing
from callspool_worker.proving.matching import SHORT

SHORTEST_PAUSE = 0.2
LONGEST_PAUSE = 30.0
"""Seconds between two looks at a space that can be read."""

SOON = 1.0
"""Seconds until the next look where it will show more."""

RESENT_AFTER = 600.0
"""Seconds without a readable answer after which the policy `resend` sends again without proof."""

TOO_SLOW = "reading its space back takes longer than a look may be old"

MISSING = "sent, and missing at the API again and again"


@dataclass(frozen=True, slots=True)
class Standing:
    """How an attempt in doubt stands after a look. Times in seconds of Redis' clock.

    ``left``: documents that were not found. ``blocked``: why nothing may be concluded, or "";
    ``may_heal``: that is a run which can be read soon. ``waits``: why nothing may be concluded even
    after the quiet. ``changed``: since when looks find the same; ``quiet``: for how long they have
    to. ``since``: when the doubt began. ``began`` and ``took``: the look, of which nothing may be
    said after ``good_for``. ``tries`` are used up of ``max_attempts``. ``resend_unproven``: what
    cannot be proven is sent again. ``refused``: why the API refused what was sent, of which nothing
    was found, or "".
    """

    left: int
    tries: int
    max_attempts: int
    changed: float
    since: float
    quiet: float
    began: float
    took: float
    good_for: float
    blocked: str = ""
    may_heal: bool = False
    waits: str = ""
    resend_unproven: bool = False
    refused: str = ""

    @property
    def now(self) -> float:
        return self.began + self.took


@dataclass(frozen=True, slots=True)
class Over:
    """Nothing of it is in doubt any more."""


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Nothing can be said before another look, in so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hold:
    """It stays in doubt, with the reason, and is looked at again in so many seconds."""

    why: str
    seconds: float = LONGEST_PAUSE


@dataclass(frozen=True, slots=True)
class SendAgain:
    """Its documents wait again, in batches of at most ``size``; after a backoff if it ``rests``.

    ``proven``: they are missing; else a person may be called twice. ``costs_try``: not where the
    API refused them.
    """

    size: int
    rests: bool
    proven: bool
    costs_try: bool = True


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Its documents are dead: missing, and their tries are used up, or the API ``refused`` it."""

    why: str
    refused: bool = False


Conclusion = Over | LookAgain | Hold | SendAgain | GiveUp


def conclude(standing: Standing) -> Conclusion:
    """Returns what becomes of an attempt's documents that a look did not find."""
    if not standing.left:
        return Over()
    if standing.blocked:
        return LookAgain(LONGEST_PAUSE) if standing.may_heal else decide_unproven(standing)
    quiet_till = standing.changed + standing.quiet
    if standing.began < quiet_till:
        pause = _pause_until(standing, quiet_till)
        is_late = standing.began >= standing.since + standing.quiet
        # However quiet it gets, that would not be missing: the reason is told at once.
        return Hold(SHORT, pause) if standing.waits == SHORT and is_late else LookAgain(pause)
    if standing.waits:
        unproven = decide_unproven(standing)
        return unproven if isinstance(unproven, SendAgain) else Hold(standing.waits)
    if standing.took > standing.good_for:
        return Hold(TOO_SLOW, SOON)
    return _again(standing)


def decide_unproven(standing: Standing) -> Conclusion:
    """Returns the policy `resend`, once the quiet period is over: a person may be called twice.

    It ends with the budget of tries: then they are held, since they may well be created.
    """
    if not standing.resend_unproven:
        return LookAgain(LONGEST_PAUSE)
    quiet_till = standing.since + standing.quiet
    if standing.now < quiet_till:
        return LookAgain(_pause_until(standing, quiet_till))
    if standing.tries >= standing.max_attempts:
        return Hold(f"sent {standing.tries} times, and never proven")
    return SendAgain(standing.left, rests=True, proven=False)


def _again(standing: Standing) -> Conclusion:
    if standing.refused:
        # Nothing was created, so the refusal means what it says, as if nobody had doubted it.
        if standing.left == 1:
            return GiveUp(standing.refused, refused=True)
        return SendAgain(math.ceil(standing.left / 2), rests=False, proven=True, costs_try=False)
    view = AttemptView(standing.left, standing.tries - 1, standing.max_attempts)
    decision = after_missing(view, "no_answer", MISSING)
    if isinstance(decision, Bury):
        return GiveUp(MISSING)
    if isinstance(decision, Isolate):
        return SendAgain(math.ceil(standing.left / 2), rests=False, proven=True)
    return SendAgain(standing.left, rests=True, proven=True)


def _pause_until(standing: Standing, moment: float) -> float:
    """Looks soon after a doubt began, then ever less often, and when the quiet is over."""
    left = max(0.0, moment - standing.now)
    age = standing.now - standing.since
    return min(left + SHORTEST_PAUSE, max(SOON, age), LONGEST_PAUSE)
