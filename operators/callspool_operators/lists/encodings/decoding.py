"""The way of a text from its encoding to UTF-8, block by block."""

import codecs
from collections.abc import Callable

UTF8 = "UTF-8"
UTF16 = "UTF-16"

_UTF16_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_TORN = b"\xff"
_LEAST_UTF16 = 16
_ZEROS = 0.6

Read = Callable[[], bytes]


def utf16_of(head: bytes) -> str | None:
    """The codec of a text in UTF-16: by its byte order mark, else by a zero beside each letter."""
    if marked := _UTF16_MARKS.get(head[:2]):
        return marked
    sample = head[: len(head[:4096]) & ~1]
    if len(sample) < _LEAST_UTF16:
        return None
    high, low = (sample[start::2].count(0) / (len(sample) // 2) for start in (0, 1))
    if max(high, low) < _ZEROS or min(high, low) > 0:
        return None
    return "utf-16-be" if high > low else "utf-16-le"


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


def from_codec(read: Read, codec: str) -> Read:
    """Reads a text in another encoding as UTF-8. Bytes without a meaning stay as they are."""
    if codecs.lookup(codec).name.startswith("utf-16"):
        return from_utf16(read, codec)
    decoder = codecs.getincrementaldecoder(codec)("surrogateescape")
    at_end = False

    def read_on() -> bytes:
        nonlocal at_end
        while not at_end:
            block = read()
            at_end = not block
            if text := decoder.decode(block, at_end):
                return text.encode("utf-8", "surrogateescape")
        return b""

    return read_on


def name_of(codec: str) -> str:
    """The name of an encoding that was chosen by hand, for people."""
    return codecs.lookup(codec).name
