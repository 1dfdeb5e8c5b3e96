"""Alerts about what workers keep from being sent, and about messages that they cannot read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.alerting.promql import ledger
from grafana.alerting.rule import Alert, Group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana.alerting.config import Config


_WHY_PARKED = (
    ("token refused", 'reason="401"', "Put a valid token where the account's token file is."),
    ("API down", 'reason=~"none|other|5.."', "Tell the API's owner."),
    ("wrong address", 'reason!~"401|none|other|5.."', "`callspool status` names the setting."),
)
"""The label `reason`, the answers of the API that it stands for, and what to do."""

_NARROWER = 'callspool_parked{level=~"space|lane"}'


def group(config: Config) -> Group:
    """What is parked (never what is paused: that was somebody's wish), and what is unreadable."""
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
