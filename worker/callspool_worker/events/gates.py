"""Gates: what closes and opens them."""

from __future__ import annotations

from typing import ClassVar

from callspool_worker.events.event import Event, Level


class Parked(Event, frozen=True, kw_only=True):
    """A gate closed, or a probe found it closed still: nothing behind it is sent.

    ``part``: the account, the space or the lane. ``refusals``: how often that was found.
    """

    kind: ClassVar[str] = "parked"
    level: ClassVar[Level] = "warning"
    part: str
    account: str
    space: str
    lane: str
    code: str = ""
    refusals: int = 1

    def words(self) -> str:
        still = "is parked" if self.refusals <= 1 else "stays parked"
        return f"{_name_part(self)} {still}: {self.code} (callspool lanes tells why)"


class Opened(Event, frozen=True, kw_only=True):
    """A gate opened: the API took, or answered, what was tried."""

    kind: ClassVar[str] = "opened"
    part: str
    account: str
    space: str
    lane: str

    def words(self) -> str:
        return f"{_name_part(self)} sends again"


class Down(Event, frozen=True, kw_only=True):
    """Requests of an account failed in a row: only probes are sent until its API answers."""

    kind: ClassVar[str] = "down"
    level: ClassVar[Level] = "error"
    account: str
    code: str = ""
    failures: int

    def words(self) -> str:
        said = f", last with {self.code}" if self.code else ""
        return f"account {self.account}: the API is down ({self.failures} failures in a row{said})"


def _name_part(gate: Parked | Opened) -> str:
    if gate.part == "account":
        return f"account {gate.account}"
    return f"lane {gate.lane}" if gate.part == "lane" else f"space {gate.space}"
