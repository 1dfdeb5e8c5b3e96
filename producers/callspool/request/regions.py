"""Regions of phone numbers, by the library's word.

The library is loaded when a region is asked for: it takes longer than all else that most commands
need.
"""

import importlib
from collections.abc import Set as AbstractSet
from typing import Any


def known_regions() -> AbstractSet[str]:
    """The regions that libphonenumber knows (``IN``, ``US``, …)."""
    library: Any = importlib.import_module("phonenumbers")
    found: AbstractSet[str] = library.SUPPORTED_REGIONS
    return found


def is_region(region: str) -> bool:
    """Whether libphonenumber knows the region."""
    return region in known_regions()
