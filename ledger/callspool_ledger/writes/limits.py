"""How large batches may be, how long documents wait, and what a take carries with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Durability = Literal["off", "local", "replica"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of batches, in documents, bytes and milliseconds."""

    batch_size: int = 100
    batch_bytes: int = 900_000
    linger_ms: int = 1000
    bytes_a_document: int = 64
    """What a document adds to a body besides itself: separator and marker."""
    mark_attempts: bool = True
    """Whether every document carries the mark of its attempt."""
    durable_takes: Durability = "off"
    """Where a take has to be on disk before anything of it is sent."""
    lease_ms: int = 70_000
    """After so long a take of this worker cannot be under way any more."""
    quiet_ms: int = 300_000
    """How long nothing changes before a document that it sent counts as missing."""
    quiet_answered_ms: int = 15_000
    """The same where the API itself answered."""
    refusals_kept: int = 1000
    first_probe_ms: int = 30_000
    """How long a parked gate stays closed before one batch tries it; doubled each time."""
    last_probe_ms: int = 600_000
