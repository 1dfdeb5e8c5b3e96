"""docs/logs.md tells of every event that a worker logs, with its fields."""

from __future__ import annotations

import inspect

from callspool_worker import events


def test_every_event_is_on_the_page_and_has_words() -> None:
    made = {
        each
        for _, each in inspect.getmembers(events, inspect.isclass)
        if issubclass(each, events.Event) and each is not events.Event
    }
    assert set(events.EVENTS) == made
    kinds = [each.kind for each in events.EVENTS]
    assert len(set(kinds)) == len(kinds)
    taken = {"time", "level", "event", "message", "pid", "worker", "logger", "exception"}
    assert not any(taken & set(each.__struct_fields__) for each in events.EVENTS)
    assert all("words" in vars(each) for each in events.EVENTS)
