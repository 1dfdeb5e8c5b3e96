"""Alerts about lateness and success: is the promise to those who enqueue being kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.alerting import promql
from grafana.alerting.config import duration
from grafana.alerting.promql import ledger
from grafana.alerting.rule import Alert, Group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from grafana.alerting.config import Burn, Config


def delivery(config: Config) -> Group:
    """Makes the alerts on burn rates of both budgets, and on what waits or is not accepted."""
    burns = [*map(_late(config), config.burns), *map(_die(config), config.burns)]
    return Group("callspool-delivery", [*burns, *_waiting(config)])


def _late(config: Config) -> Callable[[Burn], Alert]:
    limit = duration(config.late_after)

    def alert(burn: Burn) -> Alert:
        # What waited behind a pause is late on purpose.
        paused = f"max_over_time({promql.PAUSED}[{duration(burn.long)}]) > 0"
        return Alert(
            alert="CallspoolDeliveryLate",
            expr=_burning(config, burn, promql.late, promql.deliveries)
            + f"\nunless on (job, account)\n  {paused}",
            severity=burn.severity,
            labels=_windows(burn),
            summary="{{ $value | humanizePercentage }} of the calls of {{ $labels.account }} "
            f"are handed over later than {limit}",
            description=f"Over {duration(burn.long)} more than {_share(config, burn)} of the "
            "documents became created too late. The Delivery dashboard tells where the time goes: "
            "waiting (too few workers, or the API is slow), or sent more than once.",
        )

    return alert


def _die(config: Config) -> Callable[[Burn], Alert]:
    def alert(burn: Burn) -> Alert:
        return Alert(
            alert="CallspoolDocumentsDie",
            expr=_burning(config, burn, promql.dead, promql.settled),
            severity=burn.severity,
            labels=_windows(burn),
            summary="{{ $value | humanizePercentage }} of the documents of {{ $labels.account }} "
            "cannot be sent",
            description=f"Over {duration(burn.long)} more than {_share(config, burn)} of what was "
            "settled became dead. `callspool dead list` tells why, in the API's words: wrong "
            "numbers are the list's fault, anything else is the API's or ours.",
        )

    return alert


def _burning(
    config: Config, burn: Burn, ratio: Callable[[float], str], traffic: Callable[[float], str]
) -> str:
    limit = f"{burn.factor:g} * {1 - config.objective:.4g}"
    fewest = f"{traffic(burn.long)} * {burn.long:g} >= {config.fewest_documents}"
    return (
        f"{ratio(burn.long)} > {limit}\n"
        f"and on (job, account)\n  {ratio(burn.short)} > {limit}\n"
        f"and on (job, account)\n  {fewest}"
    )


def _share(config: Config, burn: Burn) -> str:
    return f"{burn.factor * (1 - config.objective):.1%}".replace(".0%", "%")


def _windows(burn: Burn) -> dict[str, str]:
    return {"window": f"{duration(burn.long)}/{duration(burn.short)}"}


def _waiting(config: Config) -> Iterator[Alert]:
    yield Alert(
        alert="CallspoolOldestWaiting",
        expr=f"{ledger('callspool_oldest_ready_seconds')} > {config.oldest_ready:g}",
        severity="page",
        hold=config.hold_brief,
        summary="Calls of {{ $labels.account }} have waited for {{ $value | humanizeDuration }}",
        description="They may be sent (they are neither paused nor parked), and no worker takes "
        "them, or not fast enough.",
    )
    spooled = ledger("callspool_spooled_messages", "job")
    before = ledger(f"callspool_spooled_messages offset {duration(config.growth)}", "job")
    yield Alert(
        alert="CallspoolSpoolNotAccepted",
        expr=f"{ledger('callspool_oldest_spooled_seconds', 'job')} > {config.oldest_spooled:g}\n"
        f"and on (job)\n  {spooled} >= {before}",
        severity="page",
        hold=config.hold_brief,
        summary="What producers enqueued {{ $value | humanizeDuration }} ago is not accepted yet",
        description="The spool of call requests is old and does not get shorter: workers are gone, "
        "wedged, or cannot keep up. Nothing is lost, and nothing of it is called.",
    )
    share = f"sum by (job) ({ledger(_WAITING)})\n  / on (job)\n" + ledger(
        "callspool_max_waiting_documents", "job"
    )
    yield Alert(
        alert="CallspoolQueueNearlyFull",
        expr=f"{share} > {config.queue_full:g}",
        severity="ticket",
        hold=config.hold,
        summary="The queue is {{ $value | humanizePercentage }} full",
        description="At 100 % of CALLSPOOL_MAX_WAITING producers get QueueFull, and their calls "
        "are not enqueued.",
    )
    yield Alert(
        alert="CallspoolRateLimited",
        expr=f"avg_over_time({promql.THROTTLED}[{duration(config.throttled_window)}])"
        f" > {config.throttled_share:g}\nand on (job, account)\n  {ledger(_WAITING)} > 0",
        severity="ticket",
        summary="{{ $labels.account }} rests {{ $value | humanizePercentage }} of the time, since "
        "the API says 429",
        description="Calls wait for the API's rate limit. Nothing is lost; they go out late.",
    )


_WAITING = 'callspool_documents{state="waiting"}'
