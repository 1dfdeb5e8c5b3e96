"""One run: faults are driven one after the other, and each alert is seen to fire and to clear."""

from __future__ import annotations

from callspool_ledger import keys
from grafana.alerting.config import Burn, Config
from tests.grafana.installation import Installation
from tests.grafana.watch import Watch

QUICK = Config(
    late_after=5,
    burns=(
        Burn(8, 2, 14.4, "page"),
        Burn(10, 3, 6.0, "page"),
        Burn(12, 4, 3.0, "ticket"),
        Burn(14, 5, 1.0, "ticket"),
    ),
    fewest_documents=3,
    oldest_ready=2,
    oldest_spooled=2,
    oldest_in_doubt=2,
    oldest_sending=4,
    sweep_lag=2,
    growth=2,
    counted=6,
    throttled_window=3,
    restarts=0,
    restarts_window=6,
    hold_brief=1,
    hold=1,
    hold_patient=1,
)
"""The rules that are committed, with windows of seconds."""

AT_ONCE = (
    "CallspoolAccountParked",
    "CallspoolDeliveryLate",
    "CallspoolDocumentsDie",
    "CallspoolDoubtsNotShrinking",
    "CallspoolLanesParked",
    "CallspoolOldestWaiting",
    "CallspoolPossibleLoss",
    "CallspoolQueueNearlyFull",
    "CallspoolRateLimited",
    "CallspoolRedisNotDurable",
    "CallspoolUnreadableMessages",
)
OF_NOBODY = ("CallspoolOldestWaiting", "CallspoolQueueNearlyFull")
OF_REDIS = ("CallspoolPossibleLoss", "CallspoolRedisNotDurable")
LEDGER = keys.prefix()


def play(stage: Installation, watch: Watch) -> None:
    """Everything; about a minute."""
    with stage.fed():
        what_is_meant(stage, watch)
        faults_of_all_kinds(stage, watch)
        mended(stage, watch)
        no_worker(stage, watch)
        no_exporter(stage, watch)
        no_redis(stage, watch)
    watch.did("callspool resume --campaign later")
    stage.type("resume --campaign later")
    stage.wait_until_settled()


def what_is_meant(stage: Installation, watch: Watch) -> None:
    """Calls go out, and some wait because an operator said so: nobody is woken."""
    watch.did("60 contacts are sent; campaign `later` is paused, 5 wait there")
    stage.type("pause --campaign later")
    stage.send(60)
    stage.send(5, campaign="later")
    stage.post_bad_documents()
    watch.is_quiet(4)


def faults_of_all_kinds(stage: Installation, watch: Watch) -> None:
    """All at once, since they do not hide each other."""
    watch.did(
        "429 with Retry-After: account `busy` rests, and is late",
        "CallspoolRateLimited",
        "CallspoolDeliveryLate",
    )
    stage.send(6, account="busy", space="8KZBUSY")
    watch.did("401: the token of account `stale` is refused", "CallspoolAccountParked")
    stage.send(2, account="stale")
    watch.did("500, and no reading back: 3 contacts in doubt", "CallspoolDoubtsNotShrinking")
    stage.send(3, space="8KZFAILS")
    watch.did("404: the agent of a lane is not found", "CallspoolLanesParked")
    stage.send(2, space="8KZNOAGENT")
    watch.did("400: 2 of 6 contacts are refused", "CallspoolDocumentsDie")
    stage.send(4)
    stage.send(2, sandbox="reject")
    watch.did("account `nobody`: no worker has its token; 100 wait for it", *OF_NOBODY)
    stage.send(100, account="nobody")
    with stage.redis.client() as client:
        watch.did("a message that no worker can read", "CallspoolUnreadableMessages")
        client.xadd(keys.stream(keys.REQUESTS), {"v": "99"})
        watch.did("the ledger is edited by hand", "CallspoolPossibleLoss")
        client.hincrby(f"{LEDGER}:counts", "default|accepted", 1)
        watch.did("Redis without its append-only file", "CallspoolRedisNotDurable")
        client.config_set("appendonly", "no")
    watch.fires(*AT_ONCE)


def mended(stage: Installation, watch: Watch) -> None:
    """What the runbook says."""
    with stage.redis.client() as client:
        watch.did("append-only file and ledger as they were", *OF_REDIS)
        client.config_set("appendonly", "yes")
        client.hincrby(f"{LEDGER}:counts", "default|accepted", -1)
    watch.did("SIGKILL for a process of the worker", "CallspoolWorkersRestarting")
    stage.kill_a_child()
    watch.did(
        "callspool doubts resend --all --held",
        "CallspoolDoubtsNotShrinking",
        "CallspoolUnprovenResends",
    )
    watch.did("callspool cancel --space-token 8KZNOAGENT", "CallspoolLanesParked")
    watch.did("callspool cancel, then resume, --account stale", "CallspoolAccountParked")
    watch.did("callspool cancel --account nobody", *OF_NOBODY)
    watch.did("callspool dead drop --messages", "CallspoolUnreadableMessages")
    stage.type(
        "doubts resend --all --held --yes",
        "cancel --space-token 8KZNOAGENT --yes",
        "cancel --account stale --yes; resume --account stale",
        "cancel --account nobody --yes",
        "dead drop --messages --yes",
    )
    watch.fires("CallspoolUnprovenResends", "CallspoolWorkersRestarting")
    watch.clears(*AT_ONCE, "CallspoolUnprovenResends", "CallspoolWorkersRestarting")


def no_worker(stage: Installation, watch: Watch) -> None:
    """Nobody accepts."""
    alerts = ("CallspoolSpoolNotAccepted", "CallspoolWorkersGone")
    watch.did("SIGKILL for the worker, and 20 contacts are enqueued", *alerts)
    stage.kill("worker")
    stage.send(20)
    watch.fires(*alerts)
    watch.did("a worker is started", *alerts)
    stage.start("worker")
    watch.clears(*alerts)


def no_exporter(stage: Installation, watch: Watch) -> None:
    """Nobody sees."""
    watch.did("SIGKILL for the exporter", "CallspoolExporterGone")
    stage.kill("exporter")
    watch.fires("CallspoolExporterGone")
    watch.did("an exporter is started", "CallspoolExporterGone")
    stage.start("exporter")
    watch.clears("CallspoolExporterGone")


def no_redis(stage: Installation, watch: Watch) -> None:
    """Nobody can enqueue; then nobody can do anything."""
    with stage.redis.client() as client:
        watch.did("Redis 90 % full", "CallspoolRedisMemory")
        client.config_set("maxmemory", int(client.info("memory")["used_memory"] / 0.9))
        watch.fires("CallspoolRedisMemory")
        watch.did("maxmemory raised", "CallspoolRedisMemory")
        client.config_set("maxmemory", 0)
        watch.clears("CallspoolRedisMemory")
    watch.did("Redis is stopped", "CallspoolRedisAway")
    stage.redis.stop()
    watch.fires("CallspoolRedisAway")
    watch.did("Redis is started", "CallspoolRedisAway")
    stage.redis.start()
    watch.clears("CallspoolRedisAway")
