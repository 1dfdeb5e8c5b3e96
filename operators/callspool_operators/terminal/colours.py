"""Colours: only on a terminal, unless the environment says otherwise."""

import os
import re

import click

_COLOURS = {
    "created": "green",
    "dead": "red",
    "invalid": "red",
    "unreadable": "red",
    "in doubt": "yellow",
    "parked": "yellow",
    "paused": "yellow",
    "expired": "yellow",
    "cancelled": "yellow",
    "unknown": "yellow",
}
_STATES = "|".join(_COLOURS)
_COUNTED = re.compile(rf"(?<![\w,.])([1-9][\d,]* +)({_STATES})\b")
_NAMED = re.compile(rf"^([^ ]+: )({_STATES})$|^()({_STATES})(?= since )")


def want_colours() -> bool | None:
    """What the environment says of colours; None leaves it to whether a terminal is there.

    ``NO_COLOR`` turns them off, else ``FORCE_COLOR`` turns them on; both count if they are not
    empty, and ``FORCE_COLOR=0`` turns them off, too.
    """
    if os.environ.get("NO_COLOR"):
        return False
    forced = os.environ.get("FORCE_COLOR")
    return forced not in {"0", "false"} if forced else None


def paint(line: str) -> str:
    """A line with its states coloured; `click.echo` takes colours out where none are wanted."""
    line = _COUNTED.sub(lambda found: found[1] + _style(found[2]), line)
    return _NAMED.sub(lambda found: (found[1] or "") + _style(found[2] or found[4]), line, count=1)


def _style(state: str) -> str:
    return click.style(state, fg=_COLOURS[state])
