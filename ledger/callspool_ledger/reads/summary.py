"""How the whole installation stands, read in two round trips; in some more, while gates are closed,
to count the lanes behind them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from callspool_ledger import keys
from callspool_ledger.reads.entries import STATES
from callspool_ledger.reads.gates import gate_commands, gates_of
from callspool_ledger.reads.journal import entries_of, journal_command
from callspool_ledger.reads.lanes import read_lane_states
from callspool_ledger.reads.views import Summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from callspool.redis_io.scripts import Command
    from callspool_ledger.reads.driving import Reading

OUTCOMES = (
    "created",
    "partial",
    "rejected",
    "throttled",
    "server_error",
    "no_answer",
    "not_sent",
)
JOURNAL_SHOWN = 5
COUNTED = ("accepted", "duplicate", "invalid", *dict.fromkeys(STATES.values()))


def read_summary(partition: int) -> Reading[Summary]:
    """The round trips that read a `Summary`."""
    base = keys.prefix(partition)
    first: list[Command] = [
        *gate_commands(partition),
        ("HGETALL", f"{base}:counts"),
        ("HGETALL", f"{base}:submissions"),
        ("SCARD", f"{base}:lanes"),
        ("XLEN", keys.dead_stream(keys.REQUESTS, partition)),
        ("SMEMBERS", f"{base}:accounts"),
        ("TIME",),
        ("HGET", f"{base}:meta", "journal"),
    ]
    paused, parked, counts, submissions, lanes, unreadable, accounts, time, last = yield first
    gates = gates_of(paused, parked)
    names, newest = sorted(_set(accounts)), int(last) if isinstance(last, bytes) else 0
    second: list[Command] = [
        ("ZRANGE", f"{base}:waiting:{name.decode()}", 0, 0, "WITHSCORES") for name in names
    ]
    second.append(journal_command(partition, newest, JOURNAL_SHOWN))
    *oldest, journal = yield second
    states = {"open": _number(lanes), "paused": 0, "parked": 0}
    if gates:
        states = yield from read_lane_states(partition)
    found = _mapping(counts)
    return Summary(
        documents=_documents(found),
        submissions=_submissions(_mapping(submissions)),
        runs=_sum(found, "runs"),
        lanes=states,
        gates=gates,
        oldest_waiting_seconds=_oldest(oldest, time),
        spooled=max(0, int(found.get(b"spooled", 0))),
        unreadable=_number(unreadable),
        journal=entries_of(newest, journal),
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


def _mapping(reply: object) -> Mapping[bytes, bytes]:
    return reply if isinstance(reply, dict) else {}


def _set(reply: object) -> Iterable[bytes]:
    return reply if isinstance(reply, set | list) else ()


def _number(reply: object) -> int:
    return reply if isinstance(reply, int) else 0
