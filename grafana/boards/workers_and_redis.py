"""What the machines do: workers, the API's limit, sweeps, and Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.boards.spec import (
    BLUE,
    GREEN,
    INSTALLATION,
    ORANGE,
    PACE,
    PURPLE,
    RED,
    WORKERS,
    YELLOW,
    Board,
    Panel,
    Query,
    Row,
    largest,
)

if TYPE_CHECKING:
    from grafana.alerting.config import Config


def board(config: Config) -> Board:
    """For when work waits although the API answers."""
    return Board(
        uid="callspool-workers-and-redis",
        title="callspool / Workers and Redis",
        description="Capacity: threads, requests in flight, the API's limit, sweeps, Redis.",
        selects=("account", "worker"),
        rows=[
            Row("Workers", _workers()),
            Row("Processes", _processes()),
            Row("Spool and sweeps", _standing_still(config)),
            Row("Redis", _redis(config)),
            Row("The feed and endpoints of webhooks", _endpoints()),
            Row("Documents over HTTP", _intake()),
        ],
    )


def _of_workers(metric: str) -> str:
    return f"sum({metric}{WORKERS})"


def _each_second(counter: str) -> str:
    return f"sum by (instance) (rate({counter}{WORKERS}[{PACE}]))"


def _workers() -> list[Panel]:
    return [
        Panel(
            title="Threads",
            description="Good: busy well below half of all, since the other half accepts. Half of "
            "them busy all the time while calls wait: more threads or workers, if the API's limit "
            "allows it.",
            queries=[
                Query(_of_workers("callspool_worker_threads"), "all"),
                Query(_of_workers("callspool_worker_busy_threads"), "busy"),
            ],
            colors={"all": GREEN, "busy": ORANGE},
            runbook="CallspoolOldestWaiting",
        ),
        Panel(
            title="Requests in flight",
            description="Create-calls and reads that the API has not answered, by account. Good: "
            "below the limit, which workers find or an operator sets; level at it, the API sets "
            "the pace.",
            queries=[
                Query(
                    f"sum by (account) (callspool_worker_requests_in_flight{WORKERS})",
                    "{{account}}",
                ),
                Query(
                    f"max by (account) (callspool_worker_limit{WORKERS})",
                    "{{account}}: limit",
                ),
            ],
            runbook="CallspoolRateLimited",
        ),
        Panel(
            title="Connections to the API",
            kind="stack",
            description="Good: idle ones are kept; their number stays below the threads'.",
            queries=[Query(f"sum by (state) (callspool_worker_connections{WORKERS})", "{{state}}")],
            colors={"busy": ORANGE, "idle": GREEN},
            runbook="CallspoolRateLimited",
        ),
    ]


def _processes() -> list[Panel]:
    return [
        Panel(
            title="Processors",
            description="Seconds of processor time a second. Good: below the number of processes.",
            queries=[
                Query(_each_second("callspool_worker_process_cpu_seconds_total"), "{{instance}}")
            ],
            width=6,
            decimals=2,
            runbook="CallspoolOldestWaiting",
        ),
        Panel(
            title="Memory",
            description="Resident bytes of a worker's processes. Good: level.",
            queries=[
                Query(
                    f"callspool_worker_process_resident_memory_bytes{WORKERS}",
                    "{{instance}}",
                )
            ],
            unit="bytes",
            width=6,
            runbook="CallspoolWorkersRestarting",
        ),
        Panel(
            title="Messages accepted",
            description="Messages a second, by worker. Good: workers share the work.",
            queries=[
                Query(_each_second("callspool_worker_messages_accepted_total"), "{{instance}}")
            ],
            unit="cps",
            width=6,
            runbook="CallspoolSpoolNotAccepted",
        ),
        Panel(
            title="Restarts and dropped log lines",
            description="Within a minute. Good: 0. Log lines are dropped where the same would be "
            "said over and over, as when an API is down.",
            queries=[
                Query(f"sum(increase(callspool_worker_restarts_total{WORKERS}[1m]))", "restarts"),
                Query(
                    f"sum(increase(callspool_worker_log_lines_dropped_total{WORKERS}[1m]))",
                    "log lines",
                ),
            ],
            width=6,
            colors={"restarts": RED, "log lines": BLUE},
            runbook="CallspoolWorkersRestarting",
        ),
    ]


def _standing_still(config: Config) -> list[Panel]:
    return [
        Panel(
            title="Messages not accepted yet",
            description="Call requests in the stream. Good: near 0; falling after a large list.",
            queries=[Query(largest("callspool_spooled_messages", selector=INSTALLATION), "spool")],
            colors={"spool": BLUE},
            runbook="CallspoolSpoolNotAccepted",
        ),
        Panel(
            title="Sweeps",
            description="overdue: how long the ledger's most overdue time has been due. not swept: "
            "since when the slowest worker finished no sweep. Good: both near 0.",
            queries=[
                Query(largest("callspool_sweep_lag_seconds", selector=INSTALLATION), "overdue"),
                Query(f"max(callspool_worker_sweep_lag_seconds{WORKERS})", "not swept"),
            ],
            unit="s",
            steps=((config.sweep_lag, RED),),
            colors={"overdue": ORANGE, "not swept": BLUE},
            runbook="CallspoolSweepLag",
        ),
        Panel(
            title="Oldest take",
            description="Age of the oldest batch whose outcome is not recorded. Good: below "
            "CALLSPOOL_REQUEST_TIMEOUT; a lease ends it 10 s later.",
            queries=[
                Query(largest("callspool_oldest_sending_seconds", selector=INSTALLATION), "sending")
            ],
            unit="s",
            steps=((config.oldest_sending, RED),),
            colors={"sending": PURPLE},
            runbook="CallspoolSendingStuck",
        ),
    ]


def _redis(config: Config) -> list[Panel]:
    used = largest("callspool_redis_memory_bytes", selector=INSTALLATION)
    limit = largest("callspool_redis_memory_limit_bytes", selector=INSTALLATION)
    return [
        Panel(
            title="Redis: memory",
            description=f"Good: used below {config.memory_ticket:.0%} of maxmemory; at "
            f"{config.memory_page:.0%} producers get QueueFull. A limit of 0 is none: set one.",
            queries=[Query(used, "used"), Query(limit, "maxmemory")],
            unit="bytes",
            colors={"used": BLUE, "maxmemory": RED},
            runbook="CallspoolRedisMemory",
        ),
        Panel(
            title="Redis: clients",
            description="Good: level. Each process of a producer holds one, each worker a few.",
            queries=[
                Query(
                    largest("callspool_redis_connected_clients", selector=INSTALLATION), "clients"
                )
            ],
            colors={"clients": GREEN},
            runbook="CallspoolRedisAway",
        ),
        Panel(
            title="Redis: keeps what it is told",
            kind="stat",
            description="The append-only file is on, and its last write went well. Good: yes.",
            queries=[
                Query(largest("callspool_redis_persistence_ok", selector=INSTALLATION), "durable")
            ],
            unit="bool_yes_no",
            width=4,
            steps=((0, RED), (1, GREEN)),
            runbook="CallspoolRedisNotDurable",
        ),
        Panel(
            title="Reading for a scrape",
            description="How long the exporter reads the ledger. Good: under 50 ms.",
            queries=[Query(largest("callspool_scrape_seconds", selector=INSTALLATION), "reading")],
            unit="s",
            width=4,
            steps=((1, YELLOW),),
            colors={"reading": BLUE},
            runbook="CallspoolExporterGone",
        ),
    ]


def _endpoints() -> list[Panel]:
    posts = f"rate(callspool_webhook_deliveries_total{INSTALLATION}[{PACE}])"
    rests = "callspool_webhook_resting_seconds"
    return [
        Panel(
            title="POSTs to endpoints",
            description="POSTs with events a second, by endpoint and outcome. Good: delivered ones "
            "alone.",
            queries=[
                Query(
                    f"max by (endpoint, outcome) ({posts}) > 0",
                    "{{endpoint}}: {{outcome}}",
                )
            ],
            width=12,
            runbook="CallspoolWebhookResting",
        ),
        Panel(
            title="Endpoints that rest",
            description="For how long an endpoint has rested, or been switched off. Good: 0.",
            queries=[Query(largest(rests, "endpoint", selector=INSTALLATION), "{{endpoint}}")],
            unit="s",
            width=12,
            runbook="CallspoolWebhookResting",
        ),
        Panel(
            title="Readers of the feed: how far behind",
            description="Age of the oldest event that a named reader has not read, and how long "
            "the feed keeps one. Good: far below it.",
            queries=[
                Query(
                    largest("callspool_events_lag", "reader", selector=INSTALLATION), "{{reader}}"
                ),
                Query(f"min(callspool_events_kept_seconds{INSTALLATION})", "kept"),
            ],
            unit="s",
            width=24,
            runbook="CallspoolFeedNearItsEnd",
        ),
    ]


def _intake() -> list[Panel]:
    answers = "callspool_intake_request_seconds"
    return [
        Panel(
            title="Documents over HTTP",
            description="Documents a second that callers of callspool serve sent, by key and "
            "verdict. Good: enqueued ones; many invalid ones of a key are its caller's mistake.",
            queries=[
                Query(
                    f"sum by (key, verdict) (rate(callspool_intake_documents_total[{PACE}])) > 0",
                    "{{key}}: {{verdict}}",
                )
            ],
            unit="cps",
            runbook="CallspoolQueueNearlyFull",
        ),
        Panel(
            title="Answers over HTTP",
            description="Answers a second, by status. Good: 2xx. 429: a key's rate, or a full "
            "queue; 503: Redis does not answer, or the server is busy; 500: a fault, see its log.",
            queries=[Query(f"sum by (status) (rate({answers}_count[{PACE}])) > 0", "{{status}}")],
            unit="cps",
            runbook="CallspoolRedisAway",
        ),
        Panel(
            title="How long callers wait",
            description="Within which time 95 % of the answers came, by route. Good: below 0.1 s; "
            "lists take as long as they come in, and /v1/events as long as its callers wait.",
            queries=[
                Query(
                    "histogram_quantile(0.95, sum by (le, route) "
                    f"(rate({answers}_bucket[{PACE}])))",
                    "{{route}}",
                )
            ],
            unit="s",
            runbook="CallspoolRedisAway",
        ),
    ]
