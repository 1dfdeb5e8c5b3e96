"""What all events share: a decision that was made, as a plain value. Pure."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

Level = Literal["debug", "info", "warning", "error"]


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One decision. Its fields are what a line of the log holds; none is about a person.

    ``kind`` names it in the log and ``level`` is how urgent it is. Counts are of documents,
    times in seconds. ``space`` is a space token of which most is left out.
    """

    kind: ClassVar[str]
    level: ClassVar[Level] = "info"

    def words(self) -> str:
        """The event as a sentence, for people."""
        raise TypeError(f"{type(self).__name__} has no words")

    def __str__(self) -> str:
        return self.words()

    @property
    def urgency(self) -> Level:
        """``level``, where it does not depend on what happened."""
        return self.level

    def likeness(self) -> tuple[str, ...]:
        """What it has in common with events that say much the same."""
        names = ("account", "outcome", "code", "decision", "why")
        return (self.kind, *(str(getattr(self, name, "")) for name in names))


def of_attempt(batch: int, attempt: int) -> str:
    """How every sentence about an attempt begins."""
    return f"batch {batch}, attempt {attempt}:"


def format_documents(number: int) -> str:
    """``1 document``, ``100 documents``."""
    return f"{number} document" if number == 1 else f"{number} documents"
