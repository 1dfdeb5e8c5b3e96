"""Which contacts the files have named already."""

from hashlib import blake2b

_DIGEST = 10
_SHELVES = 1 << 16


class Seen:
    """A set of texts that takes about 14 bytes for each, and ``note`` bytes for what is noted.

    Texts are told apart by 12 bytes: among a billion, two are alike with a chance of 1 in 10^11.
    Python's own hash chooses one of 65,536 shelves (two bytes); there, entries stand end to end.
    """

    def __init__(self, note: int = 0) -> None:
        self._entry = _DIGEST + note
        self._shelves: list[bytearray | None] = [None] * _SHELVES
        self._state = blake2b(digest_size=_DIGEST).copy

    def add(self, text: str) -> bool:
        """Adds a text; False when it was there."""
        return self.note(text, b"") is None

    def note(self, text: str, noted: bytes) -> bytes | None:
        """Adds a text with a note; returns the note of the one that was there, else None."""
        state = self._state()
        state.update(text.encode())
        digest = state.digest()
        place = hash(text) % _SHELVES
        shelf = self._shelves[place]
        if shelf is None:
            self._shelves[place] = bytearray(digest + noted)
            return None
        found = shelf.find(digest)
        while found >= 0 and found % self._entry:  # not at the start of an entry: not a digest
            found = shelf.find(digest, found + 1)
        if found >= 0:
            return bytes(shelf[found + _DIGEST : found + self._entry])
        shelf += digest
        shelf += noted
        return None

    def forget_last(self, text: str) -> None:
        """Takes back the text that was added last."""
        shelf = self._shelves[hash(text) % _SHELVES]
        assert shelf is not None
        del shelf[-self._entry :]
