"""Which contacts the files have named already, and where."""

from array import array
from collections.abc import Sequence

_LEAST_PLACES = 1 << 18
_TEXTS_FOR_EACH_PLACE = 0.5
_SALT = "#"
_FOUR_BYTES = 0xFFFFFFFF


class Seen:
    """Numbers texts from 0 in the order in which they were added; each takes about 24 bytes.

    Texts are told apart by 12 bytes of two of Python's own hashes: among a billion, two are alike
    with a chance of 1 in 10^11. The first, of eight bytes, gives a text its place. ``_heads``
    holds the number (from 1) of the text that came last to each place, ``_before`` that of the one
    which was there when each text came.
    """

    def __init__(self) -> None:
        self._mask = _LEAST_PLACES - 1
        self._heads = array("I", bytes(4 * _LEAST_PLACES))
        self._before = array("I")
        self._hashes = array("q")
        self._salted = array("I")

    def add(self, texts: Sequence[str]) -> tuple[int, int | None]:
        """Adds texts up to the first that is there already, or twice among them.

        Returns how many were added, and, where not all were, the number of that text.
        """
        hashes = [*map(hash, texts)]
        salted = [*map(_FOUR_BYTES.__and__, map(hash, map(_SALT.__add__, texts)))]
        start = len(self._before)
        if start + len(texts) > _TEXTS_FOR_EACH_PLACE * self._mask:
            self._grow()
        mask, heads, keep = self._mask, self._heads, self._before.append
        self._hashes.extend(hashes)
        self._salted.extend(salted)
        for number, key in enumerate(hashes, start + 1):
            place = key & mask
            if (head := heads[place]) and (
                found := self._find_number(head, key, salted[number - start - 1])
            ):
                del self._hashes[number - 1 :], self._salted[number - 1 :]
                return number - 1 - start, found - 1
            keep(head)
            heads[place] = number
        return len(texts), None

    def _find_number(self, number: int, key: int, salted: int) -> int:
        """The number (from 1) of the text with these hashes among those of one place, else 0."""
        while number:
            if self._hashes[number - 1] == key and self._salted[number - 1] == salted:
                return number
            number = self._before[number - 1]
        return 0

    def take_back(self, count: int) -> None:
        """Forgets the texts that were added last."""
        for _ in range(count):
            self._heads[self._hashes.pop() & self._mask] = self._before.pop()
            self._salted.pop()

    def _grow(self) -> None:
        mask = self._mask = 2 * self._mask + 1
        heads = self._heads = array("I", bytes(4 * (mask + 1)))
        before = array("I")
        for number, key in enumerate(self._hashes, 1):
            place = key & mask
            before.append(heads[place])
            heads[place] = number
        self._before = before
