"""What all events share, and how they are emitted to the log."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec

from callspool.request.identity import is_account_name
from callspool.request.text import shorten_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from callspool.redis_io.scripts import Call, Reply


Level = Literal["debug", "info", "warning", "error"]


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One decision. Its fields are what a line of the log holds; none is about a person.

    ``kind`` names it in the log and ``level`` is how urgent it is. Counts are of documents,
    times in seconds. ``space`` is a space token of which most is left out.
    """

    kind: ClassVar[str]
    level: ClassVar[Level] = "info"

    def words(self) -> str:
        """Returns the event as a sentence, for people."""
        raise TypeError(f"{type(self).__name__} has no words")

    def __str__(self) -> str:
        return self.words()

    @property
    def urgency(self) -> Level:
        """``level``, where it does not depend on what happened."""
        return self.level

    def likeness(self) -> tuple[str, ...]:
        """Returns what it has in common with events that say much the same."""
        names = ("account", "outcome", "code", "decision", "why")
        return (self.kind, *(str(getattr(self, name, "")) for name in names))


class AttemptEvent(Event, frozen=True, kw_only=True):
    """An event about the documents of one attempt."""

    batch: int
    attempt: int
    account: str

    @property
    def start(self) -> str:
        """How every sentence about an attempt begins."""
        return f"batch {self.batch}, attempt {self.attempt}:"


def format_documents(number: int) -> str:
    """Formats a number of documents: ``1 document``, ``100 documents``."""
    return f"{number} document" if number == 1 else f"{number} documents"


LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

NOT_SHOWN = "(not shown)"

_log = logging.getLogger(__name__)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def emit(
    event: Event | None, log: logging.Logger = _log, *, error: BaseException | None = None
) -> None:
    """Logs an event; nothing for None. ``error``: what went wrong, for the traceback."""
    if event is None:
        return
    level = LEVELS[event.urgency]
    if log.isEnabledFor(level):
        # Not by `log.log`, which looks for the line of code that called it: a third of the cost.
        trouble = None if error is None else (type(error), error, error.__traceback__)
        log.handle(logging.LogRecord(log.name, level, "", 0, "%s", (event,), trouble))


def emit_after(call: Call, event: Callable[[Reply], Event | None]) -> Call:
    """Returns the call with a callback that logs an event made from its reply."""
    return call._replace(on_reply=lambda reply: emit(event(reply)))


def run_shown(run_id: str | None) -> str:
    """Returns a run's id if it looks like one: it is the API's word, which may be anything."""
    if not run_id:
        return ""
    return run_id if _NAME.fullmatch(run_id) else NOT_SHOWN


def account_shown(name: str) -> str:
    """Returns an account's name; what a message from elsewhere calls one may be anything."""
    return name if is_account_name(name) else NOT_SHOWN


def space_shown(space_token: str) -> str:
    """Returns enough of a space token to recognise it."""
    return shorten_token(space_token)


def whole(reply: object) -> int:
    """Returns a reply that is a number of documents; -1 if it is anything else."""
    return reply if isinstance(reply, int) else -1


def first(reply: object) -> int:
    """Returns the first number of a reply that is a list of them; -1 if it is anything else."""
    return int(reply[0]) if isinstance(reply, list) and reply else -1


def pair(reply: object) -> tuple[int, int]:
    """Returns a reply that is two numbers, none of them below 0."""
    if not isinstance(reply, list) or len(reply) < 2:
        return 0, 0
    return max(0, int(reply[0])), max(0, int(reply[1]))


def lines_dropped() -> int:
    """Returns how many lines this process has not written, because too many said much the same."""
    return sum(getattr(handler, "dropped", 0) for handler in logging.getLogger().handlers)
