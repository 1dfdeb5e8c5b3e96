"""What producers may do to Redis beside appending, and whether one did it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import redis

from callspool_ledger import keys
from callspool_ledger.reads.lanes import read_lanes
from callspool_ledger.reads.reader import LedgerReader
from callspool_operators.doctor.server import DoctorFinding, ok, problem, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STREAM, COUNTS = keys.stream(keys.REQUESTS), keys.PartitionKeys().counts
PRODUCER_RULES = " ".join(
    [
        *(f"~{key.replace('0', '*')}" for key in (STREAM, keys.soon_list(STREAM), COUNTS)),
        "-@all +evalsha +script|load +xadd +hmget +hincrby +llen +rpush +info +ping",
        "+client|setname +cluster|slots",
    ]
)
"""The rights of a program that only enqueues, as docs/security.md has them."""

_APPENDS = ("XADD", STREAM, "*", "v", "1")
_READS_THE_LEDGER = ("HGETALL", COUNTS)
_NEEDED = (
    _APPENDS,
    ("EVALSHA", "0" * 40, "2", STREAM, COUNTS),
    ("SCRIPT", "LOAD", "return 1"),
    ("HMGET", COUNTS, "spooled"),
    ("HINCRBY", COUNTS, "spooled", "1"),
)
_BEYOND = (
    ("XREADGROUP", "GROUP", keys.GROUP, "me", "STREAMS", STREAM, ">"),
    ("XRANGE", STREAM, "-", "+"),
    ("XDEL", STREAM, "1-1"),
    ("XTRIM", STREAM, "MAXLEN", "0"),
    ("DEL", STREAM),
    ("HSET", COUNTS, "spooled", "0"),
    ("HSET", keys.PartitionKeys().meta, "id", "0"),
    ("HGETALL", keys.PartitionKeys().counts),
    ("EVAL", "return 1", "0"),
    ("KEYS", "*"),
    ("FLUSHALL",),
    ("CONFIG", "GET", "*"),
    ("ACL", "LIST"),
)
FAR_MS = 366 * 86_400_000
"""Milliseconds in the future beyond which an id of a message was made up."""

LOOKS, PAUSE = 3, 0.2
"""Looks at counts that have to agree before they count as wrong, and the seconds between two."""


def examine_users(client: redis.Redis) -> Iterator[DoctorFinding]:
    """Compares users that only append with the rights of docs/security.md.

    Nothing where this user may not ask: `ACL` is an administrator's command.
    """
    try:
        names = [_text(name) for name in client.acl_users()]
        if names == ["default"]:
            return
        for name in sorted(names):
            if _is_allowed(client, name, _APPENDS) and (
                name == "producer" or not _is_allowed(client, name, _READS_THE_LEDGER)
            ):
                yield _judge_rights(client, name)
        if "default" in names and _is_open(client):
            said = "the user default is on without a password: the other users hold nobody back"
            yield warning("users", said, "redis-cli ACL SETUSER default off")
    except redis.ResponseError:
        return


def _judge_rights(client: redis.Redis, name: str) -> DoctorFinding:
    lacks = sorted({each[0] for each in _NEEDED if not _is_allowed(client, name, each)})
    if "EVALSHA" in lacks:
        lacks = []  # a program that appends by itself, without our library
    beyond = sorted({each[0] for each in _BEYOND if _is_allowed(client, name, each)})
    remedy = f"redis-cli ACL SETUSER {name} resetkeys resetchannels {_quote_rules(PRODUCER_RULES)}"
    if lacks:
        return problem("users", f"{name} may not {', '.join(lacks)}: it cannot enqueue", remedy)
    if beyond:
        said = f"{name} appends, and may also {', '.join(beyond)} in the queue or the ledger"
        return warning("users", said, remedy)
    return ok("users", f"{name} may append, and no more than docs/security.md says")


def _quote_rules(rules: str) -> str:
    return " ".join(f"'{one}'" if one[0] == "~" or "|" in one else one for one in rules.split())


def _is_allowed(client: redis.Redis, name: str, command: Sequence[str]) -> bool:
    answer: Any = client.execute_command("ACL", "DRYRUN", name, *command)  # type: ignore[no-untyped-call]
    return answer in (b"OK", "OK")


def _is_open(client: redis.Redis) -> bool:
    default: Any = client.acl_getuser("default")
    flags = [_text(flag) for flag in default["flags"]]
    return "on" in flags and "nopass" in flags


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def examine_queue(clients: Sequence[redis.Redis]) -> Iterator[DoctorFinding]:
    """Finds what a producer did that had only to append: in each partition, with the remedy."""
    for partition, client in enumerate(clients):
        yield from _examine_last_id(client, keys.stream(keys.REQUESTS, partition))
        counts = keys.PartitionKeys(partition).counts
        looks = []
        for _ in range(LOOKS):
            looks.append(_measure_drift(client, partition))
            if not any(looks[-1].values()):
                break
            time.sleep(PAUSE)
        for name, drift in looks[0].items():
            if len(looks) == LOOKS and drift and all(each[name] == drift for each in looks):
                said = f"{abs(drift):,} documents too {'many' if drift > 0 else 'few'} count as"
                yield problem(
                    "counts",
                    f"{said} {name}: a program changed the count, which bounds what may wait",
                    f"redis-cli HINCRBY '{counts}' {name} {-drift}",
                )


def _examine_last_id(client: redis.Redis, stream: str) -> Iterator[DoctorFinding]:
    try:
        found: Any = client.xinfo_stream(stream)
    except redis.ResponseError:
        return  # there is none yet, or this user may not ask
    last_ms = int(_text(found["last-generated-id"]).partition("-")[0])
    seconds, _ = client.time()
    if last_ms > seconds * 1000 + FAR_MS:
        yield problem(
            "queue",
            f"a message was appended under an id of the far future ({last_ms}): Redis may refuse"
            " every later one",
            f"stop producers; once callspool status shows nothing queued: redis-cli DEL '{stream}'",
        )


def _measure_drift(client: redis.Redis, partition: int) -> dict[str, int]:
    """How many documents more than there are count as waiting, and as queued where none is."""
    known = keys.PartitionKeys(partition)
    found: Any = client.hmget(known.counts, ["spooled", "waiting"])
    spooled, waiting = (int(each or 0) for each in found)
    lanes = LedgerReader(client, partition=partition).ask(read_lanes())
    is_empty = not client.xlen(keys.stream(keys.REQUESTS, partition))
    return {
        "waiting": waiting - sum(lane.waiting for lane in lanes),
        "spooled": spooled if is_empty or spooled < 0 else 0,
    }
