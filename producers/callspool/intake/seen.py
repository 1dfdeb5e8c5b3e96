"""Which contacts the files have named already, and where."""

from collections.abc import Iterable
from hashlib import blake2b

_DIGEST = 10
REFERENCE = 5
_RECORD = _DIGEST + REFERENCE
_SHELVES = 1 << 16


def digests(texts: Iterable[str]) -> list[bytes]:
    """What tells texts apart, for `Seen.put`."""
    new = blake2b(digest_size=_DIGEST).copy
    found = []
    for text in texts:
        state = new()
        state.update(text.encode())
        found.append(state.digest())
    return found


class Seen:
    """A map from texts to references of five bytes; it takes about 19 bytes for each.

    Texts are told apart by 12 bytes: among a billion, two are alike with a chance of 1 in 10^11.
    Python's own hash chooses one of 65,536 shelves (two bytes); there, records of ten bytes of
    digest and five of reference stand end to end.
    """

    def __init__(self) -> None:
        self._shelves: list[bytearray | None] = [None] * _SHELVES

    def add(self, text: str, reference: bytes) -> bytes | bytearray | None:
        """Adds a text; returns the reference under which it was there, None if it was not."""
        return self.put(text, digests([text])[0], reference)

    def put(self, text: str, digest: bytes, reference: bytes) -> bytes | bytearray | None:
        """As `add`, of a text whose digest is known already."""
        place = hash(text) % _SHELVES
        shelf = self._shelves[place]
        if shelf is None:
            self._shelves[place] = bytearray(digest + reference)
            return None
        found = shelf.find(digest)
        while found >= 0 and found % _RECORD:  # not where a digest begins
            found = shelf.find(digest, found + 1)
        if found >= 0:
            return shelf[found + _DIGEST : found + _RECORD]
        shelf += digest + reference
        return None

    def forget_last(self, text: str) -> None:
        """Takes back the text that was added last."""
        shelf = self._shelves[hash(text) % _SHELVES]
        assert shelf is not None
        del shelf[-_RECORD:]
