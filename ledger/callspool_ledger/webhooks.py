"""How far each endpoint has got with the feed: its state, what was set aside, and the counters."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from callspool_ledger.keys import PartitionKeys
from callspool_ledger.reads.reading import of_ledger
from callspool_ledger.scripts import load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callspool.redis_io.scripts import Argument, Call
    from callspool_ledger.reads.reading import Trips

LEASE_MS = 60_000
"""Milliseconds from one sign of life of a thread that delivers to the next: one POST takes 20 s."""

MOST_ASIDE = 1000
"""Events of an endpoint that are kept after it refused them; the oldest go first."""

_NAMES = PartitionKeys()


class EndpointState(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where delivery to an endpoint stands.

    ``cursor``: all of the feed before it is delivered, or set aside; "" before the first look.
    ``failures``: POSTs in a row that failed. ``rest_until``, ``resting_since``: when the next one
    may begin, and since when it rests (ms), 0 if it does not. ``why``: what is the matter.
    ``suspects``: events from the cursor on, one of which it refuses; 0 if none is suspected.
    ``lone``, ``refusals``: id of the event that it refused alone, and how often. ``asides``: events
    set aside since it last took one. ``off``: digest of the URL that said that it is gone.
    ``delivered_at``: when it last took events (ms).
    """

    cursor: str = ""
    failures: int = 0
    rest_until: int = 0
    resting_since: int = 0
    why: str = ""
    suspects: int = 0
    lone: str = ""
    refusals: int = 0
    asides: int = 0
    off: str = ""
    delivered_at: int = 0


class AsideEvent(msgspec.Struct, frozen=True):
    """An event that an endpoint refused alone, several times: why, and when it was set aside."""

    event: msgspec.Raw
    why: str
    at_ms: int


class EndpointLease(NamedTuple):
    """The right to deliver for an endpoint, Redis' time (ms), and the state as it is stored."""

    now_ms: int
    stored: bytes

    @property
    def state(self) -> EndpointState:
        """The state of the endpoint."""
        return _decode(self.stored) if self.stored else EndpointState()


class EndpointRecord(NamedTuple):
    """What the ledger has of an endpoint: its state, as it is stored too; events set aside, the
    oldest first. ``counts``: ``posts:OUTCOME`` and ``events:OUTCOME`` → how many.
    """

    name: str
    stored: bytes
    state: EndpointState
    counts: dict[str, int]
    aside: list[AsideEvent]
    now_ms: int


def lease_endpoint(name: str, holder: str, lease_ms: int = LEASE_MS) -> Call:
    """Asks for the right to deliver for an endpoint, or gives it up (0); see `read_lease`."""
    return load("webhooks/lease_endpoint").call([_NAMES.prefix], [name, holder, lease_ms])


def read_lease(reply: object) -> EndpointLease | None:
    """Returns the lease in the reply to `lease_endpoint`; None if another thread has it."""
    if not isinstance(reply, list) or not reply:
        return None
    return EndpointLease(int(reply[0]), reply[1])


def record_delivery(
    name: str,
    holder: str,
    before: bytes,
    after: EndpointState,
    counts: Mapping[str, int],
    aside: AsideEvent | None = None,
) -> Call:
    """Records what became of a POST; the reply is 1, or 0 where the state changed meanwhile."""
    pairs = [part for pair in counts.items() for part in pair]
    kept = msgspec.json.encode(aside) if aside else b""
    sizes = LEASE_MS, before, encode_state(after), kept, MOST_ASIDE
    return load("webhooks/record_delivery").call([_NAMES.prefix], [name, holder, *sizes, *pairs])


def steer_endpoint(
    name: str,
    before: bytes,
    after: EndpointState | None,
    *,
    by: str,
    command: str,
    drops_aside: bool,
) -> Call:
    """Writes the state that an operator wants, None to forget it; the reply is 1, or 0 where it
    changed meanwhile.
    """
    stored = encode_state(after) if after else b""
    args: list[Argument] = [name, before, stored, by, command, int(drops_aside)]
    return load("webhooks/steer_endpoint").call([_NAMES.prefix], args)


@of_ledger
def read_endpoints(keys: PartitionKeys, most_aside: int = 0) -> Trips[list[EndpointRecord]]:
    """Reads all endpoints that ever had a position, by name; of what was set aside the newest."""
    states, counts, now = yield [
        ("HGETALL", keys.webhooks),
        ("HGETALL", keys.webhook_counts),
        ("TIME",),
    ]
    known = _texts(states)
    if not known:
        return []
    names = sorted(known)
    first = str(-most_aside) if most_aside else "1"
    last = "-1" if most_aside else "0"
    lists = yield [("LRANGE", keys.webhooks_aside(name), first, last) for name in names]
    numbers = {name: int(value) for name, value in _texts(counts).items()}
    assert isinstance(now, list | tuple)
    now_ms = int(now[0]) * 1000 + int(now[1]) // 1000
    return [
        EndpointRecord(
            name,
            known[name],
            _decode(known[name]),
            {
                what.partition("|")[2]: number
                for what, number in numbers.items()
                if what.startswith(f"{name}|")
            },
            [_decode_aside(each) for each in kept] if isinstance(kept, list) else [],
            now_ms,
        )
        for name, kept in zip(names, lists, strict=True)
    ]


def _texts(reply: object) -> dict[str, bytes]:
    found = reply if isinstance(reply, dict) else {}
    return {name.decode(): value for name, value in found.items()}


encode_state = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(EndpointState).decode
_decode_aside = msgspec.json.Decoder(AsideEvent).decode
