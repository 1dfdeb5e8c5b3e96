"""Commands as Redis reads them (RESP): many in one piece, for one write."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool.scripts import Argument, Command


def pack(commands: Sequence[Command]) -> bytes:
    """The bytes that ask for all of these commands, in order."""
    pieces: list[bytes] = []
    for name, *arguments in commands:
        words = [*str(name).encode().split(b" "), *map(_bytes, arguments)]
        pieces.append(b"*%d\r\n" % len(words))
        pieces += [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
    return b"".join(pieces)


def _bytes(argument: Argument) -> bytes:
    return argument if isinstance(argument, bytes) else str(argument).encode()
