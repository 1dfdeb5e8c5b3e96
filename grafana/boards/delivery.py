"""How long it takes, what the API says, what is in doubt, and what died of what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.boards.spec import (
    ACCOUNTS,
    BLUE,
    GREEN,
    ORANGE,
    PACE,
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
QUANTILES = {"half": (0.5, GREEN), "95 %": (0.95, YELLOW), "99 %": (0.99, RED)}


def board(config: Config) -> Board:
    """For when the overview says that something is late or fails."""
    return Board(
        uid="callspool-delivery",
        title="callspool / Delivery",
        description="From acceptance to creation: latency, create-calls, doubts, deaths.",
        rows=[
            Row("From accepted to created", _latency(config)),
            Row("Create-calls", _requests()),
            Row("In doubt, and sent again", _doubts(config)),
            Row("Not created", _refused()),
            Row("What became of the calls", _calls()),
        ],
    )


def _quantile(quantile: float, histogram: str, *by: str) -> str:
    labels = ", ".join([*by, "le"])
    each = f"max by (account, {labels}) (rate({histogram}_bucket{ACCOUNTS}[{PACE}]))"
    return f"histogram_quantile({quantile}, sum by ({labels}) ({each}))"


def _latency(config: Config) -> list[Panel]:
    histogram = "callspool_delivery_seconds"
    buckets = f"max by (account, le) (increase({histogram}_bucket{ACCOUNTS}[{PACE}]))"
    return [
        Panel(
            title="Delivery time",
            description="Half, 95 and 99 of a hundred documents were created within this time "
            "after acceptance. Good: seconds. What was paused counts with its pause.",
            queries=[
                Query(_quantile(quantile, histogram), name)
                for name, (quantile, _) in QUANTILES.items()
            ],
            unit="s",
            width=12,
            steps=((config.late_after, RED),),
            colors={name: color for name, (_, color) in QUANTILES.items()},
            runbook="CallspoolDeliveryLate",
        ),
        Panel(
            title="Documents by delivery time",
            kind="heatmap",
            description="Good: one bright band near the bottom. A second band higher up is what "
            "was tried again, proven, paused or parked.",
            queries=[Query(f"sum by (le) ({buckets})", "{{le}}")],
            unit="s",
            width=12,
            runbook="CallspoolDeliveryLate",
        ),
    ]


def _requests() -> list[Panel]:
    sizes = "callspool_batch_documents"
    documents = per_second(f"{sizes}_sum")
    calls = per_second(f"{sizes}_count")
    return [
        Panel(
            title="Create-calls: time, 99 of a hundred",
            description="From the request to its answer, by outcome. Good: well under "
            "CALLSPOOL_REQUEST_TIMEOUT (60 s); near it, answers will soon be lost.",
            queries=[
                Query(_quantile(0.99, "callspool_submission_seconds", "outcome"), "{{outcome}}")
            ],
            unit="s",
            steps=((60, RED),),
            runbook="CallspoolDeliveryLate",
        ),
        Panel(
            title="Documents in a create-call",
            description="Good: near CALLSPOOL_BATCH_SIZE while much waits. About 1: a context or "
            "schedule that differs for each contact makes a lane of one document each.",
            queries=[Query(f"{documents} / {calls}", "mean")],
            colors={"mean": BLUE},
            runbook="CallspoolDeliveryLate",
        ),
        Panel(
            title="Answers by code",
            kind="stack",
            description="Create-calls a second by HTTP status, or by word where none came. "
            "Good: 200 alone.",
            queries=[Query(per_second("callspool_submissions_total", "code"), "{{code}}")],
            unit="reqps",
            colors={"200": GREEN, "429": BLUE, "500": RED, "401": ORANGE},
            runbook="CallspoolAccountParked",
        ),
    ]


def _doubts(config: Config) -> list[Panel]:
    oldest = largest("callspool_oldest_in_doubt_seconds", "account")
    resent = per_second(EVENTS, where='event="resent"')
    return [
        Panel(
            title="In doubt, by account",
            kind="stack",
            description="Documents that may have been created. Good: 0, or falling within minutes.",
            queries=[
                Query(
                    'max by (account) (callspool_documents{job="$job", account=~"$account", '
                    'state="in_doubt"})',
                    "{{account}}",
                )
            ],
            runbook="CallspoolDoubtsNotShrinking",
        ),
        Panel(
            title="Longest in doubt, by account",
            description="Good: under CALLSPOOL_PROOF_QUIET and a minute. Beyond the red line it "
            "proves itself no more: somebody decides.",
            queries=[Query(oldest, "{{account}}")],
            unit="s",
            steps=((config.oldest_in_doubt, RED),),
            runbook="CallspoolDoubtsNotShrinking",
        ),
        Panel(
            title="What became of doubts",
            description="proven: found by reading back. sent again: proven missing. without proof: "
            "somebody may be called twice. twice: was created by two attempts. Good: the last two "
            "stay 0.",
            queries=[
                Query(per_second("callspool_proven_documents_total"), "proven"),
                Query(resent, "sent again"),
                Query(per_second("callspool_unproven_resends_total"), "without proof"),
                Query(per_second("callspool_created_twice_total"), "twice"),
            ],
            unit="cps",
            colors={"proven": GREEN, "sent again": YELLOW, "without proof": ORANGE, "twice": RED},
            runbook="CallspoolUnprovenResends",
        ),
    ]


def _refused() -> list[Panel]:
    died = summed("callspool_dead_documents_total", "code")
    others = per_second(EVENTS, "event", where='event=~"duplicate|invalid|cancelled|expired"')
    return [
        Panel(
            title="Dead so far, by reason",
            width=6,
            kind="stack",
            description="Documents that ever became dead, by the API's code. Good: level, and 400: "
            "wrong numbers in a list. `callspool dead list` has the API's words.",
            queries=[Query(died, "{{code}}")],
            runbook="CallspoolDocumentsDie",
        ),
        Panel(
            title="Neither created nor dead",
            width=6,
            description="duplicate: enqueued again, called once. conflict: a known id with another "
            "number, not called. invalid: refused before anything was sent. cancelled: taken back. "
            "expired: was not sent in time. Good: no expired and no conflict.",
            queries=[Query(others, "{{event}}")],
            unit="cps",
            colors={
                "duplicate": BLUE,
                "conflict": YELLOW,
                "invalid": ORANGE,
                "cancelled": PURPLE,
                "expired": RED,
            },
            runbook="CallspoolDeliveryLate",
        ),
        Panel(
            title="Must not be called",
            width=6,
            description="Documents cancelled because their number is on a list, by the kind of "
            "list. Good: few, and no jump: `callspool suppress lists` shows what grew.",
            queries=[Query(per_second("callspool_suppressed_total", "list"), "{{list}}")],
            unit="cps",
            colors={"global": PURPLE, "account": BLUE, "named": YELLOW},
            runbook="CallspoolSuppressionJumped",
        ),
        Panel(
            title="Lanes",
            width=6,
            kind="stack",
            description="What can share a create-call, by state. Good: open; paused is somebody's "
            "wish; parked is to be mended.",
            queries=[Query(summed("callspool_lanes", "state"), "{{state}}")],
            colors={"open": GREEN, "paused": BLUE, "parked": ORANGE},
            runbook="CallspoolLanesParked",
        ),
    ]


def _calls() -> list[Panel]:
    return [
        Panel(
            title="Calls that ended",
            kind="stack",
            width=24,
            description="Created documents whose call got an outcome. Good: mostly reached. "
            "lost_sight: nobody knows what became of them.",
            queries=[Query(per_second("callspool_outcomes_total", "outcome"), "{{outcome}}")],
            unit="cps",
            colors={
                "reached": GREEN,
                "not_reached": YELLOW,
                "failed": RED,
                "ended": BLUE,
                "lost_sight": PURPLE,
            },
            runbook="CallspoolCallsOpenForADay",
        ),
        Panel(
            title="What keeps documents waiting",
            kind="stack",
            width=12,
            description="Documents that wait, by what keeps them from being sent. Good: hours, "
            "caps and pace as asked for; queue shrinks; gate is to be mended.",
            queries=[Query(summed("callspool_waiting_documents", "reason"), "{{reason}}")],
            colors={"hours": BLUE, "cap": PURPLE, "pace": YELLOW, "gate": ORANGE, "queue": GREEN},
            runbook="CallspoolHoursStale",
        ),
        Panel(
            title="Calls outside of hours, and over a cap",
            width=12,
            description="Calls that began outside the hours of their contact, by us or by the "
            "platform; and documents that went aside for a cap. Good: none by us.",
            queries=[
                Query(per_second("callspool_calls_outside_hours_total", "by"), "by {{by}}"),
                Query(per_second("callspool_capped_total", "account"), "aside: {{account}}"),
            ],
            unit="cps",
            runbook="CallspoolCallsOutsideHours",
        ),
    ]
