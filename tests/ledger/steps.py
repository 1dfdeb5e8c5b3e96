"""What may happen to a ledger, drawn at random: names of `test_model.LedgerMachine`'s methods."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, TypeAlias

from hypothesis import strategies as st

from callspool_ledger.selectors import Selector
from callspool_ledger.writes import LaneKey
from tests.support.ledgers import LANE, group

LANES = [
    LANE,
    LANE._replace(context="Another reason"),
    LANE._replace(campaign="spring"),
    LANE._replace(space_token="ELSEWHERE"),
    LANE._replace(account="acme"),
]
LANE_IDS = {lane: group(["any"], lane).lane_id for lane in LANES}
ACCOUNTS = ["default", "acme"]
GATES = [
    "account:default",
    "space:default|SPACE",
    f"lane:{LANE_IDS[LANES[0]]}",
    f"lane:{LANE_IDS[LANES[2]]}",
]
SELECTORS = [
    Selector(),
    Selector(account="acme"),
    Selector(space_token="SPACE"),
    Selector(campaign="spring"),
    Selector(campaign=""),
    Selector(account="default", space_token="SPACE", campaign=""),
    Selector(lane=LANE_IDS[LANES[0]]),
    Selector(lane=LANE_IDS[LANES[2]]),
]
LONG_AGO, LATER, MUCH_LATER = 1000, 9_000_000_000_000, 9_000_000_000_001
"""Moments at which documents expire; a step lets `LATER` come."""

Step: TypeAlias = tuple[Any, ...]
"""The name of a method and its arguments."""

DrawnGroup: TypeAlias = tuple[LaneKey, int, int, str]
"""Lane, number of the first document, how many, and what is special about them."""

_WEIGHTS = {
    "accept": 10,
    "take": 30,
    "report": 30,
    "limit": 3,
    "park": 4,
    "pause": 3,
    "open": 3,
    "resume": 4,
    "cancel": 2,
    "cancel_one": 3,
    "replay": 2,
    "replay_one": 3,
    "drop": 1,
    "drop_one": 2,
    "throttle": 1,
    "sweep": 2,
    "make_everything_due": 6,
    "let_documents_expire": 1,
    "forget": 3,
    "look_at_calls": 6,
    "mix_up": 6,
    "trust": 6,
    "forget_all": 1,
}
_OUTCOMES = {
    "created": 6,
    "created_late": 6,
    "doubt": 3,
    "lapse": 2,
    "put_back 0": 3,
    "put_back 60000": 2,
    "split": 5,
    "defer 1": 2,
    "defer 2": 3,
    "bury": 2,
    "bury_missing": 2,
    "proven 0": 3,
    "proven 1": 3,
    "resend 2": 2,
    "resend 7": 3,
}
_KINDS = ["", "", "", "", "late", "later", "too late", "large", "large", "dead", "twice"]


def _arguments(name: str, random: Random) -> Iterator[Any]:
    if name == "accept":
        yield [_group(random) for _ in range(random.randint(1, 4))]
    elif name == "take":
        yield f"me:{random.randint(1, 7)}"
        yield random.choice([ACCOUNTS, ACCOUNTS, ACCOUNTS[::-1], ["default"]])
    elif name in {"report", "mix_up"}:
        yield random.choices(list(_OUTCOMES), list(_OUTCOMES.values()))[0]
        yield random.randint(0, 3)
    elif name == "limit":
        yield from (random.randint(1, 7), random.choice([400, 700, 2000]))
        yield random.choice([0, 0, 60_000])
    elif name in {"park", "open"}:
        yield random.choice(GATES)
    elif name in {"pause", "resume", "cancel", "replay", "drop"}:
        yield random.choice(SELECTORS)
    elif name in {"cancel_one", "replay_one", "drop_one"}:
        yield random.choice(LANES)
        yield random.randint(0, 24)
    elif name == "look_at_calls":
        yield "".join(random.choices("oorrnfel", k=random.randint(4, 5)))
    elif name == "throttle":
        yield random.choice(ACCOUNTS)


def _group(random: Random) -> DrawnGroup:
    count = random.randint(1, 9)
    return random.choice(LANES), random.randint(0, 24), count, random.choice(_KINDS)


def draw_step(seed: int) -> Step:
    random = Random(seed)
    (name,) = random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
    return name, *_arguments(name, random)


steps: st.SearchStrategy[Step] = st.integers(0, 2**64 - 1).map(draw_step)
"""Steps as even as dice throw them: what hypothesis would prefer among them is dull. It still
finds out which of them a failure needs.
"""
