"""The encoding of a text, known by its first bytes, and its way to UTF-8."""

import codecs
import re
from collections.abc import Callable

UTF8 = "UTF-8"
UTF16 = "UTF-16"
WINDOWS_1252 = "Windows-1252"

_UTF16_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_TORN = b"\xff"

_HIGH = re.compile(rb"[A-Za-z]?[\x80-\xff]+[A-Za-z]?")
_LETTERS = frozenset(range(0xC0, 0x100)) - frozenset(b"\xd0\xd7\xdd\xde\xf0\xf7\xfd\xfe")
_LETTERS |= frozenset(b"\x8a\x8c\x9a\x9c\x9f\xaa\xba")
_SIGNS = frozenset(b"\x80\x85\x91\x92\x93\x94\x95\x96\x97\x99\xa0\xa7\xa9\xab\xae\xb0\xb4\xb7\xbb")
_NEVER = re.compile(rb"[\x00-\x08\x0e-\x1f\x81\x8d\x8f\x90\x9d]")
_BROKEN_FOR_EACH_WHOLE = 10
_ODD_FOR_EACH = 4
_LONGEST_RUN = 2

Read = Callable[[], bytes]


def utf16_of(head: bytes) -> str | None:
    """The codec of a text that starts with a byte order mark of UTF-16."""
    return _UTF16_MARKS.get(head[:2])


def is_windows_1252(sample: bytes) -> bool:
    """Whether whole lines of a text are Windows-1252 rather than UTF-8 with broken rows.

    They are where ten times as many lines are broken as UTF-8 than hold proper UTF-8 beyond
    ASCII, and where three out of four places beyond ASCII look like a Western language: a letter
    or two beside plain letters, or a typographic sign. Runs of such letters are another alphabet.
    """
    if sample.isascii() or _NEVER.search(sample):
        return False
    broken = whole = 0
    for line in sample.splitlines():
        if not line.isascii():
            if _is_utf8(line):
                whole += 1
            else:
                broken += 1
    if not broken or broken < _BROKEN_FOR_EACH_WHOLE * whole:
        return False
    found = _HIGH.findall(sample)
    return sum(not _is_western(each) for each in found) * _ODD_FOR_EACH <= len(found)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_western(place: bytes) -> bool:
    high = [each for each in place if each >= 0x80]
    if all(each in _SIGNS for each in high):
        return True
    known = all(each in _LETTERS or each in _SIGNS for each in high)
    return known and len(high) <= _LONGEST_RUN and len(high) < len(place)


def from_utf16(read: Read, codec: str) -> Read:
    """Reads UTF-16 as UTF-8. What is half a character becomes bytes that are no UTF-8."""
    decoder = codecs.getincrementaldecoder(codec)("surrogatepass")
    at_end = False

    def read_on() -> bytes:
        nonlocal at_end
        while not at_end:
            block = read()
            at_end = not block
            try:
                text = decoder.decode(block, at_end)
            except UnicodeDecodeError:
                return _TORN
            if text:
                return text.encode("utf-8", "surrogatepass")
        return b""

    return read_on


def from_windows_1252(read: Read) -> Read:
    """Reads Windows-1252 as UTF-8. The five bytes without a meaning stay: they are no UTF-8."""
    return lambda: read().decode("cp1252", "surrogateescape").encode("utf-8", "surrogateescape")
