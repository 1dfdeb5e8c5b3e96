"""From a snapshot of the ledger to samples, accounts beyond the bound added up. Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from callspool.hours.audit import BEGUN_BY
from callspool.request.identity import is_account_name
from callspool_ledger.reads.entries import STATES
from callspool_ledger.reads.snapshot import (
    BATCH_DOCUMENTS,
    DELIVERY_MS,
    FOLLOWED_MS,
    SUBMISSION_MS,
    Histogram,
)
from callspool_ledger.reads.summary import OUTCOMES
from callspool_ledger.reads.views import OUTCOMES as CALL_OUTCOMES
from callspool_ledger.reads.views import add_lost_sight
from callspool_worker.metrics.definitions import (
    EVENTS,
    LANE_STATES,
    LIST_KINDS,
    OTHER,
    PAUSE_LEVELS,
    Bars,
    code_label,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from callspool_ledger.reads.snapshot import RedisFacts, Snapshot
    from callspool_worker.metrics.definitions import Values


MOST_ACCOUNTS = 50
"""Accounts with series of their own; messages may name any number of them."""

_FIRST = ("default", "sandbox")
_LIKE_A_NUMBER = re.compile(r"\d{7}")


class Accounts:
    """Which accounts have series of their own: those that came first, so that none loses its own.

    ``known_since`` tells when the first document of each was accepted.
    """

    def __init__(self, names: Collection[str], known_since: Mapping[str, int]) -> None:
        shown = [name for name in names if _may_be_shown(name)]
        shown.sort(key=lambda name: (name not in _FIRST, known_since.get(name, 0), name))
        self._show_document = frozenset(shown[:MOST_ACCOUNTS])

    def label(self, name: str) -> str:
        """Returns the account's own name, or ``other``."""
        return name if name in self._show_document else OTHER


def _may_be_shown(name: str) -> bool:
    return is_account_name(name) and not _LIKE_A_NUMBER.search(name)


_STATES = tuple(dict.fromkeys(STATES.values()))

# Documents leave these states, so their events are counted with those that left.
_LEFT = {
    "created": ("created_left",),
    "dead": ("replayed", "dead_left"),
    "cancelled": ("cancelled_left",),
    "expired": ("expired_left",),
}


def samples_of(snapshot: Snapshot, max_waiting: int) -> dict[str, Values]:
    """Returns the samples of each family by its name; ``max_waiting`` in documents."""
    accounts = _accounts_of(snapshot)
    counts = _by_account(snapshot, accounts)
    samples: dict[str, Values] = {
        "callspool_submissions_total": _submissions(snapshot, accounts),
        "callspool_dead_documents_total": _dead(snapshot, accounts),
        "callspool_lanes": _lanes(snapshot, accounts, counts),
        "callspool_lanes_closed": _count_closed(snapshot, accounts, counts),
        "callspool_waiting_documents": _count_waiting(snapshot, accounts, counts),
        "callspool_timetable_age_seconds": {(): snapshot.oldest_hours},
        "callspool_parked": _count_parked(snapshot, accounts),
        "callspool_paused": {(level,): snapshot.paused[level] for level in PAUSE_LEVELS},
        "callspool_workers": {(): len(snapshot.workers)},
        "callspool_spooled_messages": {(): snapshot.spooled_messages},
        "callspool_oldest_spooled_seconds": {(): snapshot.oldest_spooled},
        "callspool_unreadable_messages": {(): snapshot.unreadable_messages},
        "callspool_sweep_lag_seconds": {(): snapshot.sweep_lag},
        "callspool_max_waiting_documents": {(): max_waiting},
        "callspool_redis_writes_refused": {(): int(snapshot.refuses_writes)},
        "callspool_redis_cut_off": {(): int(snapshot.is_cut_off)},
    }
    samples |= _documents(counts)
    samples |= _calls(snapshot, accounts, counts)
    samples |= _ages(snapshot, accounts, list(counts))
    samples |= _histograms(snapshot, accounts, list(counts))
    samples |= _limits(snapshot, accounts)
    if snapshot.server is not None:
        samples |= _redis(snapshot.server)
    return samples


def _accounts_of(snapshot: Snapshot) -> Accounts:
    names = {account for account, name in snapshot.counts if name == "accepted"} | {"default"}
    return Accounts(names, snapshot.known_since)


