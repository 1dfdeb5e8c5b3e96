"""Commands as Redis reads them (RESP): many in one piece, for one write."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callspool.scripts import Argument, Command

_quick: Callable[[tuple[Any, ...]], bytes] | None = None
with suppress(ImportError):  # the worker brings it along: a third of the cost
    from hiredis import pack_command as _quick

Reader: Any = None
"""Reads replies: hiredis' own, or None where that is not installed."""
with suppress(ImportError):
    pass


def pack(commands: Sequence[Command]) -> bytes:
    """The bytes that ask for all of these commands, in order."""
    return b"".join([(_quick or _packed)(_words(command)) for command in commands])


def _words(command: Command) -> tuple[Argument, ...]:
    """The command without blanks in its name, which may be two words."""
    name, *arguments = command
    return (*name.split(" "), *arguments) if isinstance(name, str) and " " in name else command


def _packed(words: tuple[Argument, ...]) -> bytes:
    pieces = [b"*%d\r\n" % len(words)]
    pieces += [b"$%d\r\n%b\r\n" % (len(word), word) for word in map(_bytes, words)]
    return b"".join(pieces)


def _bytes(argument: Argument) -> bytes:
    return argument if isinstance(argument, bytes) else str(argument).encode()
