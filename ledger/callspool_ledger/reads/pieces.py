"""Scripts that read a large part of the ledger, a bounded piece a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from callspool_ledger import keys
from callspool_ledger.scripts import load

if TYPE_CHECKING:
    from callspool.redis_io.scripts import Argument
    from callspool_ledger.reads.driving import Reading

Row = TypeVar("Row")

PIECE = 1000
"""What one call looks at: a few milliseconds of Redis."""


def read_pieces(partition: int, script: str, row: type[Row], *more: Argument) -> Reading[list[Row]]:
    """All rows of a script that scans. What moves meanwhile may come twice."""
    found: list[Row] = []
    cursor: bytes | str = "0"
    while True:
        args = [cursor, PIECE, *more]
        call = load(f"reads/{script}").call([keys.prefix(partition)], args)
        (reply,) = yield [call]
        if not isinstance(reply, list):
            raise TypeError(f"{script} answered {type(reply).__name__}, not a list")
        cursor, rows = reply
        found += msgspec.json.decode(rows, type=list[row])  # type: ignore[valid-type]
        if cursor in {b"0", "0"}:
            return found
