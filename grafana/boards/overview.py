"""Are calls going out, how late, what fails, whose fault, what do I do: in this order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.alerting import promql
from grafana.alerting.config import duration
from grafana.boards.spec import (
    ACCOUNTS,
    BLUE,
    GRAY,
    GREEN,
    INSTALLATION,
    ORANGE,
    PURPLE,
    RED,
    YELLOW,
    Board,
    Panel,
    Query,
    Row,
    largest,
    per_second,
    summed,
)

if TYPE_CHECKING:
    from grafana.alerting.config import Config

EVENTS = "callspool_document_events_total"
FIRING = 'ALERTS{alertname=~"Callspool.*", alertstate="firing"}'

OUTCOMES = {
    "created": GREEN,
    "partial": YELLOW,
    "rejected": ORANGE,
    "throttled": BLUE,
    "server_error": RED,
    "no_answer": PURPLE,
    "not_sent": GRAY,
}


def board(config: Config) -> Board:
    """Returns the dashboard to open first."""
    return Board(
        uid="callspool-overview",
        title="callspool / Overview",
        description="Are calls going out, how late, what fails, whose fault is it, what do I do.",
        rows=[
            Row("Are calls going out?", _answers(config)),
            Row("How late, and what do I do?", _lateness(config)),
            Row("What fails, and whose fault is it?", _faults()),
            Row("Where the documents are", _whereabouts(config)),
        ],
    )


def _answers(config: Config) -> list[Panel]:
    hour, budget = config.burns[0].long, 1 - config.objective
    page = config.burns[0].factor * budget
    created = per_second(EVENTS, where='event="created"')
    return [
        Panel(
            title="Created a second",
            kind="stat",
            description="Documents that the API took over. Good: above 0 while something waits.",
            queries=[Query(created, "created")],
            unit="cps",
            width=4,
            height=4,
            decimals=1,
            runbook="CallspoolOldestWaiting",
        ),
        Panel(
            title="Oldest that may be sent",
            kind="stat",
            description="How long the oldest document waits that is neither paused nor parked. "
            "Good: seconds; minutes while a large list goes out.",
            queries=[Query(largest("callspool_oldest_ready_seconds"), "oldest")],
            unit="s",
            width=4,
            height=4,
            steps=((config.oldest_ready / 3, ORANGE), (config.oldest_ready, RED)),
            runbook="CallspoolOldestWaiting",
        ),
        Panel(
            title="Late, last hour",
            kind="stat",
            description=f"Of what was created: later than {duration(config.late_after)} after "
            f"acceptance. Good: under {budget:.0%}. What was paused counts here, but wakes nobody.",
            queries=[Query(f"max({promql.late(hour)}{ACCOUNTS})", "late")],
            unit="percentunit",
            width=4,
            height=4,
            decimals=1,
            steps=((budget, ORANGE), (page, RED)),
            runbook="CallspoolDeliveryLate",
        ),
        Panel(
            title="Dead, last hour",
            kind="stat",
            description="Of what was settled: cannot be sent. Good: under "
            f"{budget:.0%}; wrong numbers in a list raise it.",
            queries=[Query(f"max({promql.dead(hour)}{ACCOUNTS})", "dead")],
            unit="percentunit",
            width=4,
            height=4,
            decimals=1,
            steps=((budget, ORANGE), (page, RED)),
            runbook="CallspoolDocumentsDie",
        ),
        Panel(
            title="In doubt",
            kind="stat",
            description="May have been created, not proven yet. Good: 0, or a number that falls "
            "within minutes.",
            queries=[Query(summed(_state("in_doubt"), selector=""), "in doubt")],
            width=4,
            height=4,
            decimals=0,
            steps=((1, ORANGE),),
            runbook="CallspoolDoubtsNotShrinking",
        ),
        Panel(
            title="Workers alive",
            kind="stat",
            description="Worker processes that gave a sign of life. Good: as many as were started.",
            queries=[Query(largest("callspool_workers", selector=INSTALLATION), "workers")],
            width=4,
            height=4,
            decimals=0,
            steps=((0, RED), (1, GREEN)),
            runbook="CallspoolWorkersGone",
        ),
    ]


def _lateness(config: Config) -> list[Panel]:
    ages = {
        "may be sent": largest("callspool_oldest_ready_seconds"),
        "waits, paused and parked too": largest("callspool_oldest_waiting_seconds"),
        "in doubt": largest("callspool_oldest_in_doubt_seconds"),
        "not accepted yet": largest("callspool_oldest_spooled_seconds", selector=INSTALLATION),
    }
    events = {"accepted": BLUE, "created": GREEN, "dead": RED, "expired": ORANGE}
    flow = per_second(EVENTS, "event", where='event=~"accepted|created|dead|expired"')
    return [
        Panel(
            title="Accepted and created",
            description="Documents a second. Good: created follows accepted within seconds; the "
            "gap between them is what waits.",
            queries=[Query(flow, "{{event}}")],
            unit="cps",
            colors=events,
            runbook="CallspoolOldestWaiting",
        ),
        Panel(
            title="Age of the oldest",
            description="Good: all near 0. The red line is where somebody is woken; what is paused "
            "or parked may be older.",
            queries=[Query(expr, name) for name, expr in ages.items()],
            unit="s",
            steps=((config.oldest_ready, RED),),
            colors=dict(zip(ages, (BLUE, GRAY, ORANGE, PURPLE), strict=True)),
            runbook="CallspoolOldestWaiting",
        ),
        Panel(
            title="Alerts that fire: what do I do?",
            kind="table",
            description="Good: none. Each has a heading in the runbook, with the commands to type.",
            queries=[Query(f"max by (alertname, severity, account) ({FIRING})", "")],
        ),
    ]


def _faults() -> list[Panel]:
    answers = "callspool_submissions_total"
    rests = largest("callspool_throttled_seconds", "account")
    refused = per_second(answers, "outcome", "code", where='outcome!="created"')
    return [
        Panel(
            title="Create-calls by outcome",
            kind="stack",
            description="Requests a second. Good: created alone. rejected: our request or the "
            "list; throttled: our speed; server_error and no_answer: the API; not_sent: the way.",
            queries=[Query(per_second(answers, "outcome"), "{{outcome}}")],
            unit="reqps",
            colors=OUTCOMES,
            runbook="CallspoolAccountParked",
        ),
        Panel(
            title="What the API answered instead",
            kind="stack",
            description="Answers a second that created nothing for certain, by code. Good: none.",
            queries=[Query(refused, "{{outcome}} {{code}}")],
            unit="reqps",
            runbook="CallspoolDocumentsDie",
        ),
        Panel(
            title="Kept back",
            description="Gates that workers closed because of an answer (parked), that operators "
            "closed (paused), and seconds that accounts rest because of a 429. Good: all 0.",
            queries=[
                Query(
                    summed("callspool_parked", "level", "reason"), "parked {{level}}: {{reason}}"
                ),
                Query(f"max by (level) (callspool_paused{INSTALLATION}) > 0", "paused: {{level}}"),
                Query(f"{rests} > 0", "rests (s): {{account}}"),
            ],
            runbook="CallspoolLanesParked",
        ),
    ]


def _whereabouts(config: Config) -> list[Panel]:
    states = {"waiting": BLUE, "sending": GREEN, "in_doubt": ORANGE}
    hour, budget = config.burns[0].long, 1 - config.objective
    return [
        Panel(
            title="Not settled yet",
            kind="stack",
            description="Documents by state. Good: waiting falls, sending is small, in_doubt is 0.",
            queries=[Query(summed(_state("|".join(states)), "state", selector=""), "{{state}}")],
            width=12,
            colors=states,
            runbook="CallspoolDoubtsNotShrinking",
        ),
        Panel(
            title="How fast the budgets burn",
            description="1 uses up the 30 days' budget in 30 days. Good: under 1. "
            f"{config.burns[0].factor:g} wakes somebody within the hour.",
            queries=[
                Query(f"max({promql.late(hour)}{ACCOUNTS}) / {budget:.4g}", "late"),
                Query(f"max({promql.dead(hour)}{ACCOUNTS}) / {budget:.4g}", "dead"),
            ],
            unit="none",
            width=12,
            steps=((1, ORANGE), (config.burns[0].factor, RED)),
            colors={"late": PURPLE, "dead": RED},
            runbook="CallspoolDeliveryLate",
        ),
    ]


def _state(states: str) -> str:
    return f'callspool_documents{{job="$job", account=~"$account", state=~"{states}"}}'
