"""What the partitions of a ledger say, made one: sums, and listings in their order. Pure."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from callspool_ledger.reads.reasons import MOST_REASONS
from callspool_ledger.reads.summary import JOURNAL_SHOWN
from callspool_ledger.reads.views import Reason, Summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from callspool_ledger.reads.views import GateView, JournalEntry

SAME_DEED = timedelta(seconds=60)
"""Entries of different partitions that are no further apart tell of one deed of an operator."""


def one_summary(parts: Sequence[Summary]) -> Summary:
    """How the whole installation stands."""
    waits = [part.oldest_waiting_seconds for part in parts]
    return Summary(
        documents=_sums(part.documents for part in parts),
        submissions=_sums(part.submissions for part in parts),
        runs=sum(part.runs for part in parts),
        lanes=_sums(part.lanes for part in parts),
        gates=one_list_of_gates([part.gates for part in parts]),
        oldest_waiting_seconds=max((wait for wait in waits if wait is not None), default=None),
        spooled=sum(part.spooled for part in parts),
        unreadable=sum(part.unreadable for part in parts),
        journal=one_journal([part.journal for part in parts])[:JOURNAL_SHOWN],
    )


def one_list_of_gates(parts: Sequence[Sequence[GateView]]) -> list[GateView]:
    """Every gate once, since it was first closed; pauses first, each the widest first."""
    found: dict[tuple[str, str], GateView] = {}
    for gate in (gate for part in parts for gate in part):
        known = found.setdefault((gate.kind, gate.name), gate)
        if known is not gate:
            since, passing = min(known.since, gate.since), known.passing and gate.passing
            found[gate.kind, gate.name] = replace(known, since=since, passing=passing)
    return sorted(
        found.values(),
        key=lambda gate: (gate.kind != "paused", len(gate.selector.as_object()), gate.name),
    )


def one_journal(parts: Sequence[Sequence[JournalEntry]]) -> list[JournalEntry]:
    """Every deed once, the newest first; what was done in several partitions is summed up.

    It keeps the number that it has in the first of them.
    """
    every = [(entry, {place}) for place, part in enumerate(parts) for entry in part]
    every.sort(key=lambda each: each[0].at)
    deeds: list[tuple[JournalEntry, set[int]]] = []
    open_deeds: dict[object, int] = {}
    for entry, where in every:
        key = (entry.by, entry.command, entry.selector, entry.document_id)
        place = open_deeds.get(key)
        if place is not None and _is_same(deeds[place], entry, where):
            known, seen = deeds[place]
            deeds[place] = _sum_of(known, entry), seen | where
        else:
            open_deeds[key] = len(deeds)
            deeds.append((entry, where))
    return [entry for entry, _ in reversed(deeds)]


def _is_same(deed: tuple[JournalEntry, set[int]], entry: JournalEntry, where: set[int]) -> bool:
    known, seen = deed
    return not seen & where and entry.at - known.at <= SAME_DEED


def _sum_of(one: JournalEntry, other: JournalEntry) -> JournalEntry:
    return replace(
        one,
        documents=one.documents + other.documents,
        messages=one.messages + other.messages,
        opened=max(one.opened, other.opened),
    )


def one_list_of_reasons(parts: Iterable[Sequence[Reason]]) -> list[Reason]:
    """The most frequent reasons of each state, each once."""
    counts: dict[str, Counter[str]] = {}
    for reason in (reason for part in parts for reason in part):
        counts.setdefault(reason.state, Counter())[reason.reason] += reason.documents
    return [
        Reason(state, reason, documents)
        for state, reasons in sorted(counts.items(), reverse=True)
        for reason, documents in reasons.most_common(MOST_REASONS)
    ]


def _sums(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for name, number in part.items():
            total[name] = total.get(name, 0) + number
    return total
