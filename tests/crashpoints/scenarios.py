"""What a worker is put through; it is cut at every step of each."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

ONCE = 'times = 1\nspace = "{space}"\n'
IDS = ("a", "b", "c", "d")


@dataclass(frozen=True)
class Request:
    """One message of a producer's. ``bad`` documents are refused by the API, with their batch.

    ``listed`` have a number that must not be called.
    """

    ids: tuple[str, ...] = IDS
    context: str = "Follow up"
    bad: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """A story, told the same way each time.

    ``faults``: of the API, for one space. ``duplicates``: documents that are enqueued once more.
    ``unreachable``: create-calls that cannot be sent. ``is_last_noted``: the last message may
    overtake the others. ``remember`` and ``forget``: Redis loses
    everything between the beginning of the one step and the end of the other, and restarts.
    ``one_in``: of so many of its points one is tried in the gate. ``cap``: how often the number
    that all documents share may be called in a day; each call counts once in the end.
    ``asks_at_acceptance``: whether the guard is asked then, too.
    """

    name: str
    faults: str = ""
    requests: tuple[Request, ...] = (Request(),)
    duplicates: int = 0
    unreachable: int = 0
    is_last_noted: bool = False
    remember: str = ""
    forget: str = ""
    one_in: int = 1
    cap: int = 0
    asks_at_acceptance: bool = False
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Its name as pytest's -k takes it."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower())


def _fault(name: str, **fields: object) -> str:
    lines = [f"{key} = {value!r}".replace("'", '"') for key, value in fields.items()]
    return "\n".join(["[[faults]]", f'name = "{name}"', *lines, ""])


def _forgetting(remember: str, forget: str) -> Scenario:
    requests = (Request(("a", "b", "c")), Request(("d", "e"), context="Another reason"))
    name = f"Redis forgets from {remember} to {forget}"
    return Scenario(name, requests=requests, remember=remember, forget=forget)


SCENARIOS = [
    Scenario(
        "two lanes, three batches and a duplicate",
        requests=(
            Request(("a", "b", "c", "d", "e", "f")),
            Request(("g", "h"), context="Another reason"),
            Request(("c",)),
        ),
        duplicates=1,
    ),
    Scenario(
        "the last message overtakes",
        requests=(
            Request(("a", "b", "c")),
            Request(("d", "e", "f"), context="Another reason"),
            Request(("c", "g")),
        ),
        duplicates=1,
        is_last_noted=True,
        one_in=2,
    ),
    Scenario("500, all created", _fault("status", status=500, where="after") + ONCE),
    Scenario("500, half created", _fault("status", status=500, where="amid", created=2) + ONCE),
    Scenario("500, none created", _fault("status", status=500, where="before") + ONCE),
    Scenario("no answer, all created", _fault("drop", where="after") + ONCE, one_in=3),
    Scenario("no answer, half created", _fault("drop", where="amid", created=2) + ONCE, one_in=3),
    Scenario("no answer, none created", _fault("drop", where="before") + ONCE, one_in=3),
    Scenario(
        "time-out, all created",
        _fault("hang", where="after", seconds=5) + ONCE,
        settings={"request_timeout": 0.3},
        one_in=4,
    ),
    Scenario(
        "400, one bad document among five",
        requests=(Request(("a", "b", "c", "d", "e"), bad=("d",)),),
        settings={"batch_size": 5},
    ),
    Scenario("206 with a run and half of the ids", _fault("partial", where="after") + ONCE),
    Scenario(
        "401, still 401 for the probe, then healed",
        _fault("status", status=401, on="any") + ONCE.replace("1", "2"),
        one_in=2,
    ),
    Scenario("429", _fault("status", status=429, retry_after=1) + ONCE, one_in=3),
    Scenario(
        "429, half created",
        _fault("status", status=429, where="amid", created=2, retry_after=1) + ONCE,
        one_in=3,
    ),
    Scenario("not sent", unreachable=1),
    Scenario(
        "500 without marks, half created",
        _fault("status", status=500, where="amid", created=2) + ONCE,
        settings={"mark_attempts": False},
        one_in=2,
    ),
    Scenario("capped, 429", _fault("status", status=429, retry_after=1) + ONCE, cap=4, one_in=6),
    Scenario(
        "capped, no answer, none created",
        _fault("drop", where="before") + ONCE,
        cap=4,
        one_in=10,
    ),
    Scenario(
        "suppressed when it is sent",
        requests=(Request(("a", "b", "c"), listed=("b",)), Request(("d",), listed=("d",))),
        cap=4,
        one_in=4,
    ),
    Scenario(
        "suppressed when it is accepted",
        requests=(Request(("a", "b", "c"), listed=("b",)),),
        asks_at_acceptance=True,
        one_in=4,
    ),
    _forgetting("accept", "POST create"),
    _forgetting("take", "POST create"),
    _forgetting("POST create", "created"),
    _forgetting("XREADGROUP", "accept"),
]
