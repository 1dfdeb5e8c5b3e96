"""Where each good row stands, and its id, so that a duplicate of it can name it."""

from struct import Struct
from typing import NamedTuple

from callspool.intake.seen import REFERENCE

_CHUNK = 1 << 20
_HEAD = Struct(">QB")
_LINE_BITS = 40
LONGEST_ID = 40
"""Characters of an id that are remembered."""


class Earlier(NamedTuple):
    """A row that came before: its file, the line on which it starts, and the id that it gave.

    ``document_id`` is cut to `LONGEST_ID` characters, and empty where the row gave none. ``noted``:
    what else was to be remembered of it.
    """

    file: str
    line: int
    document_id: str
    noted: bytes = b""


class EarlierRows:
    """Good rows by reference, which tells where a row is kept.

    Nine bytes, its id, and ``note`` bytes of what else is to be remembered each.
    Kept in chunks, since one growing piece of memory would be copied whole now and then.
    """

    def __init__(self, note: int = 0) -> None:
        self._note = note
        self._files: list[str] = []
        self._file = 0
        self._chunks = [bytearray()]
        self._chunk = self._chunks[0]
        self._base = 0

    @property
    def next(self) -> bytes:
        """The reference of the row that is added next."""
        return (self._base + len(self._chunk)).to_bytes(REFERENCE, "big")

    def add(self, file: str, line: int, document_id: str, noted: bytes = b"") -> None:
        """Keeps a row under the reference `next`."""
        if not self._files or self._files[-1] != file:
            self._file = len(self._files) << _LINE_BITS
            self._files.append(file)
        word = document_id[:LONGEST_ID].encode()
        chunk = self._chunk
        chunk += _HEAD.pack(self._file | line, len(word)) + word + noted
        if len(chunk) >= _CHUNK - _HEAD.size - 4 * LONGEST_ID - self._note:
            self._chunk = bytearray()
            self._base = len(self._chunks) * _CHUNK
            self._chunks.append(self._chunk)

    def at(self, reference: bytes | bytearray) -> Earlier:
        """The row that was added under a reference."""
        number, start = divmod(int.from_bytes(reference, "big"), _CHUNK)
        chunk = self._chunks[number]
        place, size = _HEAD.unpack_from(chunk, start)
        end = start + _HEAD.size + size
        word, noted = chunk[start + _HEAD.size : end], bytes(chunk[end : end + self._note])
        file, line = divmod(place, 1 << _LINE_BITS)
        return Earlier(self._files[file], line, word.decode(), noted)
