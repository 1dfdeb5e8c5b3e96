"""How large batches may be, and how long documents wait for company."""

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
    refusals_kept: int = 1000
    first_probe_ms: int = 30_000
    """How long a parked gate stays closed before one batch tries it; doubled each time."""
    last_probe_ms: int = 600_000