def _by_account(snapshot: Snapshot, accounts: Accounts) -> dict[str, Counter[str]]:
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (account, name), number in snapshot.counts.items():
        found[accounts.label(account)][name] += number
    return dict(found) or {"default": Counter()}


def _documents(counts: dict[str, Counter[str]]) -> dict[str, Values]:
    events: Values = {}
    states: Values = {}
    unaccounted: Values = {}
    suppressed: Values = {}
    outside: Values = {}
    single: dict[str, Values] = {
        "callspool_unproven_resends_total": {},
        "callspool_created_twice_total": {},
        "callspool_capped_total": {},
        "callspool_proven_documents_total": {},
        "callspool_runs_total": {},
    }
    for account, of in counts.items():
        for event in EVENTS:
            events[event, account] = of[event] + sum(of[left] for left in _LEFT.get(event, ()))
        for state in _STATES:
            states[state, account] = of[state]
        for kind in LIST_KINDS:
            suppressed[kind, account] = of[f"suppressed|{kind}"]
        for by in BEGUN_BY:
            outside[by, account] = of[f"outside|{by}"]
        unaccounted[account,] = of["accepted"] - sum(of[state] for state in _STATES)
        single["callspool_unproven_resends_total"][account,] = of["unproven"]
        single["callspool_created_twice_total"][account,] = of["created_twice"]
        single["callspool_capped_total"][account,] = of["capped"]
        single["callspool_proven_documents_total"][account,] = of["proven"] + of["recalled"]
        single["callspool_runs_total"][account,] = of["runs"]
    return {
        "callspool_document_events_total": events,
        "callspool_suppressed_total": suppressed,
        "callspool_calls_outside_hours_total": outside,
        "callspool_documents": states,
        "callspool_unaccounted_documents": unaccounted,
        **single,
    }


def _calls(
    snapshot: Snapshot, accounts: Accounts, counts: dict[str, Counter[str]]
) -> dict[str, Values]:
    """What became of calls; those that got another outcome later stay counted under the first."""
    outcomes: Values = {}
    open_calls: Values = {}
    for account, of in counts.items():
        now = add_lost_sight(of, of["created"])
        open_calls[account,] = now["open"]
        for name in CALL_OUTCOMES:
            if name != "open":
                outcomes[name, account] = now[name] + of[f"{name}_left"]
    looked: Counter[tuple[str, ...]] = Counter()
    for (account, code), number in snapshot.looked.items():
        looked[code_label(code), accounts.label(account)] += number
    ages = {
        account: age for (of_what, account), age in snapshot.oldest.items() if of_what == "open"
    }
    return {
        "callspool_outcomes_total": outcomes,
        "callspool_open_calls": open_calls,
        "callspool_oldest_open_call_seconds": _longest(ages, accounts, list(counts)),
        "callspool_follow_requests_total": dict(looked),
    }


def _submissions(snapshot: Snapshot, accounts: Accounts) -> Values:
    found: Counter[tuple[str, ...]] = Counter()
    for (account, outcome, code), number in snapshot.submissions.items():
        known = outcome if outcome in OUTCOMES else OTHER
        found[known, code_label(code), accounts.label(account)] += number
    return dict(found)


def _dead(snapshot: Snapshot, accounts: Accounts) -> Values:
    found: Counter[tuple[str, ...]] = Counter()
    for (account, code), number in snapshot.died.items():
        found[code_label(code), accounts.label(account)] += number
    return dict(found)


def _lanes(snapshot: Snapshot, accounts: Accounts, shown: dict[str, Counter[str]]) -> Values:
    found: Counter[tuple[str, ...]] = Counter()
    found.update({(state, account): 0 for account in shown for state in LANE_STATES})
    for (account, state), number in snapshot.lanes.items():
        found[state, accounts.label(account)] += number
    return dict(found)


CLOSED_REASONS = ("hours", "pace", "starts", "sorting")


def _count_closed(snapshot: Snapshot, accounts: Accounts, shown: dict[str, Counter[str]]) -> Values:
    found: Counter[tuple[str, ...]] = Counter()
    found.update({(reason, account): 0 for account in shown for reason in CLOSED_REASONS})
    for (account, bar), number in snapshot.closed.items():
        reason = "sorting" if bar == "unsorted" else bar
        found[reason, accounts.label(account)] += number
    return dict(found)


