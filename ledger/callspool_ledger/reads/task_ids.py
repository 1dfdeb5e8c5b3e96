"""Task ids as the ledger keeps them: 16 bytes each where they are of the API's usual shape.

Seen shape (S): ``T`` and 32 hex digits. Anything else is kept as it is, a line each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEX = b"\x01"
_LINES = b"\x00"
_BYTES = 16
_CHARACTERS = 1 + 2 * _BYTES


def pack(ids: Sequence[str]) -> bytes:
    """Packs the ids of an attempt's documents, in their order."""
    packed = _packed("".join(ids)) if {*map(len, ids)} <= {_CHARACTERS} else None
    return _LINES + "\n".join(ids).encode() if packed is None else _HEX + packed


def _packed(joined: str) -> bytes | None:
    """The bytes of ids of the usual length, if they are of the usual shape."""
    try:
        packed = bytes.fromhex(joined.replace("T", ""))
    except ValueError:
        return None
    is_usual = joined == ("T" + packed.hex("T", _BYTES) if packed else "")
    return packed if is_usual else None


def unpack_one(packed: bytes, place: int) -> str | None:
    """The id at a place among those that were packed together, or None if there is none."""
    if packed[:1] == _HEX:
        found = packed[1 + place * _BYTES : 1 + (place + 1) * _BYTES]
        return f"T{found.hex()}" if len(found) == _BYTES else None
    lines = packed[1:].decode(errors="replace").split("\n")
    return lines[place] if place < len(lines) and lines[place] else None
