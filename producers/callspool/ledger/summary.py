"""How the whole installation stands, read in two round trips whatever its size."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from callspool import keys
from callspool.ledger.entries import STATES, GateEntry
from callspool.ledger.views import GateView, Summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from callspool.ledger.driving import Reading
    from callspool.scripts import Command

OUTCOMES = (
    "created",
    "partial",
    "rejected",
    "throttled",
    "server_error",
    "no_answer",
    "not_sent",
)
COUNTED = ("accepted", "duplicate", "invalid", *dict.fromkeys(STATES.values()))


def read_summary(partition: int) -> Reading[Summary]:
    """The round trips that read a `Summary`."""
    base = keys.prefix(partition)
    first: list[Command] = [
        ("HGETALL", f"{base}:counts"),
        ("HGETALL", f"{base}:submissions"),
        ("HGETALL", f"{base}:gates"),
        ("SCARD", f"{base}:lanes"),
        ("XLEN", keys.dead_stream(keys.REQUESTS, partition)),
        ("SMEMBERS", f"{base}:accounts"),
        ("TIME",),
    ]
    counts, submissions, gates, lanes, unreadable, accounts, time = yield first
    entries = [GateEntry.read(gate, record) for gate, record in _mapping(gates).items()]
    names = sorted(_set(accounts))
    second: list[Command] = [
        ("ZRANGE", f"{base}:waiting:{name.decode()}", 0, 0, "WITHSCORES") for name in names
    ]
    second += [("SCARD", f"{base}:parked:{entry.gate}") for entry in entries]
    replies = yield second
    oldest, parked = replies[: len(names)], replies[len(names) :]
    behind = {"parked": 0, "paused": 0}
    for entry, held in zip(entries, parked, strict=True):
        behind[entry.kind] = behind.get(entry.kind, 0) + _number(held)
    found = _mapping(counts)
    return Summary(
        documents=_documents(found),
        submissions=_submissions(_mapping(submissions)),
        runs=_sum(found, "runs"),
        lanes={"open": max(0, _number(lanes) - sum(behind.values())), **behind},
        gates=[_view(entry) for entry in entries],
        oldest_waiting_seconds=_oldest(oldest, time),
        spooled=max(0, int(found.get(b"spooled", 0))),
        unreadable=_number(unreadable),
    )


def _documents(counts: Mapping[bytes, bytes]) -> dict[str, int]:
    return {name: _sum(counts, name) for name in COUNTED}


def _sum(counts: Mapping[bytes, bytes], name: str) -> int:
    ending = f"|{name}".encode()
    return sum(int(number) for key, number in counts.items() if key.endswith(ending))


def _submissions(counts: Mapping[bytes, bytes]) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for key, number in counts.items():
        _, outcome, _ = key.decode().split("|")
        totals[outcome] += int(number)
    return {outcome: totals[outcome] for outcome in OUTCOMES}


def _oldest(replies: Iterable[object], time: object) -> float | None:
    scores = [_first_score(reply) for reply in replies if isinstance(reply, list) and reply]
    if not scores or not isinstance(time, tuple | list):
        return None
    now_ms = int(time[0]) * 1000 + int(time[1]) // 1000
    return max(0.0, (now_ms - min(scores)) / 1000)


def _first_score(reply: list[Any]) -> float:
    """The score of the first member: RESP3 pairs them, RESP2 lists them in a row."""
    first = reply[0]
    return float(first[1] if isinstance(first, list | tuple) else reply[1])


def _view(entry: GateEntry) -> GateView:
    level, _, name = entry.gate.partition(":")
    since = datetime.fromtimestamp(entry.since_ms / 1000, UTC)
    return GateView(level, name, entry.kind, entry.reason, entry.code, since)


def _mapping(reply: object) -> Mapping[bytes, bytes]:
    return reply if isinstance(reply, dict) else {}


def _set(reply: object) -> Iterable[bytes]:
    return reply if isinstance(reply, set | list) else ()


def _number(reply: object) -> int:
    return reply if isinstance(reply, int) else 0
