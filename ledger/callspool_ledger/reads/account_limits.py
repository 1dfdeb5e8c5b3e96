"""How many requests accounts may have in flight, and have, over all workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from callspool_ledger import keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from callspool_ledger.reads.driving import Reading


@dataclass(frozen=True, slots=True)
class AccountLimit:
    """``limit``: requests in flight that the account may have now, found by trying or set.

    ``in_flight``: as workers told last, at most a tenth of a second ago while they send.
    ``rests_seconds``: for so long the API wants nothing; 0 if it takes requests.
    """

    account: str
    limit: int
    in_flight: int
    rests_seconds: float = 0.0


def read_limits(accounts: Sequence[str]) -> Reading[list[AccountLimit]]:
    """The one round trip that reads them, for those accounts that sent something within a day."""
    replies: list[Any] = yield [
        ("TIME",),
        *(
            command
            for name in accounts
            for command in (
                ("HMGET", f"{keys.account_prefix(name)}:limit", "in_force", "rest"),
                ("HVALS", f"{keys.account_prefix(name)}:holders"),
            )
        ),
    ]
    (seconds, micros), *rest = replies
    now_ms = int(seconds) * 1000 + int(micros) // 1000
    return [
        AccountLimit(
            name, int(limit), _in_flight(held, now_ms), max(0, int(rests or 0) - now_ms) / 1000
        )
        for name, (limit, rests), held in zip(accounts, rest[::2], rest[1::2], strict=True)
        if limit is not None
    ]


def _in_flight(held: Iterable[bytes], now_ms: int) -> int:
    """The requests of all processes that still hold their permits."""
    rows = [[int(number) for number in each.split()] for each in held]
    return sum(busy for _, busy, _, until in rows if until >= now_ms)
