from __future__ import annotations

from tests.grafana.story import JOB, Story, always, of

UP = f"up{{{JOB}}}"
WORKERS, SPOOLED = of("callspool_workers"), of("callspool_spooled_messages")
WAITING = of("callspool_documents", "default", state="waiting")
CREATED = of("callspool_documents", "default", state="created")
ALL_PAUSED = of("callspool_paused", level="all")
RESTARTS = 'callspool_worker_restarts_total{job="callspool-workers", instance="w:9192"}'
LAG = of("callspool_sweep_lag_seconds")
HOURS = of("callspool_timetable_age_seconds")
BEHIND, KEPT = of("callspool_events_lag", reader="crm"), of("callspool_events_kept_seconds")
RESTS = of("callspool_webhook_resting_seconds", endpoint="crm")
REDIS = of("callspool_redis_up")
USED, LIMIT = of("callspool_redis_memory_bytes"), of("callspool_redis_memory_limit_bytes")
REFUSED = of("callspool_redis_writes_refused")
CUT_OFF = of("callspool_redis_cut_off")
DURABLE = of("callspool_redis_persistence_ok")
PAGE, TICKET = {"severity": "page"}, {"severity": "ticket"}

EXPORTER = "CallspoolExporterGone"
GONE = "CallspoolWorkersGone"
MEMORY = "CallspoolRedisMemory"

STORIES = [
    Story("it does not answer", EXPORTER, True, {UP: "1x10 0x60"}),
    Story("it was never scraped", EXPORTER, True, {'up{job="node"}': always(1)}),
    Story("it answers", EXPORTER, False, {UP: always(1)}),
    Story("one of two answers", EXPORTER, False,
          {UP: always(0), UP.replace("a:", "b:"): always(1)}),
    Story("a restart", EXPORTER, False, {UP: "1x29 0 1x60"}),
    Story("documents wait", GONE, True, {WORKERS: "2x10 0x60", WAITING: always(5)}, labels=PAGE),
    Story("messages lie in the spool of a ledger that is still empty", GONE, True,
          {WORKERS: always(0), SPOOLED: always(5)}, labels=PAGE),
    Story("they live", GONE, False, {WORKERS: always(2), WAITING: always(5)}, labels=PAGE),
    Story("there is nothing to do", GONE, False,
          {WORKERS: always(0), WAITING: always(0), CREATED: always(9), SPOOLED: always(0)},
          labels=PAGE),
    Story("everything is paused", GONE, False,
          {WORKERS: always(0), WAITING: always(5), ALL_PAUSED: always(1)}, labels=PAGE),
    Story("the disk is full: another alert tells", GONE, False,
          {WORKERS: always(0), WAITING: always(5), REFUSED: always(1)}, labels=PAGE),
    Story("there is nothing to do", GONE, True,
          {WORKERS: always(0), WAITING: always(0), SPOOLED: always(0)}, labels=TICKET),
    Story("they live", GONE, False, {WORKERS: always(2)}, labels=TICKET),
    Story("there is work: that is a page", GONE, False,
          {WORKERS: always(0), WAITING: always(5)}, labels=TICKET),
    Story("killed for memory, over and over", "CallspoolWorkersRestarting", True,
          {RESTARTS: "0+1x60"}),
    Story("killed once", "CallspoolWorkersRestarting", False, {RESTARTS: "0x20 1x60"}),
    Story("sweeps stand still", "CallspoolSweepLag", True, {LAG: "0+60x60", WORKERS: always(2)}),
    Story("there are no workers: another alert tells", "CallspoolSweepLag", False,
          {LAG: "0+60x60", WORKERS: always(0)}),
    Story("sweeps work", "CallspoolSweepLag", False, {LAG: always(0), WORKERS: always(2)}),
    Story("no worker computes them", "CallspoolHoursStale", True, {HOURS: always(7300)}),
    Story("they are computed in time", "CallspoolHoursStale", False, {HOURS: always(700)}),
    Story("it has rested for 20 minutes", "CallspoolWebhookResting", True, {RESTS: always(1200)}),
    Story("a deployment of it", "CallspoolWebhookResting", False, {RESTS: "0x10 0+60x10 0x60"}),
    Story("it is stopped", "CallspoolRedisAway", True, {REDIS: "1x10 0x60"}),
    Story("it answers", "CallspoolRedisAway", False, {REDIS: always(1)}),
    Story("a reader is behind by most of what is kept", "CallspoolFeedNearItsEnd", True,
          {BEHIND: always(80), KEPT: always(100)}),
    Story("a reader is behind by half of it", "CallspoolFeedNearItsEnd", False,
          {BEHIND: always(50), KEPT: always(100)}),
    Story("a restart", "CallspoolRedisAway", False, {REDIS: "1x29 0 1x60"}),
    Story("above the page's share", MEMORY, True, {USED: always(85), LIMIT: always(100)},
          labels=PAGE),
    Story("above the ticket's share only", MEMORY, False, {USED: always(75), LIMIT: always(100)},
          labels=PAGE),
    Story("no limit is set", MEMORY, False, {USED: always(85), LIMIT: always(0)}, labels=PAGE),
    Story("above the ticket's share", MEMORY, True, {USED: always(75), LIMIT: always(100)},
          labels=TICKET),
    Story("half of it is free", MEMORY, False, {USED: always(50), LIMIT: always(100)},
          labels=TICKET),
    Story("the disk is full", "CallspoolWritesRefused", True, {REFUSED: "0x10 1x60"}, "11m"),
    Story("there is room", "CallspoolWritesRefused", False, {REFUSED: always(0)}),
    Story("its replicas are gone", "CallspoolRedisCutOff", True, {CUT_OFF: "0x10 1x60"}),
    Story("one was restarted", "CallspoolRedisCutOff", False, {CUT_OFF: "0x29 1 0x60"}),
    Story("it is off", "CallspoolRedisNotDurable", True, {DURABLE: "1x10 0x60"}),
    Story("every write is refused: another alert tells", "CallspoolRedisNotDurable", False,
          {DURABLE: always(0), REFUSED: always(1)}),
    Story("it is kept", "CallspoolRedisNotDurable", False, {DURABLE: always(1)}),
]  # fmt: skip
