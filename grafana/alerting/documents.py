"""Alerts about documents (in doubt, stuck, twice, missing), and about what keeps them back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.alerting.config import DAY, HOUR, duration
from grafana.alerting.promql import increase, ledger, rate
from grafana.alerting.rule import Alert, Group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana.alerting.config import Config


def documents(config: Config) -> Group:
    """Returns what the two promises rest on: nobody twice, nobody lost."""
    alerts = [*_stuck(config), _calls(config), _suppressed(config)]
    alerts += [_outside_hours(config), *_broken_promises(config)]
    return Group("callspool-documents", alerts)


def _stuck(config: Config) -> Iterator[Alert]:
    doubts = 'callspool_documents{state="in_doubt"}'
    yield Alert(
        alert="CallspoolDoubtsNotShrinking",
        expr=f"{ledger(doubts)} >= {ledger(f'{doubts} offset {duration(config.growth)}')}\n"
        f"and on (job, account)\n  {ledger('callspool_oldest_in_doubt_seconds')}"
        f" > {config.oldest_in_doubt:g}",
        severity="ticket",
        hold=config.hold,
        summary="{{ $value }} documents of {{ $labels.account }} stay in doubt",
        description="They may have been created, and reading back does not prove it. They are not "
        "sent again until somebody decides: `callspool doubts list --held`.",
    )
    yield Alert(
        alert="CallspoolSendingStuck",
        expr=f"{ledger('callspool_oldest_sending_seconds')} > {config.oldest_sending:g}",
        severity="ticket",
        hold=config.hold,
        summary="A batch of {{ $labels.account }} was taken {{ $value | humanizeDuration }} ago, "
        "and nobody knows what came of it",
        description="Its lease is long over, and no sweep has put it in doubt: the workers' sweeps "
        "do not run.",
    )


def _suppressed(config: Config) -> Alert:
    suppressed = 'callspool_document_events_total{event="suppressed"}'
    accepted = 'callspool_document_events_total{event="accepted"}'
    now = f"{rate(suppressed, HOUR)}\n  / {rate(accepted, HOUR)}"
    usual = f"({rate(suppressed, DAY)}\n  / {rate(accepted, DAY)})"
    many = f"{increase(suppressed, HOUR)} > {config.suppressed_least}"
    return Alert(
        alert="CallspoolSuppressionJumped",
        expr=f"{now}\n  > {config.suppressed_factor:g} * {usual}\nand {many}",
        severity="ticket",
        hold=config.hold,
        summary="Suddenly many numbers of {{ $labels.account }} are not called: {{ $value | "
        "humanizePercentage }} are on a list",
        description="A list of those who must not be called has grown, or a list of contacts holds "
        "many of them: `callspool suppress lists` and `callspool journal` show which.",
    )


def _outside_hours(config: Config) -> Alert:
    outside = increase('callspool_calls_outside_hours_total{by="us"}', config.counted)
    return Alert(
        alert="CallspoolCallsOutsideHours",
        expr=f"{outside} > 0",
        severity="page",
        summary="Calls of {{ $labels.account }} began outside the hours of their contacts",
        description="They were handed over outside of hours. `callspool report hours` lists them.",
    )


def _broken_promises(config: Config) -> Iterator[Alert]:
    resent = increase("callspool_unproven_resends_total", config.counted)
    yield Alert(
        alert="CallspoolUnprovenResends",
        expr=f"{resent} > 0",
        severity="ticket",
        summary="Documents of {{ $labels.account }} were sent again without proof",
        description="These people may be called twice. CALLSPOOL_ON_DOUBT=resend says so, or "
        "an operator did it: `callspool journal`.",
    )
    yield Alert(
        alert="CallspoolCreatedTwice",
        expr=f"{increase('callspool_created_twice_total', config.counted)} > 0",
        severity="page",
        summary="Documents of {{ $labels.account }} were created twice: people are called twice",
        description="Two attempts created the same document. Pause the account, and find out why "
        "before anything else is sent.",
    )
    unaccounted = ledger("abs(callspool_unaccounted_documents)")
    yield Alert(
        alert="CallspoolPossibleLoss",
        expr=f"{unaccounted} > 0",
        severity="page",
        hold=config.hold_brief,
        summary="{{ $value }} accepted documents of {{ $labels.account }} are in no state",
        description="accepted = waiting + sending + in_doubt + created + dead + cancelled + "
        "expired does not hold: the ledger was damaged or edited, or has a bug.",
    )


def _calls(config: Config) -> Alert:
    followed = increase("callspool_follow_requests_total", config.oldest_open_call)
    return Alert(
        alert="CallspoolCallsOpenForADay",
        expr=f"{ledger('callspool_oldest_open_call_seconds')} > {config.oldest_open_call:g}\n"
        f"and on (job, account)\n  {followed} > 0",
        severity="ticket",
        hold=config.hold_patient,
        summary="Calls of {{ $labels.account }} have been open for {{ $value | humanizeDuration }}",
        description="The API has these documents and shows no end of their calls: they do not go"
        " out, or workers cannot see it.",
    )


_WHY_PARKED = (
    ("token refused", 'reason="401"', "Put a valid token where the account's token file is."),
    ("API down", 'reason=~"none|other|5.."', "Tell the API's owner."),
    ("wrong address", 'reason!~"401|none|other|5.."', "`callspool status` names the setting."),
)
"""The label `reason`, the answers of the API that it stands for, and what to do."""

_NARROWER = 'callspool_parked{level=~"space|lane"}'


def gates(config: Config) -> Group:
    """Makes the alerts on what is parked (not paused, which was wanted) or unreadable."""
    return Group("callspool-gates", [*_parked(config), _unreadable(config)])


def _parked(config: Config) -> Iterator[Alert]:
    # What an API answers while it is down may change with each probe, and must not begin anew.
    for reason, codes, remedy in _WHY_PARKED:
        closed = f'callspool_parked{{level="account",{codes}}}'
        yield Alert(
            alert="CallspoolAccountParked",
            expr=f"{ledger(closed, 'job', 'account')} > 0",
            severity="page",
            hold=config.hold_brief,
            labels={"reason": reason},
            summary=f"Nothing of {{{{ $labels.account }}}} is sent: {reason}",
            description=f"{remedy} Workers try again by themselves; nothing is lost.",
        )
    by = ("job", "account", "level", "reason")
    yield Alert(
        alert="CallspoolLanesParked",
        expr=f"{ledger(_NARROWER, *by)} > 0",
        severity="ticket",
        hold=config.hold_patient,
        summary="{{ $value }} of level {{ $labels.level }} parked in {{ $labels.account }}: "
        "{{ $labels.reason }}",
        description="The API refuses a space or a lane as a whole (no access, agent not found, a "
        "wrong field). Its documents wait until that is mended: `callspool lanes`.",
    )


def _unreadable(config: Config) -> Alert:
    return Alert(
        alert="CallspoolUnreadableMessages",
        expr=f"{ledger('callspool_unreadable_messages', 'job')} > 0",
        severity="ticket",
        hold=config.hold_brief,
        summary="{{ $value }} messages cannot be read; their calls are not made",
        description="A producer writes another format, or a newer one. They are kept whole: "
        "`callspool dead list`.",
    )
