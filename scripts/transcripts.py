"""Output of commands without what differs from run to run: times, ids, ports, speeds, places."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOCAL = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d")
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_ID = re.compile(r"\b([RT])[0-9a-f]{32}\b")
_SPEEDS = (
    (
        re.compile(r"^calls: [\d,]+ reached.*$", re.MULTILINE),
        "calls: 1,121 reached, 29 not reached",
    ),
    (
        re.compile(r'"outcomes":\{"open":0,"reached":[1-9]\d*,"not_reached":\d+,"failed":\d+'),
        '"outcomes":{"open":0,"reached":1121,"not_reached":29,"failed":0',
    ),
    (re.compile(r"\bin \d+(?:\.\d)? s\b"), "in 0.5 s"),
    (re.compile(r"\bafter \d+(?:\.\d)? s\b"), "after 0.1 s"),
    (re.compile(r"\boldest wait:? [\d.]+ (?:s|min \d+ s)"), "oldest wait: 2.0 s"),
    (re.compile(r"\([\d,]+ a second\)"), "(2,000 a second)"),
    (
        re.compile(r"[\d,]+ accepted and [\d,]+ created a second"),
        "230 accepted and 230 created a second",
    ),
    (re.compile(r'"seconds":[\d.]+'), '"seconds":0.5'),
    (re.compile(r'"documents_per_second":[\d.]+'), '"documents_per_second":2000.0'),
    (re.compile(r'"oldest_waiting_seconds":[\d.]+'), '"oldest_waiting_seconds":2.0'),
    (re.compile(r'"per_second":\{[^}]*\}'), '"per_second":{"accepted":230.0,"created":230.0}'),
    (re.compile(r"\b\d+(?:\.\d)? s(?=  +(?:open|paused|parked))"), "2.0 s"),
    (re.compile(r"\b\d{13}-\d+\b"), "1796099400000-0"),
    (re.compile(r"[\d.]+ [KM]iB of (.*) used \(\d+%\)"), r"2.0 MiB of \1 used (0%)"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:8900"),
)


class Normal:
    """Makes texts alike. ``places``: what stands for ports, paths and names of this machine."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places
        self._ids: dict[str, str] = {}

    def text(self, text: str) -> str:
        """The text as every run would have printed it."""
        for place, word in self._places.items():
            text = text.replace(place, word)
        text = _LOCAL.sub("2026-12-01 10:00:00+05:30", text)
        text = _UTC.sub("2026-12-01T04:30:00Z", text)
        text = _ID.sub(lambda found: self._id(found[0]), text)
        for pattern, words in _SPEEDS:
            text = pattern.sub(words, text)
        return text

    def _id(self, found: str) -> str:
        number = len(self._ids) + 1
        return self._ids.setdefault(found, f"{found[0]}{number:032x}")
