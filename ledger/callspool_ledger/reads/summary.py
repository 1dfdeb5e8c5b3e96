"""How far the ledger is and how the installation stands, in a few round trips for any number."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

from callspool_ledger.reads.entries import STATES
from callspool_ledger.reads.gates import (
    entries_of,
    gate_commands,
    gates_of,
    journal_command,
    merge_gates,
    merge_journals,
)
from callspool_ledger.reads.held import join_held, read_held
from callspool_ledger.reads.lanes import read_lane_states
from callspool_ledger.reads.reading import merged_by, of_ledger, of_one_space
from callspool_ledger.reads.snapshot import SILENT_MS
from callspool_ledger.reads.views import OUTCOMES as CALL_OUTCOMES
from callspool_ledger.reads.views import LedgerSummary, Reason, add_lost_sight

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from callspool.redis_io.scripts import Command
    from callspool_ledger.keys import PartitionKeys
    from callspool_ledger.reads.reading import Trips


MessageId: TypeAlias = tuple[int, int]
"""The id of a stream's entry, in its two numbers."""


@of_ledger
def read_clock(keys: PartitionKeys) -> Trips[int]:
    """Reads Redis' clock, the only one that the ledger knows; unix milliseconds."""
    del keys
    replies: list[Any] = yield [("TIME",)]
    ((seconds, micros),) = replies
    return int(seconds) * 1000 + int(micros) // 1000


@of_one_space
def read_last_message(keys: PartitionKeys) -> Trips[MessageId]:
    """Reads the newest message that no worker has accepted yet; (0, 0) if there is none."""
    replies: list[Any] = yield [("XREVRANGE", keys.requests, "+", "-", "COUNT", 1)]
    (found,) = replies
    return _message_id(found[0][0]) if found else (0, 0)


@of_one_space
def read_has_accepted(keys: PartitionKeys, message: MessageId) -> Trips[bool]:
    """Reads whether workers have accepted every message up to this one: accepted ones are gone."""
    replies: list[Any] = yield [("XRANGE", keys.requests, "-", "+", "COUNT", 1)]
    (found,) = replies
    return not found or _message_id(found[0][0]) > message


@merged_by(all)
def read_is_quiet(keys: PartitionKeys, accounts: Sequence[str]) -> Trips[bool]:
    """Reads whether nothing of these accounts is under way, ready or due, but behind gates."""
    rings: list[Command] = [("LLEN", keys.ring(name)) for name in accounts]
    replies: list[Any] = yield [("HLEN", keys.sending), ("ZRANGE", keys.due, 0, 100), *rings]
    sending, due, *ready = replies
    return (
        not sending and not any(ready) and all(each.startswith((b"G", b"P", b"C")) for each in due)
    )


def _message_id(text: bytes) -> MessageId:
    milliseconds, _, number = text.decode().partition("-")
    return int(milliseconds), int(number)


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
COUNTED = (
    "accepted",
    "duplicate",
    "invalid",
    "conflict",
    "suppressed",
    *dict.fromkeys(STATES.values()),
)


def merge_summaries(parts: Sequence[LedgerSummary]) -> LedgerSummary:
    """Returns how the whole installation stands."""
    waits = [part.oldest_waiting_seconds for part in parts]
    return LedgerSummary(
        documents=_sums(part.documents for part in parts),
        submissions=_sums(part.submissions for part in parts),
        runs=sum(part.runs for part in parts),
        lanes=_sums(part.lanes for part in parts),
        gates=merge_gates([part.gates for part in parts]),
        held=join_held([part.held for part in parts]),
        oldest_waiting_seconds=max((wait for wait in waits if wait is not None), default=None),
        spooled=sum(part.spooled for part in parts),
        unreadable=sum(part.unreadable for part in parts),
        journal=merge_journals([part.journal for part in parts])[:JOURNAL_SHOWN],
        outcomes=_sums(part.outcomes for part in parts),
        workers={name for part in parts for name in part.workers},
        waiting_accounts={name for part in parts for name in part.waiting_accounts},
    )


@merged_by(merge_summaries)
def read_summary(keys: PartitionKeys) -> Trips[LedgerSummary]:
    """Reads how the whole installation stands."""
    first: list[Command] = [
        *gate_commands(keys),
        ("HGETALL", keys.counts),
        ("HGETALL", keys.submissions),
        ("SCARD", keys.lanes),
        ("XLEN", keys.dead_requests),
        ("SMEMBERS", keys.accounts),
        ("TIME",),
        ("HGET", keys.meta, "journal"),
    ]
    paused, parked, counts, submissions, lanes, unreadable, accounts, time, last = yield first
    gates = gates_of(paused, parked)
    names, newest = sorted(_set(accounts)), int(last) if isinstance(last, bytes) else 0
    second: list[Command] = [
        ("ZRANGE", keys.waiting(name.decode()), 0, 0, "WITHSCORES") for name in names
    ]
    now_ms = _milliseconds(time)
    second.append(journal_command(keys, newest, JOURNAL_SHOWN))
    second.append(("ZRANGEBYSCORE", keys.alive, now_ms - SILENT_MS, now_ms + SILENT_MS))
    *oldest, journal, workers = yield second
    states = {"open": _number(lanes), "paused": 0, "parked": 0}
    held = yield from read_held().trips(keys)
    if gates or held:
        states = yield from read_lane_states(keys)
    found = _mapping(counts)
    return LedgerSummary(
        documents=_documents(found),
        submissions=_submissions(_mapping(submissions)),
        runs=_sum(found, "runs"),
        lanes=states,
        gates=gates,
        held=held,
        oldest_waiting_seconds=_oldest(oldest, now_ms),
        spooled=max(0, int(found.get(b"spooled", 0))),
        unreadable=_number(unreadable),
        journal=entries_of(newest, journal),
        outcomes=_outcomes(found),
        workers={name.decode() for name in _list(workers)},
        waiting_accounts={
            name.decode() for name, found in zip(names, oldest, strict=True) if found
        },
    )


