"""The ledger at one moment, as numbers: what the exporter serves, read in two round trips."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import reduce
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from callspool_ledger.keys import account_holders, account_limit
from callspool_ledger.reads.reading import merged_by, of_ledger
from callspool_ledger.scripts import load
from callspool_ledger.selectors import Selector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from callspool.redis_io.scripts import Call, Command
    from callspool_ledger.keys import PartitionKeys
    from callspool_ledger.reads.reading import Trips


SUBMISSION_MS = (50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000)
DELIVERY_MS = (
    500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000, 21_600_000,
    86_400_000,
)  # fmt: skip
FOLLOWED_MS = (
    60_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 86_400_000,
)  # fmt: skip
BATCH_DOCUMENTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
"""Upper bounds of buckets. Those of what is stored already must never change."""


@dataclass(slots=True)
class Histogram:
    """How many fell into each bucket, counted from 1 and not cumulated; and their sum."""

    buckets: Counter[int] = field(default_factory=Counter)
    sum: int = 0

    def add(self, bucket: str, number: int) -> None:
        """Adds one field of P:timings."""
        if bucket == "sum":
            self.sum += number
        else:
            self.buckets[int(bucket)] += number

    def merge(self, other: Histogram) -> None:
        """Adds another histogram with the same bounds."""
        self.buckets.update(other.buckets)
        self.sum += other.sum

    def cumulate(self, bounds: tuple[int, ...]) -> list[int]:
        """Returns how many are not above each bound; the last number is how many there are."""
        return [*accumulate(self.buckets[bucket] for bucket in range(1, len(bounds) + 2))]


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


class RedisFacts(NamedTuple):
    """What Redis says of itself; ``memory_limit`` 0 is none."""

    memory: int
    memory_limit: int
    clients: int
    uptime: int
    is_persistent: bool
    """The append-only file is on, and its last write went well."""


class _Rest(msgspec.Struct):
    """What the script tells besides hashes. Times are ms of Redis' clock; 0 or absent: none."""

    spooled: int
    oldest_spooled: int
    unreadable: int
    due: float
    waiting: dict[str, float]
    ready: dict[str, float]
    in_doubt: dict[str, float]
    sending: dict[str, float]
    open: dict[str, float]
    throttled: dict[str, float]
    lanes: dict[str, int]
    parked: dict[str, int]
    closed: dict[str, int] = {}
    waits: dict[str, float] = {}
    oldest_table: float = 0
    pauses: list[str] = []
    workers: list[str] = []
    cut_off: bool = False


