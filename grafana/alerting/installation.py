"""Alerts about what the ledger needs: exporters, workers, Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.alerting.config import duration
from grafana.alerting.promql import ledger
from grafana.alerting.rule import Alert, Group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana.alerting.config import Config


def installation(config: Config) -> Group:
    """Returns what has to be there before anything else can be told."""
    return Group(
        "callspool-installation",
        [
            _exporter(config),
            *_workers(config),
            _sweep(config),
            _hours(config),
            _webhook(config),
            _feed(config),
            *_redis(config),
        ],
    )


_WRITES_REFUSED = f"{ledger('callspool_redis_writes_refused', 'job')} > 0"
"""Then workers cannot mark that they live, either, and nothing is durable: one alert tells."""


def _exporter(config: Config) -> Alert:
    up = f'up{{job="{config.exporter_job}"}}'
    return Alert(
        alert="CallspoolExporterGone",
        expr=f"max by (job) ({up}) == 0\nor\nabsent({up})",
        severity="page",
        hold=config.hold_brief,
        summary="No exporter of {{ $labels.job }} answers: nobody sees whether calls go out",
        description="Every other alert is blind meanwhile; calls may go out as ever.",
    )


def _workers(config: Config) -> Iterator[Alert]:
    gone = f"{ledger('callspool_workers', 'job')} == 0"
    at_work = 'callspool_documents{state=~"waiting|sending|in_doubt"}'
    work = (
        f"({ledger(at_work, 'job')} > 0 or on (job) "
        f"{ledger('callspool_spooled_messages', 'job')} > 0)"
    )
    everything = 'callspool_paused{level="all"}'
    everything_paused = f"{ledger(everything, 'job')} > 0"
    quiet = f"unless on (job)\n  {everything_paused}\nunless on (job)\n  {_WRITES_REFUSED}"
    yield Alert(
        alert="CallspoolWorkersGone",
        expr=f"{gone}\nand on (job)\n  {work}\n{quiet}",
        severity="page",
        hold=config.hold_brief,
        summary="No worker is alive, and there is work",
        description="Nothing is accepted, sent or proven. Nothing is lost either.",
    )
    yield Alert(
        alert="CallspoolWorkersGone",
        expr=f"{gone}\nunless on (job)\n  {work}\n{quiet}",
        severity="ticket",
        hold=config.hold_patient,
        summary="No worker is alive; nothing waits for one yet",
        description="What is enqueued now is not called until a worker runs again.",
    )
    restarts = (
        f"max by (job, instance) (increase(callspool_worker_restarts_total"
        f"[{duration(config.restarts_window)}]))"
    )
    yield Alert(
        alert="CallspoolWorkersRestarting",
        expr=f"{restarts} > {config.restarts}",
        severity="ticket",
        summary="Workers of {{ $labels.instance }} end and are started again and again",
        description="What was being sent is in doubt each time, and read back. The worker's log "
        "tells why it ended; memory limits are the usual reason.",
    )


def _sweep(config: Config) -> Alert:
    return Alert(
        alert="CallspoolSweepLag",
        expr=f"{ledger('callspool_sweep_lag_seconds', 'job')} > {config.sweep_lag:g}\n"
        f"and on (job)\n  {ledger('callspool_workers', 'job')} > 0",
        severity="page",
        hold=config.hold_brief,
        summary="What was due {{ $value | humanizeDuration }} ago has not been looked at",
        description="Workers live, but none sweeps: retries, lanes that are not full, probes and "
        "leases stand still.",
    )


def _hours(config: Config) -> Alert:
    return Alert(
        alert="CallspoolHoursStale",
        expr=f"{ledger('callspool_timetable_age_seconds', 'job')} > {config.hours_table:g}",
        severity="ticket",
        hold=config.hold_brief,
        summary="Calling hours were computed {{ $value | humanizeDuration }} ago",
        description="Workers compute them every 10 minutes. 72 hours after they last did, nothing "
        "of a campaign with hours is sent any more.",
    )


def _webhook(config: Config) -> Alert:
    rests = ledger("callspool_webhook_resting_seconds", "job", "endpoint")
    return Alert(
        alert="CallspoolWebhookResting",
        expr=f"{rests} > {config.webhook_rests:g}",
        severity="ticket",
        summary="Endpoint {{ $labels.endpoint }} has taken no events for "
        "{{ $value | humanizeDuration }}",
        description="Events wait in the feed, 3 days at most, and are delivered in order when it "
        "answers again. Calls go on.",
    )


def _feed(config: Config) -> Alert:
    behind = ledger("callspool_events_lag", "job", "reader")
    kept = "min by (job) (callspool_events_kept_seconds)"
    return Alert(
        alert="CallspoolFeedNearItsEnd",
        expr=f"{behind}\n  / on (job) group_left ()\n{kept}\n  > {config.feed_share:g}",
        severity="ticket",
        hold=config.hold_brief,
        summary="Reader {{ $labels.reader }} of the feed is about to miss events: it is at "
        "{{ $value | humanizePercentage }} of what is kept",
        description="Events that it has not read are dropped soon. Calls go on.",
    )


def _redis(config: Config) -> Iterator[Alert]:
    yield Alert(
        alert="CallspoolRedisAway",
        expr=f"{ledger('callspool_redis_up', 'job')} == 0",
        severity="page",
        hold=config.hold_brief,
        summary="Redis does not answer: nothing is enqueued, nothing is sent",
        description="Producers get QueueUnavailable. Workers wait, and go on when it is back; what "
        "they sent meanwhile is read back first.",
    )
    limit = ledger("callspool_redis_memory_limit_bytes", "job")
    share = f"{ledger('callspool_redis_memory_bytes', 'job')}\n  / on (job)\n({limit} > 0)"
    yield Alert(
        alert="CallspoolRedisMemory",
        expr=f"{share} > {config.memory_page:g}",
        severity="page",
        hold=config.hold_brief,
        summary="Redis is {{ $value | humanizePercentage }} full: producers get QueueFull",
        description="Workers go on sending, which makes room; nothing new is enqueued.",
    )
    yield Alert(
        alert="CallspoolRedisMemory",
        expr=f"{share} > {config.memory_ticket:g}",
        severity="ticket",
        hold=config.hold_patient,
        summary="Redis is {{ $value | humanizePercentage }} full",
        description=f"At {config.memory_page:.0%} producers get QueueFull.",
    )
    yield Alert(
        alert="CallspoolWritesRefused",
        expr=_WRITES_REFUSED,
        severity="page",
        summary="Redis refuses every write (a full disk): nothing is enqueued, nothing is sent",
        description="Redis cannot save to its disk. Producers get QueueUnavailable, workers wait "
        "and seem gone. Both go on by themselves when there is room again; nothing is lost.",
    )
    yield Alert(
        alert="CallspoolRedisCutOff",
        expr=f"{ledger('callspool_redis_cut_off', 'job')} > 0",
        severity="page",
        hold=config.hold_brief,
        summary="Redis has lost touch with its replicas: nothing is sent",
        description="One of them may be the primary now, with workers of its own. Sending goes "
        "on when one is back; where all are gone for good, `callspool resume --all "
        "--without-replicas`.",
    )
    yield Alert(
        alert="CallspoolRedisNotDurable",
        expr=f"{ledger('callspool_redis_persistence_ok', 'job')} == 0\n"
        f"unless on (job)\n  {_WRITES_REFUSED}",
        severity="page",
        hold=config.hold,
        summary="Redis does not keep what it is told: a restart would forget contacts",
        description="The append-only file is off, or its last write failed (a full disk).",
    )
