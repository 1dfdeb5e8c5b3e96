"""The metrics: their names, labels and how a sample becomes a family."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

if TYPE_CHECKING:
    from prometheus_client.core import Metric


Kind: TypeAlias = Literal["counter", "gauge", "histogram"]


class Definition(NamedTuple):
    """One family; a counter's name ends in ``_total``, as it is scraped."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


def gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Definition:
    """Defines a family of numbers that go up and down."""
    return Definition(name, "gauge", labels, text)


def counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Definition:
    """Defines a family of numbers that only grow."""
    return Definition(name, "counter", labels, text)


def histogram(name: str, text: str, labels: tuple[str, ...] = ()) -> Definition:
    """Defines a family of histograms."""
    return Definition(name, "histogram", labels, text)


class Bars(NamedTuple):
    """A histogram as Prometheus has it: cumulated, the last bound is +Inf."""

    buckets: list[tuple[str, float]]
    sum: float


Values: TypeAlias = dict[tuple[str, ...], float | Bars]
"""Samples by the values of their labels, in the definition's order."""


def family_of(definition: Definition, samples: Values) -> Metric:
    """Returns the family as prometheus_client writes it."""
    name, kind, labels, text = definition
    if kind == "histogram":
        family = HistogramMetricFamily(name, text, labels=labels)
        for values, bars in samples.items():
            assert isinstance(bars, Bars)
            family.add_metric(values, bars.buckets, bars.sum)
        return family
    simple = (CounterMetricFamily if kind == "counter" else GaugeMetricFamily)(
        name, text, labels=labels
    )
    for values, number in samples.items():
        assert not isinstance(number, Bars)
        simple.add_metric(values, number)
    return simple


OTHER = "other"
NONE = "none"

_OF_PROXIES = range(520, 531)
_CODES = frozenset({*map(str, HTTPStatus), *map(str, _OF_PROXIES)})
_WORDS = frozenset({"missing", "too_large", "unread"})


def code_label(code: str) -> str:
    """Returns an HTTP code or one of a few words; ``none`` for no code, ``other`` for any other."""
    if not code:
        return NONE
    return code if code in _CODES or code in _WORDS else OTHER


_ACCOUNT = ("account",)

