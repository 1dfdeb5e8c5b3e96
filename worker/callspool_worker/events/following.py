"""Following: what became of created calls, and where that cannot be seen."""

from __future__ import annotations

from typing import ClassVar

from callspool_worker.events.event import Event, Level


class CallsEnded(Event, frozen=True, kw_only=True):
    """Calls of a batch ended, or have another outcome than before; ``open`` ones are left."""

    kind: ClassVar[str] = "calls_ended"
    batch: int
    account: str
    outcomes: dict[str, int]
    open: int = 0

    def words(self) -> str:
        each = ", ".join(f"{number} {outcome}" for outcome, number in self.outcomes.items())
        return f"batch {self.batch}: calls ended: {each}; {self.open} open"


class CallsUnreadable(Event, frozen=True, kw_only=True):
    """Calls of a space cannot be followed for now. ``refused``: the API refuses to read it."""

    kind: ClassVar[str] = "calls_unreadable"
    level: ClassVar[Level] = "warning"
    account: str
    space: str
    refused: bool = False

    def words(self) -> str:
        why = "the API refuses it" if self.refused else "the API gives no list that can be read"
        return f"calls of space {self.space} of account {self.account} are not followed: {why}"
