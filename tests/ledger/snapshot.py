"""The whole of a ledger at one moment, and what has to be true of it whatever happened before."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import redis
from redis.crc import key_slot

from callspool_ledger.reads.entries import BatchEntry
from callspool_ledger.reads.views import OUTCOME_LETTERS
from tests.support.ledgers import P

UNSETTLED = frozenset("wsdx")
PHASES = {"w": {"open", "queued", "resting"}, "s": {"sending"}, "d": {"doubt"}, "x": {"buried"}}

_FIXED = {
    "hash": [
        "meta",
        "counts",
        "submissions",
        "sending",
        "throttled",
        "gates",
        "read",
        "failing",
        "worked",
        "pauses",
        "journal",
        "looking",
        "unreadable",
        "timings",
        "shut",
        "scopelanes",
        "roster",
        "mixed",
    ],
    "set": ["accounts", "scopes", "lanes", "unheard"],
    "zset": ["proofs", "dead", "due", "follows", "alive", "capped"],
    "list": ["invalid"],
    "stream": ["requests", "wakeups", "events"],
}
_FAMILIES = {
    "hash": [r"b(\d+)", r"l([0-9a-f]{20})", r"g(\d+)", r"i(\d+:..)", r"named:(\d+)"],
    "list": [r"p(\d+)", r"q([0-9a-f]{20})", r"ring:(.+)"],
    "set": [r"parked:(.+)", r"kept:(\d+)"],
    "zset": [
        r"waiting:(.+)",
        r"doubts:(.+)",
        r"runs:(.+)",
        r"calls:(.+)",
        r"later:(.+)",
        r"opened:(.+)",
    ],
}
_READ = {
    "hash": ["HGETALL"],
    "set": ["SMEMBERS"],
    "zset": ["ZRANGE", 0, -1],
    "list": ["LRANGE", 0, -1],
    "stream": ["XLEN"],
}


def _kind_and_name(key: str) -> tuple[str, str, str]:
    """Type, family and name in it; the family of what there is only one of is its own name."""
    for kind, names in _FIXED.items():
        if key in names:
            return kind, key, ""
    for kind, patterns in _FAMILIES.items():
        for pattern in patterns:
            if found := re.fullmatch(pattern, key, re.DOTALL):
                return kind, pattern.partition("(")[0].strip(":"), found[1]
    raise AssertionError(f"{key!r} is none of the ledger's keys")


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, dict):
        return {_text(name): _text(one) for name, one in value.items()}
    return type(value)(_text(one) for one in value) if isinstance(value, list | set) else value


class Snapshot:
    """All keys of a ledger, by family and name; bytes are read as Latin-1."""

    def __init__(self, client: redis.Redis) -> None:
        found = [key for key in client.keys("*") if not key.startswith(b"callspool:{guard}")]
        assert len({key_slot(key) for key in found}) <= 1
        described = [_kind_and_name(_text(key).removeprefix(f"{P}:")) for key in found]
        pipeline = client.pipeline(transaction=False)
        for key, (kind, _, _) in zip(found, described, strict=True):
            command, *rest = _READ[kind]
            pipeline.execute_command(command, key, *rest)
        self._families: dict[str, dict[str, Any]] = {}
        for (_, family, name), value in zip(described, pipeline.execute(), strict=True):
            self._families.setdefault(family, {})[name] = _text(value)
        self.batches = {
            int(number): BatchEntry({name: value.encode("latin-1") for name, value in one.items()})
            for number, one in self.all("b").items()
        }
        self.states = {number: one["s"] for number, one in self.all_batches()}

    def all(self, family: str) -> dict[str, Any]:
        return self._families.get(family, {})

    def one(self, family: str) -> Any:
        """What there is only one of; empty where it is missing."""
        return self.all(family).get("", {})

    def all_batches(self) -> list[tuple[int, dict[str, str]]]:
        return [(int(number), batch) for number, batch in self.all("b").items()]

    def documents(self) -> dict[bytes, tuple[int, int]]:
        """Batch and place of each raw document that is still kept where it can be sent."""
        found: dict[bytes, tuple[int, int]] = {}
        for number, pieces in self.all("p").items():
            for place, text in enumerate("\x1e".join(pieces).split("\x1e")):
                raw = text.encode("latin-1")
                if self.states[int(number)][place] in UNSETTLED:
                    assert raw not in found, "a document can be sent from two places"
                    found[raw] = (int(number), place)
        return found

    def identities(self) -> dict[bytes, tuple[int, int]]:
        """Batch and place of each identity that is remembered."""
        found: dict[bytes, tuple[int, int]] = {}
        for bucket, fields in self.all("i").items():
            for rest, value in fields.items():
                digest = (bucket.partition(":")[2] + rest).encode("latin-1")
                assert digest not in found, "an identity is in two generations"
                found[digest] = divmod(int(value), 1024)
        return found

    def check(self) -> None:
        """What has to be true of every ledger."""
        for number, batch in self.all_batches():
            self._check_batch(number, batch)
        for lane in self.all("l"):
            self._check_lane(lane)
        assert set(self.one("lanes")) == set(self.all("l"))
        assert int(self.one("meta").get("fresh", 0)) == sum(
            int(batch["n"]) for _, batch in self.all_batches() if batch["phase"] == "fresh"
        )
        self._check_indexes()
        self._check_counters()
        self._check_what_is_measured()
        self._check_turns()
        self._check_calls()

    def _check_batch(self, number: int, batch: dict[str, str]) -> None:
        states, phase = batch["s"], batch["phase"]
        unsettled = UNSETTLED & set(states)
        assert len(states) == int(batch["n"])
        assert len(unsettled) <= 1, f"a batch in several phases: {batch}"
        assert phase in (PHASES[next(iter(unsettled))] if unsettled else {"done", "fresh"})
        assert (str(number) in self.all("p")) == (phase != "done")
        assert ("d" in batch) == (phase != "done")
        assert (f"F{number}" in self.one("due")) == (phase == "fresh")
        assert len(batch["f"]) == 4 * int(batch["n"])
        lane = batch["lane"]
        if phase == "open":
            assert self.all("l")[lane]["open"] == str(number)
            assert f"L{lane}" in self.one("due")
        if phase == "resting":
            is_capped = "capped" in batch
            assert f"{'C' if is_capped else 'B'}{number}" in self.one("due")
            assert (str(number) in self.one("capped")) == is_capped
        queue = self.all("q").get(lane, [])
        assert queue.count(str(number)) == (phase == "queued") or phase == "done"

    def _check_lane(self, lane: str) -> None:
        fields = self.all("l")[lane]
        letters = Counter(
            "".join(batch["s"] for _, batch in self.all_batches() if batch["lane"] == lane)
        )
        assert int(fields["waiting"]) == letters["w"]
        assert int(fields["unsettled"]) == sum(letters[one] for one in UNSETTLED)
        fresh = [
            number
            for number, batch in self.all_batches()
            if batch["lane"] == lane and batch["phase"] == "fresh"
        ]
        assert int(fields.get("fresh", 0)) == len(fresh)
        assert int(fields["unsettled"]) > 0 or fresh
        if fields["open"]:
            assert self.all("b")[fields["open"]]["phase"] == "open"
        queued = [
            one for one in self.all("q").get(lane, []) if "w" in self.states.get(int(one), "")
        ]
        if queued:
            assert self._is_reachable(lane, fields)

    def _is_reachable(self, lane: str, fields: dict[str, str]) -> bool:
        """It has its turn, or whatever it waits for is going to happen."""
        parked_at = [gate for gate, lanes in self.all("parked").items() if lane in lanes]
        return lane in self.all("ring").get(fields["account"], []) or any(
            gate in self.one("gates") or gate in self.one("pauses") or f"G{gate}" in self.one("due")
            for gate in parked_at
        )

    def _check_indexes(self) -> None:
        with_letter = {
            letter: {number for number, states in self.states.items() if letter in states}
            for letter in UNSETTLED
        }
        waiting = {int(one) for batches in self.all("waiting").values() for one in batches}
        assert waiting == with_letter["w"]
        doubts = self.all("doubts")
        assert {int(one) for batches in doubts.values() for one in batches} == with_letter["d"]
        assert set(self.one("proofs")) == set(doubts), "a space in doubt is never looked at"
        for space, batches in doubts.items():
            assert {self._space(number) for number in batches} == {space}
        assert {int(one) for one in self.one("dead")} == with_letter["x"]
        held = {
            batch["taker"]: f"{number}:{batch['attempt']}"
            for number, batch in self.all_batches()
            if number in with_letter["s"]
        }
        assert (self.one("sending") or {}) == held

    def _space(self, number: str) -> str:
        lane = self.all("l")[self.all("b")[number]["lane"]]
        return f"{lane['account']}|{lane['space']}"

    def _check_counters(self) -> None:
        letters = Counter("".join(self.states.values()))
        assert int(self.one("counts").get("waiting", 0)) == letters["w"]
        for generation, fields in self.all("g").items():
            own = "".join(b["s"] for _, b in self.all_batches() if b["g"] == generation)
            assert int(fields["unsettled"]) == sum(own.count(letter) for letter in UNSETTLED)

    def _check_what_is_measured(self) -> None:
        """Histograms hold what the counters count, and lanes are counted by scope."""
        timings, counts = self.one("timings"), self.one("counts")
        held: Counter[str] = Counter()
        for name, number in timings.items():
            owner, _, bucket = name.rpartition("|")
            if bucket != "sum":
                held[owner] += int(number)
        answers: Counter[str] = Counter()
        for name, number in (self.one("submissions") or {}).items():
            account, outcome, _ = name.split("|")
            answers[f"{account}|submission|{outcome}"] += int(number)
        assert {name: n for name, n in held.items() if "|submission|" in name} == answers
        for account in self.one("accounts"):
            # What was created by another request's answer is delivered once more.
            names = f"{account}|created", f"{account}|created_left"
            created = sum(int(counts.get(name, 0)) for name in names)
            assert held[f"{account}|delivery"] == created
        scopes = Counter(
            "\x1f".join((one["account"], one["space"], one["campaign"]))
            for one in self.all("l").values()
        )
        assert {scope: int(n) for scope, n in (self.one("scopelanes") or {}).items()} == scopes
        gates = Counter(
            gate.partition(":")[0]
            for gate in self.one("gates") or {}
            if not gate.startswith("lane:") or gate.removeprefix("lane:") in self.all("l")
        )
        shut: Counter[str] = Counter()
        for where, number in (self.one("shut") or {}).items():
            shut[where.partition("|")[0]] += int(number)
        assert shut == gates

    def _check_calls(self) -> None:
        """Each created document has an outcome, and what is open is followed and counted."""
        with_open, outcomes = set(), Counter[tuple[str, str]]()
        for number, batch in self.all_batches():
            letters = batch.get("y", "-" * len(batch["s"]))
            assert [one == "c" for one in batch["s"]] == [one != "-" for one in letters]
            outcomes.update(
                (batch["account"], OUTCOME_LETTERS[one]) for one in letters if one != "-"
            )
            if "o" in letters:
                with_open.add(number)
        calls, later, opened = self.all("calls"), self.all("later"), self.all("opened")
        known = {int(one) for batches in opened.values() for one in batches}
        assert with_open == {one for one in known if one in self.states}
        followed = [int(one) for found in (calls, later) for each in found.values() for one in each]
        assert with_open <= set(followed)
        assert len(followed) == len(set(followed))
        assert {*calls, *later} <= set(self.one("follows"))
        for account in self.one("accounts"):
            opened = int(self.one("counts").get(f"{account}|open", 0))
            assert opened == outcomes[account, "open"]

    def _check_turns(self) -> None:
        for account, lanes in self.all("ring").items():
            assert len(lanes) == len(set(lanes))
            assert all(self.all("l")[lane]["account"] == account for lane in lanes)
        standing = {lane for lanes in self.all("ring").values() for lane in lanes}
        assert standing == {lane for lane, one in self.all("l").items() if one["ring"] == "1"}
        for gate, lanes in self.all("parked").items():
            assert lanes <= set(self.all("l")), f"{gate} keeps lanes that are gone"
        assert all(f"G{gate}" in self.one("due") for gate in self.one("gates"))
        assert not any(f"G{pause}" in self.one("due") for pause in self.one("pauses"))
