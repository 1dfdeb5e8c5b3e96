"""Alerts about what workers keep from being sent, and about messages that they cannot read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.alerting.promql import ledger
from grafana.alerting.rule import Alert, Group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana.alerting.config import Config


_ACCOUNT = 'callspool_parked{level="account"}'
_NARROWER = 'callspool_parked{level=~"space|lane"}'


def group(config: Config) -> Group:
    """What is parked (never what is paused: that was somebody's wish), and what is unreadable."""
    return Group("callspool-gates", [*_parked(config), _unreadable(config)])


def _parked(config: Config) -> Iterator[Alert]:
    yield Alert(
        alert="CallspoolAccountParked",
        # Whatever the reason: what an API answers while it is down may change with each probe.
        expr=f"{ledger(_ACCOUNT, 'job', 'account')} > 0",
        severity="page",
        hold=config.hold_brief,
        summary="Nothing of {{ $labels.account }} is sent: token refused, or API down",
        description="`callspool status` tells which: 401, the token; anything else, the API. "
        "Workers try again by themselves; nothing is lost.",
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
