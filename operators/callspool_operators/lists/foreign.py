"""Recognises files that are no list of contacts, so that a message can name them."""

import re
from typing import NamedTuple

_BLANK = b"\xef\xbb\xbf \t\r\n"


class Foreign(NamedTuple):
    """What a file is, and what to do with it."""

    what: str
    remedy: str


_AS_LIST = "open it in a spreadsheet and save it as .xlsx or CSV (UTF-8)"
_UNPACK = "unpack it, or pack it by gzip"
_SIGNATURES: tuple[tuple[bytes, Foreign], ...] = (
    (b"%PDF", Foreign("a PDF document", "ask for the list as .xlsx or CSV (UTF-8)")),
    (b"{\\rtf", Foreign("a text document (RTF)", _AS_LIST)),
    (b"BZh", Foreign("packed by bzip2", _UNPACK)),
    (b"\xfd7zXZ", Foreign("packed by xz", _UNPACK)),
    (b"\x28\xb5\x2f\xfd", Foreign("packed by zstd", _UNPACK)),
    (b"7z\xbc\xaf", Foreign("a 7z archive", "unpack it and name the list in it")),
    (b"Rar!", Foreign("a RAR archive", "unpack it and name the list in it")),
    (b"SQLite format 3", Foreign("an SQLite database", "export its table as CSV (UTF-8)")),
    (b"PAR1", Foreign("a Parquet file", "export it as CSV (UTF-8) or JSON Lines")),
    (b"\x89PNG", Foreign("an image", "ask for the list as .xlsx or CSV (UTF-8)")),
    (b"\xff\xd8\xff", Foreign("an image", "ask for the list as .xlsx or CSV (UTF-8)")),
)
_TEXTS: tuple[tuple[re.Pattern[bytes], Foreign], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), Foreign(what, remedy))
    for pattern, what, remedy in (
        (
            rb"BEGIN:VCARD\b",
            "an address book (vCard, .vcf)",
            "import it into the address book and export it as CSV from there",
        ),
        (rb"BEGIN:VCALENDAR\b", "a calendar", "export the contacts as CSV (UTF-8)"),
        (
            rb"<\?xml.{0,2000}urn:schemas-microsoft-com:office:spreadsheet",
            "a spreadsheet in XML (Excel 2003)",
            _AS_LIST,
        ),
        (
            rb"<(?:!doctype html|html|head|body|table|meta|div|style|!--)",
            "a web page (HTML), whatever its name says",
            _AS_LIST,
        ),
        (rb"MIME-Version:", "a web page with its pictures (MHTML)", _AS_LIST),
        (rb"<\?xml", "XML", "export the list as CSV (UTF-8) or JSON Lines"),
        (rb"(?:version: ?1\s+)?dn:{1,2} ", "an address book (LDIF)", "export it as CSV (UTF-8)"),
    )
)


def foreign_format(head: bytes) -> Foreign | None:
    """What the file is that begins so; None if it may be a list."""
    for signature, found in _SIGNATURES:
        if head.startswith(signature):
            return found
    bare = head[:4096].lstrip(_BLANK)
    return next((found for pattern, found in _TEXTS if pattern.match(bare)), None)


def name_zip(head: bytes) -> str:
    """What a zip archive is that is no spreadsheet, and what to do with it."""
    if b"word/" in head:
        return "a Word document: copy its table into a spreadsheet and save that as .xlsx"
    return "an archive (.zip): unpack it and name the list in it"
