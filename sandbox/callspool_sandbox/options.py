"""How one sandbox is to be run."""

from __future__ import annotations

from dataclasses import dataclass, field

from callspool_sandbox.faults.model import FaultFile

MAX_BODY = 1_048_576
"""Bytes of a request body that common proxies let through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything that `callspool sandbox` can be told.

    ``latency`` is in seconds, ``log`` a path or "-" for stdout. ``token`` and ``org_handle`` are
    compared only where given. ``until_stdin_closes`` ends the sandbox with its parent.
    """

    host: str = "127.0.0.1"
    port: int = 8900
    latency: float = 0.0
    faults: FaultFile = field(default_factory=FaultFile)
    seed: int | None = None
    log: str | None = None
    token: str | None = field(default=None, repr=False)
    org_handle: str | None = None
    max_body: int = MAX_BODY
    until_stdin_closes: bool = False
