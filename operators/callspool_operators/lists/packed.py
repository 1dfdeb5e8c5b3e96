"""Bytes that came packed by gzip, unpacked as they are read, in bounded memory."""

import zlib
from collections.abc import Callable

from callspool_operators.lists.errors import IntakeError

MAGIC = b"\x1f\x8b"
PIECE = 256 * 1024
"""Unpacked bytes handed out at once, at most."""
MAX_RATIO = 200
"""Unpacked bytes for each packed one, at most. Lists of contacts come to 3 to 40."""
FREE = 16 * 1024 * 1024
"""Unpacked bytes from which on the ratio counts."""

_AS_GZIP = 31


class Packed:
    """Unpacks what ``read`` returns, all members of it, until it returns nothing.

    ``shown``: the input's name for messages. Every byte that could be unpacked is handed out
    before the `IntakeError` that says that the input is broken, cut off or a bomb.
    """

    def __init__(self, read: Callable[[], bytes], shown: str) -> None:
        self._packed = read
        self._shown = shown
        self._member = zlib.decompressobj(_AS_GZIP)
        self._begun = False
        self._waiting = b""
        self._taken = 0
        self._given = 0

    def read(self) -> bytes:
        """The next unpacked bytes, at most `PIECE`; empty at the end. Raises `IntakeError`."""
        while True:
            data = self._waiting or self._fetch()
            if not data and not self._begun:
                return b""
            self._begun = True
            try:
                piece = self._member.decompress(data, PIECE)
            except zlib.error:
                raise self._broken("is damaged") from None
            self._waiting = self._member.unconsumed_tail
            if self._member.eof:
                self._next_member()
            elif not data and not piece:
                raise self._broken("is cut off")
            if piece:
                self._given += len(piece)
                self._refuse_a_bomb()
                return piece

    def _fetch(self) -> bytes:
        """More packed bytes, if there are any; zeros between and behind members are padding."""
        while block := self._packed():
            self._taken += len(block)
            if self._begun or (block := block.lstrip(b"\0")):
                return block
        return b""

    def _next_member(self) -> None:
        self._waiting = self._member.unused_data.lstrip(b"\0")
        self._member = zlib.decompressobj(_AS_GZIP)
        self._begun = False

    def _refuse_a_bomb(self) -> None:
        if self._given > max(FREE, MAX_RATIO * self._taken):
            raise IntakeError(
                f"{self._shown} unpacks to more than {MAX_RATIO} times its size, as no list of"
                " contacts does: nothing more of it is read; unpack it and look at it"
            )

    def _broken(self, what: str) -> IntakeError:
        return IntakeError(
            f"{self._shown} {what}: the rows up to there were read, the others were not; get the"
            " whole file and send it again"
        )
