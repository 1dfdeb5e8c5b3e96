"""Task ids as the ledger keeps them: 16 bytes each where they are of the API's usual shape.

Seen shape (S): ``T`` and 32 hex digits. Anything else is kept as it is, a line each.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_ALL_USUAL = re.compile(r"T[0-9a-f]{32}(?:\nT[0-9a-f]{32})*").fullmatch
_HEX = b"\x01"
_LINES = b"\x00"
_BYTES = 16


def pack(ids: Sequence[str]) -> bytes:
    """Packs the ids of an attempt's documents, in their order."""
    lines = "\n".join(ids)
    if not ids or _ALL_USUAL(lines):
        return _HEX + bytes.fromhex(lines[1:].replace("\nT", ""))
    return _LINES + lines.encode()


def unpack_one(packed: bytes, place: int) -> str | None:
    """The id at a place among those that were packed together, or None if there is none."""
    if packed[:1] == _HEX:
        found = packed[1 + place * _BYTES : 1 + (place + 1) * _BYTES]
        return f"T{found.hex()}" if len(found) == _BYTES else None
    lines = packed[1:].decode(errors="replace").split("\n")
    return lines[place] if place < len(lines) and lines[place] else None
