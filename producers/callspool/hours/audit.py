"""Whether calls began within the hours of their campaign, looked at afterwards."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import msgspec

from callspool.hours.record import PlatformHours, find_intervals

if TYPE_CHECKING:
    from callspool.hours.record import CampaignRecord
    from callspool.hours.zones import Interval

BegunBy: TypeAlias = Literal["us", "platform"]
"""What let a call begin outside of hours: it was handed over then, or the platform rang then."""

BEGUN_BY: tuple[BegunBy, ...] = get_args(BegunBy)

_DAY_MS = 86_400_000
_NO_PLATFORM = PlatformHours((), {})


class HoursAudit:
    """Judges calls by the hours of one campaign, as they are set now."""

    def __init__(self, record: CampaignRecord) -> None:
        self._record = msgspec.structs.replace(record, close_early=0)
        self._open: dict[tuple[str, int], list[Interval]] = {}

    def judge(self, class_name: str, began_ms: int, handed_over_ms: int) -> BegunBy | None:
        """Returns what let a call begin outside the hours of its class; None if it began within."""
        if self._is_open(class_name, began_ms):
            return None
        return "platform" if self._is_open(class_name, handed_over_ms) else "us"

    def _is_open(self, class_name: str, at_ms: int) -> bool:
        day = at_ms // _DAY_MS
        found = self._open.get((class_name, day))
        if found is None:
            begin = datetime.fromtimestamp(day * _DAY_MS / 1000, UTC)
            found = find_intervals(
                self._record, class_name, platform=_NO_PLATFORM, early=0, now=begin
            )
            self._open[class_name, day] = found
        return any(start <= at_ms < end for start, end in found)