WAITING_REASONS = ("hours", "cap", "pace", "starts", "pause", "gate", "queue")


def _count_waiting(
    snapshot: Snapshot, accounts: Accounts, shown: dict[str, Counter[str]]
) -> Values:
    """What waits, by what keeps it; what nothing keeps stands in the queue."""
    found: Counter[tuple[str, ...]] = Counter()
    for account, of in shown.items():
        found.update({(reason, account): 0 for reason in WAITING_REASONS})
        found["queue", account] = of["waiting"]
    for (account, reason), number in snapshot.waits.items():
        shown_as = accounts.label(account)
        found[reason, shown_as] += number
        found["queue", shown_as] = max(0, found["queue", shown_as] - number)
    return dict(found)


def _count_parked(snapshot: Snapshot, accounts: Accounts) -> Values:
    found: Counter[tuple[str, ...]] = Counter()
    for (level, code, account), number in snapshot.parked.items():
        found[level, code_label(code), accounts.label(account)] += number
    return dict(found)


def _ages(snapshot: Snapshot, accounts: Accounts, shown: list[str]) -> dict[str, Values]:
    found: dict[str, Values] = {}
    for what in ("waiting", "ready", "in_doubt", "sending"):
        ages = {account: age for (of, account), age in snapshot.oldest.items() if of == what}
        found[f"callspool_oldest_{what}_seconds"] = _longest(ages, accounts, shown)
    found["callspool_throttled_seconds"] = _longest(snapshot.throttled, accounts, shown)
    return found


def _limits(snapshot: Snapshot, accounts: Accounts) -> dict[str, Values]:
    most: Counter[tuple[str, ...]] = Counter()
    used: Counter[tuple[str, ...]] = Counter()
    for each in snapshot.limits.values():
        label = (accounts.label(each.account),)
        most[label] += each.limit
        used[label] += each.in_flight
    return {"callspool_account_limit": dict(most), "callspool_account_in_flight": dict(used)}


def _longest(seconds: dict[str, float], accounts: Accounts, shown: list[str]) -> Values:
    found = dict.fromkeys(shown, 0.0)
    for account, each in seconds.items():
        label = accounts.label(account)
        found[label] = max(each, found.get(label, 0.0))
    return {(account,): each for account, each in found.items()}


def _histograms(snapshot: Snapshot, accounts: Accounts, shown: list[str]) -> dict[str, Values]:
    found: defaultdict[tuple[str, str], Histogram] = defaultdict(Histogram)
    for account in shown:
        for kind in ("submission|created", "delivery", "batch", "followed"):
            found[account, kind] = Histogram()
    for (account, kind), histogram in snapshot.timings.items():
        found[accounts.label(account), kind].merge(histogram)
    submissions: Values = {}
    deliveries: Values = {}
    batches: Values = {}
    followed: Values = {}
    for (account, kind), histogram in found.items():
        name, _, outcome = kind.partition("|")
        if name == "submission":
            submissions[outcome, account] = _bars(histogram, SUBMISSION_MS, 1000)
        elif name == "delivery":
            deliveries[account,] = _bars(histogram, DELIVERY_MS, 1000)
        elif name == "followed":
            followed[account,] = _bars(histogram, FOLLOWED_MS, 1000)
        else:
            batches[account,] = _bars(histogram, BATCH_DOCUMENTS, 1)
    return {
        "callspool_submission_seconds": submissions,
        "callspool_delivery_seconds": deliveries,
        "callspool_batch_documents": batches,
        "callspool_follow_delay_seconds": followed,
    }


def _bars(histogram: Histogram, bounds: tuple[int, ...], unit: int) -> Bars:
    names = [*(str(float(bound / unit)) for bound in bounds), "+Inf"]
    numbers = histogram.cumulate(bounds)
    return Bars([*zip(names, map(float, numbers), strict=True)], histogram.sum / unit)


def _redis(server: RedisFacts) -> dict[str, Values]:
    return {
        "callspool_redis_memory_bytes": {(): server.memory},
        "callspool_redis_memory_limit_bytes": {(): server.memory_limit},
        "callspool_redis_connected_clients": {(): server.clients},
        "callspool_redis_uptime_seconds": {(): server.uptime},
        "callspool_redis_persistence_ok": {(): int(server.is_persistent)},
    }
