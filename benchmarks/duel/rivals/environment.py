"""What a rival's processes find in their environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.duel.rivals.posting import API_URL, REDIS_URL

if TYPE_CHECKING:
    from benchmarks.duel.contestant import Place

ROOT = Path(__file__).parents[3]


def rival_environment(place: Place) -> dict[str, str]:
    """The two addresses, and the way to the rivals' code."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        API_URL: place.api_url,
        REDIS_URL: place.redis_url,
    }
