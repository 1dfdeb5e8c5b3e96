"""Which encoding a text is in, judged by its words beyond ASCII, and how it becomes UTF-8."""

import codecs
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from callspool_operators.lists.alphabets import ENCODINGS, NO_WORD, Encoding, fit

UTF8 = "UTF-8"
UTF16 = "UTF-16"

_UTF16_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_TORN = b"\xff"
_LEAST_UTF16 = 16
_ZEROS = 0.6

Read = Callable[[], bytes]


def utf16_of(head: bytes) -> str | None:
    """Tells the codec of a text in UTF-16 by its mark, else by a zero beside each letter."""
    if marked := _UTF16_MARKS.get(head[:2]):
        return marked
    sample = head[: len(head[:4096]) & ~1]
    if len(sample) < _LEAST_UTF16:
        return None
    high, low = (sample[start::2].count(0) / (len(sample) // 2) for start in (0, 1))
    if max(high, low) < _ZEROS or min(high, low) > 0:
        return None
    return "utf-16-be" if high > low else "utf-16-le"


def from_codec(read: Read, codec: str) -> Read:
    """Reads a text in another encoding as UTF-8. Bytes without a meaning stay as they are.

    Of UTF-16, what is half a character becomes bytes that are no UTF-8.
    """
    is_utf16 = codecs.lookup(codec).name.startswith("utf-16")
    errors = "surrogatepass" if is_utf16 else "surrogateescape"
    decoder = codecs.getincrementaldecoder(codec)(errors)
    at_end = False

    def read_on() -> bytes:
        nonlocal at_end
        while not at_end:
            block = read()
            at_end = not block
            try:
                text = decoder.decode(block, at_end)
            except UnicodeDecodeError:
                if is_utf16:
                    return _TORN
                raise
            if text:
                return text.encode("utf-8", errors)
        return b""

    return read_on


def name_of(codec: str) -> str:
    """Returns the name of an encoding that was chosen by hand, for people."""
    return codecs.lookup(codec).name


LEAST_FIT = 0.7
"""How well the words must fit the best language of an encoding, at least."""
MARGIN = 0.15
"""How much better they must fit than in any other encoding that makes other words of them."""
MIXED_HANDICAP = 0.15
"""How much less words are worth that fit several languages, and no single one of them."""
MOST_WORDS = 2000
"""Different words that are looked at."""

_MOST_RIVALS = 3
_SHOWN_LETTERS = 8
_BROKEN_FOR_EACH_WHOLE = 10
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_HARD_SPACE = b"\xa0"
"""Stands alone amid numbers, and is the same in all encodings of Windows."""
_WORD = re.compile(rb"[A-Za-z'\x80-\xff]*[\x80-\xff][A-Za-z'\x80-\xff]*")


class Rival(NamedTuple):
    """An encoding that a text may be in; ``letters``: what it makes of some beyond ASCII."""

    encoding: Encoding
    letters: str

    def __str__(self) -> str:
        return f"{self.encoding.name} (--encoding {self.encoding.codec} reads {self.letters})"


class Verdict(NamedTuple):
    """``encoding`` is None where the text is UTF-8, and where it is not known.

    ``rivals``: encodings in which its words can be read, the most likely first.
    """

    is_known: bool = True
    encoding: Encoding | None = None
    rivals: tuple[Rival, ...] = ()


class Evidence:
    """What the blocks of a text tell about its encoding; takes them in order."""

    def __init__(self) -> None:
        self._rest = b""
        self._broken = 0
        self._whole = 0
        self._has_control = False
        self._words: dict[bytes, None] = {}

    def add(self, block: bytes) -> None:
        """Takes a block of bytes; one of ASCII alone says nothing."""
        data = self._rest + block
        if data.isascii():
            self._rest = b""
            return
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        self._rest = data[end:]
        self._take(data[:end])

    def verdict(self) -> Verdict:
        """Returns what the text is, once all blocks are taken."""
        self._take(self._rest)
        self._rest = b""
        is_utf8 = not self._broken or self._broken < _BROKEN_FOR_EACH_WHOLE * self._whole
        return Verdict() if is_utf8 or self._has_control else judge_words(self._words)

    def _take(self, lines: bytes) -> None:
        if lines.isascii() or _is_utf8(lines):
            self._whole += not lines.isascii() and _lines_beyond_ascii(lines)
            return
        self._has_control = self._has_control or bool(_CONTROL.search(lines))
        for line in lines.splitlines():
            if not line.isascii():
                whole = _is_utf8(line)
                self._whole += whole
                self._broken += not whole
        if len(self._words) < MOST_WORDS:
            self._words.update(dict.fromkeys(_WORD.findall(lines)))


def judge_words(words: Iterable[bytes]) -> Verdict:
    """Returns the encoding in which these words fit a language, if no other comes near."""
    telling = [word for word in words if word != _HARD_SPACE]
    if not telling:
        return Verdict(encoding=ENCODINGS[0])
    readings = sorted((_read(telling, encoding) for encoding in ENCODINGS), key=_worth)
    best = readings[0]
    others = [each for each in readings[1:] if each.words != best.words]
    if best.worth < LEAST_FIT:
        return Verdict(is_known=False, rivals=_find_rivals(telling, readings))
    if others and best.worth - others[0].worth < MARGIN:
        near = [best, *(each for each in others if best.worth - each.worth < MARGIN)]
        return Verdict(is_known=False, rivals=_find_rivals(telling, near))
    return Verdict(encoding=best.encoding)


class _DecodedText(NamedTuple):
    """``words``: what is read, None for what is no word of the language that fits best."""

    encoding: Encoding
    words: list[str | None]
    worth: float


def _find_rivals(words: list[bytes], readings: Iterable[_DecodedText]) -> tuple[Rival, ...]:
    """The first readings that make different letters of the words; Windows-1252 before all."""
    # In their order by number, which spells no name.
    beyond = bytes(sorted({*b"".join(words)} - {*range(0x80), *_HARD_SPACE}))
    found: dict[str, Rival] = {}
    for encoding in sorted(
        (each.encoding for each in readings), key=lambda each: each is not ENCODINGS[0]
    ):
        letters = _decode(beyond, encoding.codec)
        if letters is not None and letters.isprintable():
            found.setdefault(letters, Rival(encoding, letters[:_SHOWN_LETTERS]))
    return tuple(found.values())[:_MOST_RIVALS]


def _worth(reading: _DecodedText) -> float:
    return -reading.worth


def _read(words: list[bytes], encoding: Encoding) -> _DecodedText:
    decoded = [_decode(word, encoding.codec) for word in words]
    fits = {language: _fits(decoded, language) for language in encoding.languages}
    readings = [(sum(each) / len(each), each) for each in fits.values()]
    if encoding.mixed:
        mixed = [*map(max, zip(*(fits[one] for one in encoding.mixed), strict=True))]
        readings.append((sum(mixed) / len(mixed) - MIXED_HANDICAP, mixed))
    worth, best = max(readings)
    read = [word if each > NO_WORD else None for word, each in zip(decoded, best, strict=True)]
    return _DecodedText(encoding, read, worth - encoding.handicap)


def _fits(words: list[str | None], language: str) -> list[float]:
    return [NO_WORD if word is None else fit(word, language) for word in words]


def _decode(word: bytes, codec: str) -> str | None:
    try:
        return word.decode(codec)
    except UnicodeDecodeError:
        return None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _lines_beyond_ascii(lines: bytes) -> int:
    return sum(not line.isascii() for line in lines.splitlines())
