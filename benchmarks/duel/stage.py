"""What everybody meets: the API's faults, its pace, and how long to wait for it."""

from __future__ import annotations

LATENCY = 0.7
"""Seconds that a create-call takes when all is well."""

REQUEST_TIMEOUT = 2.5
"""Seconds that everybody waits for an answer."""

HANG = 4.0
"""Seconds of silence; the API then goes on, although the client has gone."""

PROOF_QUIET = 5.0
PROOF_QUIET_ANSWERED = 2.0
"""Callspool's quiet periods, shortened: this API creates nothing later than that."""

TRIES = 20
LEAST_BACKOFF, MOST_BACKOFF = 1.0, 5.0
"""The rivals' retries: as often as dramatiq does by default, but sooner, so that a duel ends."""

FAULTS = f"""
[[faults]]
name = "status"
status = 500
where = "before"
probability = 0.02

[[faults]]
name = "status"
status = 500
where = "amid"
probability = 0.02

[[faults]]
name = "status"
status = 500
where = "after"
probability = 0.03

[[faults]]
name = "status"
status = 500
where = "late"
delay = 0.01
probability = 0.02

[[faults]]
name = "status"
status = 502
where = "before"
probability = 0.02

[[faults]]
name = "status"
status = 503
where = "after"
probability = 0.02

[[faults]]
name = "drop"
where = "before"
probability = 0.02

[[faults]]
name = "drop"
where = "after"
probability = 0.02

[[faults]]
name = "hang"
where = "before"
seconds = {HANG}
probability = 0.02

[[faults]]
name = "hang"
where = "after"
seconds = {HANG}
probability = 0.02

[[faults]]
name = "status"
status = 429
where = "before"
retry_after = 1
probability = 0.04
"""
