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
    Definition("callspool_up", "gauge", (), "1 while the exporter answers."),
    Definition("callspool_redis_up", "gauge", (), "1 if Redis answered this scrape, else 0."),
    Definition(
        "callspool_scrape_seconds", "gauge", (), "How long reading the ledger took this scrape."
    ),
    Definition(
        "callspool_document_events_total",
        "counter",
        ("event", "account"),
        "What happened to documents: accepted, duplicate, invalid, conflict, created, dead, resent,"
        " cancelled, expired, suppressed (also counted as cancelled).",
    ),
    Definition(
        "callspool_suppressed_total",
        "counter",
        ("list", "account"),
        "Documents cancelled because their number is on a list: global, account or named.",
    ),
    Definition(
        "callspool_calls_outside_hours_total",
        "counter",
        ("by", "account"),
        "Calls that began outside of their contact's hours: handed over then by us, or begun by"
        " the platform.",
    ),
    Definition(
        "callspool_capped_total",
        "counter",
        ("account",),
        "How often a document went aside because its number was called as often as a cap allows.",
    ),
    Definition(
        "callspool_documents",
        "gauge",
        ("state", "account"),
        "Documents now in the state; all states together are those ever accepted.",
    ),
    Definition(
        "callspool_unaccounted_documents",
        "gauge",
        _ACCOUNT,
        "Accepted documents less those in any state; other than 0 is a possible loss.",
    ),
    Definition(
        "callspool_submissions_total",
        "counter",
        ("outcome", "code", "account"),
        "Create-calls by outcome and HTTP code; code none where no answer came.",
    ),
    Definition(
        "callspool_submission_seconds",
        "histogram",
        ("outcome", "account"),
        "From taking a batch to recording what came of its create-call.",
    ),
    Definition(
        "callspool_delivery_seconds",
        "histogram",
        _ACCOUNT,
        "From a document's acceptance to the record that the API created its task.",
    ),
    Definition(
        "callspool_batch_documents",
        "histogram",
        _ACCOUNT,
        "Documents in a create-call that was, or may have been, sent.",
    ),
    Definition(
        "callspool_oldest_waiting_seconds",
        "gauge",
        _ACCOUNT,
        "Age of the batch that waits longest, 0 if none does.",
    ),
    Definition(
        "callspool_oldest_ready_seconds",
        "gauge",
        _ACCOUNT,
        "How long the next batches have waited that may be sent: neither paused, parked, backing"
        " off nor throttled; 0 if there are none.",
    ),
    Definition(
        "callspool_oldest_in_doubt_seconds",
        "gauge",
        _ACCOUNT,
        "How long documents have been in doubt at most, 0 if none are.",
    ),
    Definition(
        "callspool_oldest_sending_seconds",
        "gauge",
        _ACCOUNT,
        "Age of the oldest take whose outcome is not recorded, 0 if there is none.",
    ),
    Definition(
        "callspool_outcomes_total",
        "counter",
        ("outcome", "account"),
        "Created documents whose call got this outcome; a follow-up may give it another one.",
    ),
    Definition(
        "callspool_open_calls",
        "gauge",
        _ACCOUNT,
        "Created documents whose call is open, as far as is known.",
    ),
    Definition(
        "callspool_oldest_open_call_seconds",
        "gauge",
        _ACCOUNT,
        "How long ago the oldest documents with open calls were created, 0 if there are none.",
    ),
    Definition(
        "callspool_follow_requests_total",
        "counter",
        ("code", "account"),
        "Reads of the API that follow calls, by the code of the answer.",
    ),
    Definition(
        "callspool_follow_delay_seconds",
        "histogram",
        _ACCOUNT,
        "From a call's end, by the API's clock, to its outcome in the ledger.",
    ),
    Definition(
        "callspool_lanes",
        "gauge",
        ("state", "account"),
        "Lanes with unsettled documents by state: open, paused, parked, closed by their campaign.",
    ),
    Definition(
        "callspool_lanes_closed",
        "gauge",
        ("reason", "account"),
        "Lanes that wait because of their campaign: hours, pace, starts, or sorting by zones.",
    ),
    Definition(
        "callspool_waiting_documents",
        "gauge",
        ("reason", "account"),
        "Documents that wait, by what keeps them: hours, cap, pace, starts, pause, gate, or queue.",
    ),
    Definition(
        "callspool_timetable_age_seconds",
        "gauge",
        (),
        "Age of the oldest table of calling hours, 0 if no campaign has hours.",
    ),
    Definition(
        "callspool_parked",
        "gauge",
        ("level", "reason", "account"),
        "Gates that workers closed, by level (account, space, lane) and reason: the code of the"
        " answer, unread, or none.",
    ),
    Definition(
        "callspool_paused",
        "gauge",
        ("level",),
        "Pauses of operators in force, by level: all, account, space, campaign, lane.",
    ),
    Definition(
        "callspool_throttled_seconds",
        "gauge",
        _ACCOUNT,
        "How long the account still rests because its API asked for it or cannot be reached.",
    ),
    Definition(
        "callspool_account_limit",
        "gauge",
        _ACCOUNT,
        "Requests that the account may have in flight now, over all workers.",
    ),
    Definition(
        "callspool_account_in_flight",
        "gauge",
        _ACCOUNT,
        "Requests that the account has in flight, over all workers.",
    ),
    Definition(
        "callspool_unproven_resends_total",
        "counter",
        _ACCOUNT,
        "Documents sent again without proof that they were not created.",
    ),
    Definition(
        "callspool_created_twice_total",
        "counter",
        _ACCOUNT,
        "Documents that two attempts created.",
    ),
    Definition(
        "callspool_proven_documents_total",
        "counter",
        _ACCOUNT,
        "Documents that reading back proved created.",
    ),
    Definition("callspool_runs_total", "counter", _ACCOUNT, "Runs that the API began."),
    Definition(
        "callspool_dead_documents_total",
        "counter",
        ("code", "account"),
        "Documents that became dead, by the code of the answer, or missing, too_large, none.",
    ),
    Definition(
        "callspool_workers",
        "gauge",
        (),
        "Worker processes that gave a sign of life in the last 12 seconds.",
    ),
    Definition(
        "callspool_spooled_messages",
        "gauge",
        (),
        "Messages of producers that no worker accepted yet.",
    ),
    Definition(
        "callspool_oldest_spooled_seconds",
        "gauge",
        (),
        "Age of the oldest of those messages, 0 if there is none.",
    ),
    Definition(
        "callspool_unreadable_messages",
        "gauge",
        (),
        "Messages that no worker could read, kept whole.",
    ),
    Definition(
        "callspool_sweep_lag_seconds",
        "gauge",
        (),
        "How long the most overdue entry has been due; about 0 while sweeps work.",
    ),
    Definition(
        "callspool_max_waiting_documents",
        "gauge",
        (),
        "The limit CALLSPOOL_MAX_WAITING of the exporter's own settings.",
    ),
    Definition("callspool_redis_memory_bytes", "gauge", (), "Memory that Redis uses."),
    Definition(
        "callspool_redis_memory_limit_bytes", "gauge", (), "maxmemory of Redis, 0 if none is set."
    ),
    Definition("callspool_redis_connected_clients", "gauge", (), "Connections to Redis."),
    Definition("callspool_redis_uptime_seconds", "gauge", (), "Since when Redis runs."),
    Definition(
        "callspool_redis_persistence_ok",
        "gauge",
        (),
        "1 if the append-only file is on and its last write went well, else 0.",
    ),
    Definition(
        "callspool_redis_writes_refused",
        "gauge",
        (),
        "1 while Redis refuses every write, since it cannot save to its disk, else 0.",
    ),
)

BY_NAME = {definition.name: definition for definition in DEFINITIONS}
WITHOUT_REDIS = ("callspool_up", "callspool_redis_up", "callspool_scrape_seconds")
_BECAME = ("created", "dead", "resent", "cancelled", "expired", "suppressed")
EVENTS = ("accepted", "duplicate", "invalid", "conflict", *_BECAME)
LIST_KINDS = ("global", "account", "named")
LANE_STATES = ("open", "paused", "parked", "closed")
PAUSE_LEVELS = ("all", "account", "space", "campaign", "lane")