def _documents(counts: Mapping[bytes, bytes]) -> dict[str, int]:
    return {name: _sum(counts, name) for name in COUNTED}


def _outcomes(counts: Mapping[bytes, bytes]) -> dict[str, int]:
    found = {name: _sum(counts, name) for name in CALL_OUTCOMES}
    return add_lost_sight(found, _sum(counts, "created"))


def _sum(counts: Mapping[bytes, bytes], name: str) -> int:
    ending = f"|{name}".encode()
    return sum(int(number) for key, number in counts.items() if key.endswith(ending))


def _submissions(counts: Mapping[bytes, bytes]) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for key, number in counts.items():
        _, outcome, _ = key.decode().split("|")
        totals[outcome] += int(number)
    return {outcome: totals[outcome] for outcome in OUTCOMES}


def _oldest(replies: Iterable[object], now_ms: int) -> float | None:
    scores = [_first_score(reply) for reply in replies if isinstance(reply, list) and reply]
    return max(0.0, (now_ms - min(scores)) / 1000) if scores else None


def _milliseconds(time: Any) -> int:
    return int(time[0]) * 1000 + int(time[1]) // 1000


def _first_score(reply: list[Any]) -> float:
    """Returns the score of the first member: RESP3 pairs them, RESP2 lists them in a row."""
    first = reply[0]
    return float(first[1] if isinstance(first, list | tuple) else reply[1])


def _mapping(reply: object) -> Mapping[bytes, bytes]:
    return reply if isinstance(reply, dict) else {}


def _set(reply: object) -> Iterable[bytes]:
    return reply if isinstance(reply, set | list) else ()


def _number(reply: object) -> int:
    return reply if isinstance(reply, int) else 0


MOST_BATCHES = 200
"""Batches of each state that are looked at: what a look costs does not grow with their number."""
MOST_SPACES = 20
MOST_REASONS = 5


def merge_reasons(parts: Sequence[Sequence[Reason]]) -> list[Reason]:
    """Returns the most frequent reasons of each state, each once."""
    counts: dict[str, Counter[str]] = {}
    for reason in (reason for part in parts for reason in part):
        counts.setdefault(reason.state, Counter())[reason.reason] += reason.documents
    return [
        Reason(state, reason, documents)
        for state, reasons in sorted(counts.items(), reverse=True)
        for reason, documents in reasons.most_common(MOST_REASONS)
    ]


@merged_by(merge_reasons)
def read_reasons(keys: PartitionKeys) -> Trips[list[Reason]]:
    """Reads the most frequent reasons of the last batches that are dead or in doubt."""
    (spaces,) = yield [("ZREVRANGE", keys.proofs, 0, MOST_SPACES - 1)]
    names = [keys.doubts(space.decode()) for space in _list(spaces)]
    each = MOST_BATCHES // max(1, len(names))
    recent: list[Command] = [("ZREVRANGE", keys.dead, 0, MOST_BATCHES - 1)]
    recent += [("ZREVRANGE", name, 0, each - 1) for name in names]
    dead, *doubts = yield recent
    batches = [("d", number) for found in doubts for number in _list(found)]
    batches += [("x", number) for number in _list(dead)]
    wanted: list[Command] = [
        ("HMGET", keys.batch(number.decode()), "s", "why", "held") for _, number in batches
    ]
    records = (yield wanted) if wanted else []
    counts: dict[str, Counter[str]] = {"d": Counter(), "x": Counter()}
    for (letter, _), record in zip(batches, records, strict=True):
        states, why, held = (_text(part) for part in _list(record))
        counts[letter][held or why] += states.count(letter)
    return [
        Reason(STATES[letter], reason, documents)
        for letter, reasons in counts.items()
        for reason, documents in reasons.most_common(MOST_REASONS)
        if documents
    ]


def _list(reply: object) -> list[Any]:
    return reply if isinstance(reply, list) else []


def _text(part: bytes | None) -> str:
    return (part or b"").decode(errors="replace")


@of_ledger
def read_partitions(keys: PartitionKeys) -> Trips[int]:
    """Reads how many partitions the ledger has; 0 where nothing was begun yet."""
    replies = yield [("HGET", keys.counts, "partitions"), ("HGET", keys.meta, "partitions")]
    known = [int(reply) for reply in replies if isinstance(reply, bytes)]
    return known[0] if known else 0


def _sums(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for name, number in part.items():
            total[name] = total.get(name, 0) + number
    return total
