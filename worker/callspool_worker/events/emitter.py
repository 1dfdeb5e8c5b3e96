"""Telling what was decided: an event goes to the log, wherever that goes."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from callspool.request.identity import is_account_name
from callspool.request.text import shorten_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from callspool.redis_io.scripts import Call, Reply
    from callspool_worker.events import Event

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
    """The call, of whose reply the event is made that is told once the ledger has answered."""
    return call._replace(on_reply=lambda reply: emit(event(reply)))


def run_shown(run_id: str | None) -> str:
    """A run's id as far as it looks like one: it is the API's word, which may be anything."""
    if not run_id:
        return ""
    return run_id if _NAME.fullmatch(run_id) else NOT_SHOWN


def account_shown(name: str) -> str:
    """An account's name; what a message from elsewhere calls one may be anything."""
    return name if is_account_name(name) else NOT_SHOWN


def space_shown(space_token: str) -> str:
    """Enough of a space token to recognise it."""
    return shorten_token(space_token)


def whole(reply: object) -> int:
    """A reply that is a number of documents; -1 if it is anything else."""
    return reply if isinstance(reply, int) else -1


def first(reply: object) -> int:
    """The first number of a reply that is a list of them; -1 if it is anything else."""
    return int(reply[0]) if isinstance(reply, list) and reply else -1


def pair(reply: object) -> tuple[int, int]:
    """A reply that is two numbers, none of them below 0."""
    if not isinstance(reply, list) or len(reply) < 2:
        return 0, 0
    return max(0, int(reply[0])), max(0, int(reply[1]))


def lines_dropped() -> int:
    """How many lines this process has not written, because too many said much the same."""
    return sum(getattr(handler, "dropped", 0) for handler in logging.getLogger().handlers)
