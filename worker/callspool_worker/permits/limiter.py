"""How many requests an account may have in flight: found by trying, pure.

Additive increase, multiplicative decrease, after vector's adaptive request concurrency: one more
whenever all were used and answers came no slower than before; a tenth fewer when the API refuses
or its answers become slower. Three things are added. The first steps are larger, as long as nothing
was refused. A limit at which the API refused is not tried again for a while, and ever more seldom:
each try costs a refusal, and often a rest that the API demands. And nothing is raised while answers
take half as long again as at their best, so that a queue at the API does not pass for progress.

From time to time a trial compares two limits (`trials`). Where the lower one carries as much, it is
kept, and a higher one is tried again ever more seldom: the knee of the API.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from callspool_worker.permits.trials import Sample, Trial

INITIAL = 4
"""Requests in flight that an account begins with, over all workers."""

MOST = 1000
"""Requests in flight that are never exceeded by trying."""

DOUBLED_UNTIL = 16
"""Up to here the first steps double the limit; beyond it they add a quarter."""

DECREASE = 0.9
WEIGHT = 0.4
"""Weight of the last window in the means of past ones."""

DEVIATIONS = 2.5
SLACK = 0.02
"""Seconds, and `SLACK_SHARE` of the mean, by which answers may always be slower: noise."""
SLACK_SHARE = 0.25

ENOUGH = 8
"""Answers, or twice the limit, from which on their mean says something."""

FULL = 0.9
"""The share of the limit that has to be in use before it is changed for response times."""

CROWDED = 1.5
"""Times the best response time from which on nothing is raised."""

BETTER, FORGETTING = 0.2, 1.0005
"""How fast the best response time follows better ones; by how much it grows in each window."""

FIRST_HOLD, LONGEST_HOLD = 10.0, 600.0
"""Seconds that a limit which was refused is not tried again: the first time, and at most."""

HOLD_A_REST = 60.0
"""The same for each second of rest that the refusal cost."""

STRAYS = 2
"""Refusals below what had been carried out, from which on they say nothing of how many may be."""

GRACE = 0.05
"""Seconds to wait after a refusal for the next of the same crowd; nothing begins meanwhile."""

FIRST_TRIAL, LONGEST_TRIAL = 30.0, 600.0
"""Seconds until a lower limit is tried again that was not worth it: the first time, and at most."""

SHORTEST_WINDOW, LONGEST_WINDOW = 0.1, 10.0
"""Seconds between two changes of the limit; between them, the mean response time."""


@dataclass(frozen=True, slots=True)
class LimitState:
    """What is known of an account's API.

    ``mean`` and ``deviation`` of the response time and its ``best``, in seconds (0: unknown).
    ``searching``: nothing was ever refused. ``ceiling``: a limit at which the API refused, 0 for
    none; it is kept below until ``held_until`` (seconds of the clock that `adjust` is given), for
    ``hold`` seconds. ``in_vain``: changes in a row since anything was carried out. ``strays``:
    refusals in a row, of a few, below what had been carried out. ``trial``: the comparison that is
    going on. ``knee``: the ceiling is where more requests only wait, and nothing was refused there.
    ``next_trial`` (seconds): a lower limit is not tried before; ``pause``: seconds between trials.
    """

    limit: int = INITIAL
    mean: float = 0.0
    variance: float = 0.0
    best: float = 0.0
    searching: bool = True
    ceiling: int = 0
    hold: float = 0.0
    held_until: float = 0.0
    in_vain: int = 0
    strays: int = 0
    trial: Trial | None = None
    knee: bool = False
    next_trial: float = 0.0
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Window:
    """What came of the requests since the last change.

    ``answered``: how many were carried out, in ``seconds`` on average. ``refused``: how many of
    those begun since the last decrease were refused for being too many. ``in_flight``: how many
    were at the same time, at most. ``rest``: seconds that the API wants nothing.
    """

    answered: int = 0
    seconds: float = 0.0
    refused: int = 0
    in_flight: int = 0
    rest: float = 0.0


def adjust(standing: LimitState, window: Window, now: float, most: int = MOST) -> LimitState:
    """Returns the standing after a window; the same one if the window says too little yet.

    ``now`` in seconds, ``most`` requests in flight at most.
    """
    if window.refused:
        return _lower(standing, window, now)
    if window.answered < min(ENOUGH, 2 * standing.limit):
        return standing
    is_full = window.in_flight >= FULL * standing.limit
    is_slower = _is_slower(standing, window.seconds)
    after = _measure(standing, window.seconds)
    if after.trial is not None:
        return _go_on(after, after.trial, window, now, is_full=is_full)
    return _change_limit(after, now, most, is_slower=is_slower) if is_full else after


def _change_limit(after: LimitState, now: float, most: int, *, is_slower: bool) -> LimitState:
    """What the response times of a full account ask for."""
    is_crowded = after.mean > CROWDED * after.best + SLACK
    if is_slower and is_crowded:
        fewer = max(_less(after.limit), min(after.limit, INITIAL))
        return replace(after, limit=fewer, searching=False)
    raised = after if is_slower or is_crowded else _raise_limit(after, now, most)
    is_stuck = raised is after and (is_crowded or not after.searching)
    if is_stuck and after.limit > 1 and now >= after.next_trial:
        return replace(after, searching=False, trial=Trial(Sample(after.limit), upwards=False))
    return raised


def pause(standing: LimitState) -> float:
    """Returns the seconds until the next change of the limit, if nothing is refused before."""
    return min(max(standing.mean, SHORTEST_WINDOW), LONGEST_WINDOW)


def _go_on(
    standing: LimitState, trial: Trial, window: Window, now: float, *, is_full: bool
) -> LimitState:
    """The next step of a trial."""
    if not is_full:
        return _end_trial(standing, trial, now)  # its response times are no longer the limit's
    trial = trial.add(window.answered, window.seconds)
    if trial.other is None:
        return _compare(standing, trial) if trial.has_base else replace(standing, trial=trial)
    match trial.verdict():
        case None:
            return replace(standing, trial=trial)
        case "queues" if not trial.upwards:
            lower = Trial(trial.other, upwards=False, has_lowered=True)
            is_over = lower.base.limit == 1
            return _end_trial(standing, lower, now) if is_over else _compare(standing, lower)
        case "carries" | "unclear" if trial.upwards:
            free = replace(standing, ceiling=0, hold=0.0, knee=False, pause=0.0, trial=None)
            return replace(free, next_trial=now + FIRST_TRIAL)
        case _:
            return _end_trial(standing, trial, now)


def _compare(standing: LimitState, trial: Trial) -> LimitState:
    other = Sample(trial.next_limit)
    return replace(standing, limit=other.limit, trial=replace(trial, other=other))


def _end_trial(standing: LimitState, trial: Trial, now: float) -> LimitState:
    """Goes back to the last limit that was worth it; what lies above a knee is left alone."""
    back = replace(standing, limit=trial.base.limit, trial=None)
    if trial.upwards or trial.has_lowered:
        hold = min(max(FIRST_TRIAL, 2 * standing.hold), LONGEST_HOLD)
        back = replace(back, ceiling=back.limit + 1, hold=hold, held_until=now + hold, knee=True)
        return replace(back, next_trial=now + hold)
    wait = min(max(FIRST_TRIAL, 2 * standing.pause), LONGEST_TRIAL)
    return replace(back, next_trial=now + wait, pause=wait)


def _lower(standing: LimitState, window: Window, now: float) -> LimitState:
    too_many = min(standing.limit, window.in_flight or standing.limit)
    carried = max(too_many - window.refused, too_many // 2)
    in_vain = 0 if window.answered else standing.in_vain + 1
    limit = max(1, min(_less(too_many), carried))
    fewer = replace(standing, limit=limit, searching=False, in_vain=in_vain, trial=None)
    if in_vain > 1:
        return fewer  # it refuses whatever comes: that says nothing of how many would be too many
    strays = _strays(standing, window, too_many, now)
    if strays > STRAYS:
        # It refuses some whatever their number: then additive increase finds what is worth it.
        return replace(fewer, strays=strays, ceiling=0, hold=0.0, held_until=now + FIRST_HOLD)
    was_tried_again = 0 < standing.ceiling <= too_many and now >= standing.held_until
    hold = max(FIRST_HOLD, window.rest * HOLD_A_REST, standing.hold * 2 * was_tried_again)
    hold = min(hold, LONGEST_HOLD)
    ceiling = max(carried, limit) + 1
    fewer = replace(fewer, ceiling=ceiling, hold=hold, held_until=now + hold, strays=strays)
    return replace(fewer, knee=False, next_trial=max(fewer.next_trial, now + FIRST_TRIAL))


def _strays(standing: LimitState, window: Window, too_many: int, now: float) -> int:
    if now >= standing.held_until or window.refused > max(1, too_many // 10):
        return 0
    is_below = too_many < standing.ceiling or standing.strays > STRAYS
    return standing.strays + is_below


def _raise_limit(standing: LimitState, now: float, most: int) -> LimitState:
    limit = standing.limit
    if limit >= most:
        return standing
    if standing.searching:
        step = limit if limit < DOUBLED_UNTIL else limit // 4
        return replace(standing, limit=min(limit + step, most))
    if limit + 1 >= standing.ceiling > 0 and now < standing.held_until:
        return standing
    if standing.knee and limit + 1 >= standing.ceiling:
        return replace(standing, trial=Trial(Sample(limit), upwards=True))
    if limit >= standing.ceiling:
        # What was refused once is carried out now: the API takes more than it did.
        return replace(standing, limit=limit + 1, ceiling=0, hold=0.0)
    # Up to what was carried out before it is found again in larger steps.
    return replace(standing, limit=limit + max(1, (standing.ceiling - 1 - limit) // 4))


def _less(limit: int) -> int:
    return max(1, int(limit * DECREASE))


def _is_slower(standing: LimitState, seconds: float) -> bool:
    if not standing.mean:
        return False
    spread = math.sqrt(standing.variance) * DEVIATIONS
    return seconds >= standing.mean + max(spread, SLACK, SLACK_SHARE * standing.mean)


def _measure(standing: LimitState, seconds: float) -> LimitState:
    if not standing.mean:
        return replace(standing, mean=seconds, variance=0.0, best=seconds, in_vain=0)
    off, above = seconds - standing.mean, seconds - standing.best
    if standing.limit > INITIAL:
        above = min(0.0, above)  # else so few are in flight that none of them waits for another
    return replace(
        standing,
        mean=standing.mean + WEIGHT * off,
        variance=(1 - WEIGHT) * (standing.variance + WEIGHT * off * off),
        best=standing.best * FORGETTING + BETTER * above,
        in_vain=0,
    )