@dataclass(slots=True)
class Snapshot:
    """One moment of a ledger, or of several partitions of it; ages and rests in seconds."""

    now_ms: int = 0
    """Redis' time."""
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Account and name → number: the fields of P:counts (`keys`)."""
    died: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Account and code → documents that became dead."""
    looked: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Account and code → answers to reads that follow calls."""
    known_since: dict[str, int] = field(default_factory=dict)
    """Account → when its first document was accepted, ms."""
    submissions: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Account, outcome and code → answers."""
    timings: defaultdict[tuple[str, str], Histogram] = field(
        default_factory=lambda: defaultdict(Histogram)
    )
    """Account and name → histogram; names are ``batch``, ``delivery``, ``followed``,
    ``submission|<outcome>``."""
    lanes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Account and state → lanes."""
    parked: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Level, code and account → closed gates."""
    closed: Counter[tuple[str, str]] = field(default_factory=Counter)
    waits: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Account and what keeps them from being sent → documents that wait."""
    """Account and reason → lanes that wait because of what was asked for by campaign."""
    oldest_hours: float = 0.0
    """Age of the oldest table of calling hours."""
    paused: Counter[str] = field(default_factory=Counter)
    """Level → pauses."""
    oldest: dict[tuple[str, str], float] = field(default_factory=dict)
    """``waiting``, ``ready``, ``in_doubt``, ``sending`` or ``open`` (calls), and account → age of
    the oldest."""
    throttled: dict[str, float] = field(default_factory=dict)
    """Account → how long it still rests."""
    limits: dict[str, AccountLimit] = field(default_factory=dict)
    """By account, for those that sent something within a day."""
    workers: set[str] = field(default_factory=set)
    spooled_messages: int = 0
    oldest_spooled: float = 0.0
    unreadable_messages: int = 0
    sweep_lag: float = 0.0
    server: RedisFacts | None = None
    refuses_writes: bool = False
    """Redis refuses every write: its disk is full, as a rule."""
    is_cut_off: bool = False
    """Nothing is taken, since Redis lost touch with its replicas."""

    def merge(self, other: Snapshot) -> Snapshot:
        """Adds another partition; what is in force in each of them counts once."""
        self.counts.update(other.counts)
        self.died.update(other.died)
        self.looked.update(other.looked)
        self.submissions.update(other.submissions)
        self.lanes.update(other.lanes)
        self.parked.update(other.parked)
        self.closed.update(other.closed)
        self.waits.update(other.waits)
        self.oldest_hours = max(self.oldest_hours, other.oldest_hours)
        self.paused |= other.paused
        for name, histogram in other.timings.items():
            self.timings[name].merge(histogram)
        for account, since in other.known_since.items():
            self.known_since[account] = min(since, self.known_since.get(account, since))
        for key, age in other.oldest.items():
            self.oldest[key] = max(age, self.oldest.get(key, 0.0))
        for account, rest in other.throttled.items():
            self.throttled[account] = max(rest, self.throttled.get(account, 0.0))
        self.limits |= other.limits
        self.workers |= other.workers
        self.spooled_messages += other.spooled_messages
        self.unreadable_messages += other.unreadable_messages
        self.oldest_spooled = max(self.oldest_spooled, other.oldest_spooled)
        self.sweep_lag = max(self.sweep_lag, other.sweep_lag)
        self.server = self.server or other.server
        self.is_cut_off |= other.is_cut_off
        return self


def snapshot_of(reply: object, server: RedisFacts | None) -> Snapshot:
    """Reads the reply of the script ``metrics``; raises TypeError if it is none."""
    if not isinstance(reply, list) or len(reply) != 5:
        raise TypeError(f"metrics answered {type(reply).__name__}, not a list of five")
    now, counts, submissions, timings, text = reply
    rest = msgspec.json.decode(text, type=_Rest)
    found = Snapshot(server=server, now_ms=int(now))
    for name, number in _fields(counts):
        _add_count(found, name, number)
    for name, number in _fields(submissions):
        account, outcome, code = name.split("|")
        found.submissions[account, outcome, code] += number
    for name, number in _fields(timings):
        histogram, _, bucket = name.rpartition("|")
        account, _, kind = histogram.partition("|")
        found.timings[account, kind].add(bucket, number)
    _add_rest(found, rest)
    return found


def _fields(flat: Iterable[bytes]) -> Iterator[tuple[str, int]]:
    each = iter(flat)
    return ((name.decode(), int(number)) for name, number in zip(each, each, strict=True))


def _add_count(found: Snapshot, field_name: str, number: int) -> None:
    account, bar, name = field_name.partition("|")
    if not bar:
        return  # of the whole installation: for producers, who must not add up accounts
    if name == "since":
        found.known_since[account] = number
    elif name.startswith("died|"):
        found.died[account, name.removeprefix("died|")] += number
    elif name.startswith("looked|"):
        found.looked[account, name.removeprefix("looked|")] += number
    else:
        found.counts[account, name] += number


def _add_rest(found: Snapshot, rest: _Rest) -> None:
    def age(since_ms: float) -> float:
        return max(0.0, (found.now_ms - since_ms) / 1000) if since_ms else 0.0

    for what in ("waiting", "ready", "in_doubt", "sending", "open"):
        for account, since in getattr(rest, what).items():
            found.oldest[what, account] = age(since)
    found.throttled = {name: (till - found.now_ms) / 1000 for name, till in rest.throttled.items()}
    for what in ("lanes", "closed", "waits"):
        counts = getattr(found, what)
        for name, some in getattr(rest, what).items():
            account, _, kind = name.partition("|")
            counts[account, kind] += round(some)
    for name, number in rest.parked.items():
        level, code, account = name.split("|")
        found.parked[level, code, account] += number
    found.oldest_hours = rest.oldest_table / 1000
    found.paused.update(Selector.from_name(name).level for name in rest.pauses)
    found.workers.update(rest.workers)
    found.is_cut_off = rest.cut_off
    found.spooled_messages = rest.spooled
    found.oldest_spooled = age(rest.oldest_spooled)
    found.unreadable_messages = rest.unreadable
    found.sweep_lag = age(rest.due)


MOST_SPACES = 200
"""Spaces in doubt whose oldest batches are looked at, those that are read back next first."""

MOST_ACCOUNTS = 100
"""Accounts whose limits are looked up."""

SILENT_MS = 12_000
"""Milliseconds: a worker that lives has a heartbeat every 5 s (`transport.keeper`)."""

_INFO: Command = ("INFO", "server", "clients", "memory", "persistence")


def _add_up(parts: list[Snapshot]) -> Snapshot:
    return reduce(Snapshot.merge, parts)


@merged_by(_add_up)
def read_metrics(keys: PartitionKeys) -> Trips[Snapshot]:
    """Reads what the ledger counts, at one moment; limits apart, which `add_limits` adds."""
    asked: Call = load("reads/metrics").call([keys.prefix], (MOST_SPACES, SILENT_MS))
    reply, info = yield [asked, _INFO]
    return snapshot_of(reply, _server_of(info))


def _unite(parts: list[set[str]]) -> set[str]:
    return {name for part in parts for name in part}


@merged_by(_unite)
def read_accounts(keys: PartitionKeys) -> Trips[set[str]]:
    """Reads the accounts that documents were ever accepted for."""
    (names,) = yield [("SMEMBERS", keys.accounts)]
    return {name.decode() for name in names} if isinstance(names, set | list) else set()


def accounts_of(found: Snapshot) -> list[str]:
    """Returns the accounts whose limits belong to a snapshot, at most `MOST_ACCOUNTS`."""
    known = sorted(account for account, name in found.counts if name == "accepted")
    return known[:MOST_ACCOUNTS]


def add_limits(found: Snapshot, limits: Iterable[AccountLimit]) -> Snapshot:
    """Returns the snapshot with the limits that accounts share across partitions."""
    for limit in limits:
        found.limits[limit.account] = limit
        if limit.rests_seconds > 0:
            known = found.throttled.get(limit.account, 0.0)
            found.throttled[limit.account] = max(limit.rests_seconds, known)
    return found


def _server_of(info: object) -> RedisFacts | None:
    if not isinstance(info, dict):
        return None
    return RedisFacts(
        memory=int(info.get("used_memory", 0)),
        memory_limit=int(info.get("maxmemory", 0)),
        clients=int(info.get("connected_clients", 0)),
        uptime=int(info.get("uptime_in_seconds", 0)),
        is_persistent=bool(info.get("aof_enabled")) and info.get("aof_last_write_status") == "ok",
    )


@of_ledger
def read_limits(keys: PartitionKeys, accounts: Sequence[str]) -> Trips[list[AccountLimit]]:
    """Reads how many requests accounts may have in flight, of those that sent within a day."""
    del keys  # an account has keys of its own
    replies: list[Any] = yield [
        ("TIME",),
        *(
            command
            for name in accounts
            for command in (
                ("HMGET", account_limit(name), "in_force", "rest"),
                ("HVALS", account_holders(name)),
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
    """Returns the requests in flight of all processes that still hold their permits."""
    rows = [[int(number) for number in each.split()] for each in held]
    return sum(busy for _, busy, _, until in rows if until >= now_ms)
