"""Commands as Redis reads them (RESP): many in one piece, for one write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callspool.redis_io.scripts import Argument, Command

try:  # the worker brings it along: a third of the cost
    import hiredis
except ImportError:
    hiredis = None  # type: ignore[assignment]

_quick: Callable[[tuple[Any, ...]], bytes] | None = getattr(hiredis, "pack_command", None)

Reader: Any = getattr(hiredis, "Reader", None)
"""Reads replies: hiredis' own, or None where that is not installed."""


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