DEFINITIONS = (
    gauge("callspool_up", "1 while the exporter answers."),
    gauge("callspool_redis_up", "1 if Redis answered this scrape, else 0."),
    gauge("callspool_scrape_seconds", "How long reading the ledger took this scrape."),
    counter(
        "callspool_document_events_total",
        "What happened to documents: accepted, duplicate, invalid, conflict, created, dead, resent,"
        " cancelled, expired, suppressed (also counted as cancelled).",
        ("event", "account"),
    ),
    counter(
        "callspool_suppressed_total",
        "Documents cancelled because their number is on a list: global, account or named.",
        ("list", "account"),
    ),
    counter(
        "callspool_calls_outside_hours_total",
        "Calls that began outside of their contact's hours: handed over then by us, or begun by"
        " the platform.",
        ("by", "account"),
    ),
    counter(
        "callspool_capped_total",
        "How often a document went aside because its number was called as often as a cap allows.",
        _ACCOUNT,
    ),
    gauge(
        "callspool_documents",
        "Documents now in the state; all states together are those ever accepted.",
        ("state", "account"),
    ),
    gauge(
        "callspool_unaccounted_documents",
        "Accepted documents less those in any state; other than 0 is a possible loss.",
        _ACCOUNT,
    ),
    counter(
        "callspool_submissions_total",
        "Create-calls by outcome and HTTP code; code none where no answer came.",
        ("outcome", "code", "account"),
    ),
    histogram(
        "callspool_submission_seconds",
        "From taking a batch to recording what came of its create-call.",
        ("outcome", "account"),
    ),
    histogram(
        "callspool_delivery_seconds",
        "From a document's acceptance to the record that the API created its task.",
        _ACCOUNT,
    ),
    histogram(
        "callspool_batch_documents",
        "Documents in a create-call that was, or may have been, sent.",
        _ACCOUNT,
    ),
    gauge(
        "callspool_oldest_waiting_seconds",
        "Age of the batch that waits longest, 0 if none does.",
        _ACCOUNT,
    ),
    gauge(
        "callspool_oldest_ready_seconds",
        "How long the next batches have waited that may be sent: neither paused, parked, backing"
        " off nor throttled; 0 if there are none.",
        _ACCOUNT,
    ),
    gauge(
        "callspool_oldest_in_doubt_seconds",
        "How long documents have been in doubt at most, 0 if none are.",
        _ACCOUNT,
    ),
    gauge(
        "callspool_oldest_sending_seconds",
        "Age of the oldest take whose outcome is not recorded, 0 if there is none.",
        _ACCOUNT,
    ),
    counter(
        "callspool_outcomes_total",
        "Created documents whose call got this outcome; a follow-up may give it another one.",
        ("outcome", "account"),
    ),
    gauge(
        "callspool_open_calls",
        "Created documents whose call is open, as far as is known.",
        _ACCOUNT,
    ),
    gauge(
        "callspool_oldest_open_call_seconds",
        "How long ago the oldest documents with open calls were created, 0 if there are none.",
        _ACCOUNT,
    ),
    counter(
        "callspool_follow_requests_total",
        "Reads of the API that follow calls, by the code of the answer.",
        ("code", "account"),
    ),
    histogram(
        "callspool_follow_delay_seconds",
        "From a call's end, by the API's clock, to its outcome in the ledger.",
        _ACCOUNT,
    ),
    gauge(
        "callspool_lanes",
        "Lanes with unsettled documents by state: open, paused, parked, closed by their campaign.",
        ("state", "account"),
    ),
    gauge(
        "callspool_lanes_closed",
        "Lanes that wait because of their campaign: hours, pace, starts, or sorting by zones.",
        ("reason", "account"),
    ),
    gauge(
        "callspool_waiting_documents",
        "Documents that wait, by what keeps them: hours, cap, pace, starts, pause, gate, or queue.",
        ("reason", "account"),
    ),
    gauge(
        "callspool_timetable_age_seconds",
        "Age of the oldest table of calling hours, 0 if no campaign has hours.",
    ),
    gauge(
        "callspool_parked",
        "Gates that workers closed, by level (account, space, lane) and reason: the code of the"
        " answer, unread, or none.",
        ("level", "reason", "account"),
    ),
    gauge(
        "callspool_paused",
        "Pauses of operators in force, by level: all, account, space, campaign, lane.",
        ("level",),
    ),
    gauge(
        "callspool_throttled_seconds",
        "How long the account still rests because its API asked for it or cannot be reached.",
        _ACCOUNT,
    ),
    gauge(
        "callspool_account_limit",
        "Requests that the account may have in flight now, over all workers.",
        _ACCOUNT,
    ),
    gauge(
        "callspool_account_in_flight",
        "Requests that the account has in flight, over all workers.",
        _ACCOUNT,
    ),
    counter(
        "callspool_unproven_resends_total",
        "Documents sent again without proof that they were not created.",
        _ACCOUNT,
    ),
    counter("callspool_created_twice_total", "Documents that two attempts created.", _ACCOUNT),
    counter(
        "callspool_proven_documents_total", "Documents that reading back proved created.", _ACCOUNT
    ),
    counter("callspool_runs_total", "Runs that the API began.", _ACCOUNT),
    counter(
        "callspool_dead_documents_total",
        "Documents that became dead, by the code of the answer, or missing, too_large, none.",
        ("code", "account"),
    ),
    gauge("callspool_workers", "Worker processes that gave a sign of life in the last 12 seconds."),
    gauge("callspool_spooled_messages", "Messages of producers that no worker accepted yet."),
    gauge(
        "callspool_oldest_spooled_seconds",
        "Age of the oldest of those messages, 0 if there is none.",
    ),
    gauge("callspool_unreadable_messages", "Messages that no worker could read, kept whole."),
    gauge(
        "callspool_sweep_lag_seconds",
        "How long the most overdue entry has been due; about 0 while sweeps work.",
    ),
    gauge(
        "callspool_max_waiting_documents",
        "The limit CALLSPOOL_MAX_WAITING of the exporter's own settings.",
    ),
    gauge("callspool_redis_memory_bytes", "Memory that Redis uses."),
    gauge("callspool_redis_memory_limit_bytes", "maxmemory of Redis, 0 if none is set."),
    gauge("callspool_redis_connected_clients", "Connections to Redis."),
    gauge("callspool_redis_uptime_seconds", "Since when Redis runs."),
    gauge(
        "callspool_redis_persistence_ok",
        "1 if the append-only file is on and its last write went well, else 0.",
    ),
    gauge(
        "callspool_redis_writes_refused",
        "1 while Redis refuses every write, since it cannot save to its disk, else 0.",
    ),
    Definition(
        "callspool_redis_cut_off",
        "gauge",
        (),
        "1 while nothing is taken, since Redis lost touch with its replicas, else 0.",
    ),
)

BY_NAME = {definition.name: definition for definition in DEFINITIONS}
WITHOUT_REDIS = ("callspool_up", "callspool_redis_up", "callspool_scrape_seconds")
_BECAME = ("created", "dead", "resent", "cancelled", "expired", "suppressed")
EVENTS = ("accepted", "duplicate", "invalid", "conflict", *_BECAME)
LIST_KINDS = ("global", "account", "named")
LANE_STATES = ("open", "paused", "parked", "closed")
PAUSE_LEVELS = ("all", "account", "space", "campaign", "lane")
