"""The kinds of faults, how often each comes, and how a user says otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from callspool_worker.decisions.leases import MARGIN

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUEST_TIMEOUT = 2.0
"""Seconds; short, so that leases end within a run."""

PROOF_QUIET = 6.0
PROOF_QUIET_ANSWERED = 3.0
"""Seconds. Whatever is created late here comes within half of them, or the proof could not know."""

LEASE = REQUEST_TIMEOUT + MARGIN


@dataclass(frozen=True, slots=True)
class Kind:
    """A fault that is done to something: ``rate`` a minute, for ``lasts`` seconds (from, to).

    ``what``: which of the stage's parts it is done to. Two faults of one part never overlap.
    """

    family: str
    what: str
    rate: float
    lasts: tuple[float, float] = (0.0, 0.0)


EVENTS: Mapping[str, Kind] = {
    "kill_child": Kind("workers", "workers", 6),
    "kill_supervisor": Kind("workers", "workers", 1, (0.0, 2.0)),
    "term_supervisor": Kind("workers", "workers", 0.5),
    "stop_child": Kind("workers", "short stops", 3, (0.1, 2.5)),
    "stop_child_past_lease": Kind("workers", "long stops", 1, (LEASE + 0.5, LEASE + 4)),
    "stop_supervisor": Kind("workers", "short stops", 0.5, (0.5, 4.0)),
    "redis_kill": Kind("redis", "redis", 1, (0.0, 3.0)),
    "redis_term": Kind("redis", "redis", 0.5, (0.0, 3.0)),
    "redis_stop": Kind("redis", "redis", 1, (0.3, 6.0)),
    "redis_forget": Kind("redis", "redis", 0, (0.0, 1.0)),
    "redis_empty": Kind("redis", "redis", 0),
    "redis_promote": Kind("redis", "redis", 0, (1.0, 2.0)),
    "redis_cut": Kind("redis", "redis link", 15),
    "redis_drop": Kind("redis", "redis link", 1),
    "redis_stall": Kind("redis", "redis link", 1, (0.3, 6.0)),
    "redis_shut": Kind("redis", "redis link", 0.5, (0.5, 5.0)),
    "api_cut": Kind("api", "api link", 15),
    "api_drop": Kind("api", "api link", 1),
    "api_stall": Kind("api", "api link", 1, (0.3, PROOF_QUIET_ANSWERED / 2)),
    "api_shut": Kind("api", "api link", 0.5, (0.5, 5.0)),
    "api_stop": Kind("api", "api", 0.5, (0.3, PROOF_QUIET_ANSWERED / 2)),
}
"""Faults of processes and connections."""

ANSWERS: Mapping[str, float] = {
    "500_before": 1,
    "500_amid": 1,
    "500_after": 1,
    "500_late": 0.5,
    "502_after": 1,
    "504_before": 1,
    "drop_before_body": 0.5,
    "drop_before": 1,
    "drop_amid": 0.5,
    "drop_after": 1,
    "drop_late": 0.5,
    "drop_response": 1,
    "hang_before": 0.3,
    "hang_after": 0.5,
    "cut": 1,
    "drip": 0.3,
    "partial_amid": 0.5,
    "partial_after": 0.5,
    "refuse": 0.3,
    "mixed_instead": 0.1,
    "mixed_ahead": 0.1,
    "mixed_behind": 0.1,
    "429": 1,
    "403": 0.05,
}
"""What the API does to a create request: percent of them."""

READS: Mapping[str, float] = {"read_500": 3, "read_drop": 2, "read_hang": 0.5, "read_cut": 1}
"""What the API does to a read: percent of them."""

STANDING: Mapping[str, float] = {
    "clocks": 1,
    "counts": 1,
    "order": 1,
    "lag": 1,
    "outage": 1,
    "settings": 1,
    "calls": 1,
    "marks": 0,
}
"""What lasts: the API's clocks differ, its counts lie, its lists come in another order, its reads
lag behind, it drops marks (1 or 0); outages a minute in which requests queue; workers that disagree
on settings (1 or 0); calls that ring, and are followed (1 or 0)."""

FAMILIES = ("workers", "redis", "api", "answers", "reads", "standing")


class MixError(ValueError):
    """A mix that names what does not exist, or no number; the text says what is allowed."""


def default_mix() -> dict[str, float]:
    """Every kind with its own rate."""
    rates = {name: float(kind.rate) for name, kind in EVENTS.items()}
    shares = {**ANSWERS, **READS, **STANDING}
    return rates | {name: float(share) for name, share in shares.items()}


def family(name: str) -> str:
    """The family of a kind."""
    if name in EVENTS:
        return EVENTS[name].family
    if name in STANDING:
        return "standing"
    return "answers" if name in ANSWERS else "reads"


def parse_mix(text: str) -> dict[str, float]:
    """The default mix with what ``text`` changes, as ``redis=0,kill_child=30,answers=2``.

    A family's number multiplies its kinds, a kind's number is its rate: events a minute, percent of
    the requests, or 1 for on. ``none`` turns everything off that was not named before.
    Raises `MixError`.
    """
    mix = default_mix()
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = word.partition("=")
        if word == "none":
            mix = dict.fromkeys(mix, 0.0)
        elif name in FAMILIES:
            factor = _number(word, number)
            mix |= {kind: rate * factor for kind, rate in mix.items() if family(kind) == name}
        elif name in mix:
            mix[name] = _number(word, number)
        else:
            known = ", ".join([*FAMILIES, *mix])
            raise MixError(f"there is no kind of fault called {name!r}; there are: {known}")
    return mix


def _number(word: str, number: str) -> float:
    try:
        found = float(number)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 10_000:
        raise MixError(f"{word!r} needs a number from 0 to 10000, as in kill_child=6")
    return found
