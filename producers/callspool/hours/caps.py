"""How often a number may be called at most, as values."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

from callspool.hours.record import CampaignError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CapScope: TypeAlias = Literal["installation", "account", "campaign"]
"""Which calls a cap counts, and for which it holds."""

CAP_SCOPES: tuple[CapScope, ...] = get_args(CapScope)

MOST_CALLS, LONGEST_DAYS, MOST_CAPS = 100, 366, 10
MOST_NAMES = 65_535
"""Accounts and campaigns that may have caps of their own."""

_CAP = re.compile(r"([0-9]{1,4})/([0-9]{1,5})?(min|h|d)")
_UNITS = {"min": 60, "h": 3600, "d": 86400}
_WORDS = {86400: "day", 3600: "hour", 60: "minute"}
_WHOSE = {
    "installation": "all campaigns together",
    "account": "all campaigns of its account",
    "campaign": "this campaign",
}

LEAST_SLACK_MS, SLACK = 60_000, 100
"""Documents that free within a minute, or a hundredth of the time, go aside together."""


class Cap(NamedTuple):
    """So many calls of a number at most, in any time so long."""

    calls: int
    seconds: int

    def __str__(self) -> str:
        size, unit = next((size, unit) for size, unit in _WORDS.items() if not self.seconds % size)
        return f"{_count(self.calls, 'call')} in {_count(self.seconds // size, unit)}"

    @property
    def short(self) -> str:
        """The cap as an operator writes it."""
        if self.seconds % 86400 == 0 and self.seconds > 86400:
            return f"{self.calls}/{self.seconds // 86400}d"
        if self.seconds % 3600 == 0:
            return f"{self.calls}/{self.seconds // 3600}h"
        return f"{self.calls}/{self.seconds // 60}min"


def read_cap(text: str) -> Cap:
    """Reads ``3/7d``, ``1/24h`` or ``2/30min``; raises `CampaignError`."""
    match = _CAP.fullmatch(text.strip())
    if match is None:
        raise CampaignError("cap", "say it as 3/7d, 1/24h or 2/30min", text)
    cap = Cap(int(match[1]), int(match[2] or 1) * _UNITS[match[3]])
    if not 1 <= cap.calls <= MOST_CALLS:
        raise CampaignError("cap", f"may be 1 to {MOST_CALLS} calls", text)
    if not 60 <= cap.seconds <= LONGEST_DAYS * 86400:
        raise CampaignError("cap", f"may be for 1 minute to {LONGEST_DAYS} days", text)
    return cap


def read_caps(texts: Sequence[str]) -> tuple[Cap, ...]:
    """Reads several caps, each once; raises `CampaignError`."""
    caps = tuple(dict.fromkeys(read_cap(part) for text in texts for part in text.split(",")))
    if len(caps) > MOST_CAPS:
        raise CampaignError("cap", f"there may be {MOST_CAPS} of them", str(len(caps)))
    return caps


def read_cap_scope(text: str) -> CapScope:
    """Reads whom a cap is for; raises `CampaignError`."""
    for scope in CAP_SCOPES:
        if text == scope:
            return scope
    raise CampaignError("cap-scope", f"is one of {', '.join(CAP_SCOPES)}", text)


def _count(number: int, one: str) -> str:
    return f"{number:,} {one}" + ("" if number == 1 else "s")


class CapReached(NamedTuple):
    """A cap that keeps a number from being called, and for which calls it holds."""

    cap: Cap
    scope: str

    @classmethod
    def from_text(cls, text: str) -> CapReached:
        """Reads what the ledger keeps of it."""
        calls, ms, scope = text.split("|")
        return cls(Cap(int(calls), int(ms) // 1000), scope)

    @property
    def text(self) -> str:
        """The cap as the ledger keeps it."""
        return f"{self.cap.calls}|{self.cap.seconds * 1000}|{self.scope}"

    def __str__(self) -> str:
        return f"{self.cap} ({_WHOSE.get(self.scope, self.scope)})"


class CapHit(NamedTuple):
    """Documents whose numbers were called often enough, by their places (counted from 0)."""

    due_ms: int
    reached: CapReached
    places: list[int]


def group_capped(reply: Sequence[object], now_ms: int) -> list[CapHit]:
    """Returns what `reserve` told of documents over a cap; those that free together are one."""
    by_cap: dict[CapReached, list[tuple[int, int]]] = defaultdict(list)
    for place, due_ms, calls, ms, scope in _fives(reply):
        reached = CapReached(Cap(int(calls), int(ms) // 1000), scope)
        by_cap[reached].append((int(due_ms), int(place)))
    return [hit for reached, found in by_cap.items() for hit in _near(reached, found, now_ms)]


def _near(reached: CapReached, found: list[tuple[int, int]], now_ms: int) -> Iterator[CapHit]:
    together: list[tuple[int, int]] = []
    for due_ms, place in sorted(found):
        first = together[0][0] if together else due_ms
        if due_ms - first > max(LEAST_SLACK_MS, (first - now_ms) / SLACK):
            yield CapHit(together[-1][0], reached, [place for _, place in together])
            together = []
        together.append((due_ms, place))
    yield CapHit(together[-1][0], reached, [place for _, place in together])


def _fives(reply: Sequence[object]) -> Iterator[tuple[int, int, int, int, str]]:
    for at in range(0, len(reply), 5):
        *numbers, scope = reply[at : at + 5]
        place, due_ms, calls, ms = (int(str(each)) for each in numbers)
        yield place, due_ms, calls, ms, scope.decode() if isinstance(scope, bytes) else str(scope)
