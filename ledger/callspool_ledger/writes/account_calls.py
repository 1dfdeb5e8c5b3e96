"""The scripts of what an account shares across partitions: permits, rate and rests.

Its keys have a hash tag of their own, so on a cluster they lie apart from the documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from callspool_ledger import keys, scripts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from callspool.redis_io.scripts import Argument, Call
    from callspool_ledger.writes.ledger import Ledger


class News(msgspec.Struct):
    """What came of requests: ``n`` were carried out, in ``ms`` altogether; ``refused`` of those
    that began after ``cuts`` decreases; the account is to rest for ``rest`` ms; the API takes
    ``left`` more requests (-1: unknown) until ``reset`` ms from now.
    """

    n: int = 0
    ms: float = 0.0
    refused: int = 0
    cuts: int = 0
    rest: int = 0
    left: int = -1
    reset: int = 0


class Change(msgspec.Struct):
    """A new limit, if the account still stands as it did at ``version``; ``pause`` in ms."""

    version: int
    limit: int
    pause: int
    cuts: int
    state: str


class Past(msgspec.Struct):
    """What the next change has to go by, over all processes: ``ms`` altogether, ``rest`` in ms."""

    n: int
    ms: float
    refused: int
    peak: int
    rest: int


@dataclass(frozen=True, slots=True)
class Ask:
    """What a process asks for: it has ``busy`` requests in flight (``peak`` since it asked last),
    could have ``wanted``, and did not begin ``unused`` that it was let begin.
    """

    holder: str
    busy: int
    peak: int
    wanted: int
    unused: int = 0
    news: News | None = None
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What it gets: ``permits`` in flight; ``begin`` more requests now (-1: no matter); something
    may begin in ``wait`` ms. ``past``: None if no change is due. ``at_ms`` by Redis' clock.
    """

    permits: int
    limit: int
    cuts: int
    wait: int
    begin: int
    version: int
    state: str
    past: Past | None
    at_ms: int


class LogTurn(NamedTuple):
    """Whether a follower may read an account's call log now; the end of the newest ring that was
    read so far (ms, by the API's clock, 0 before the first); and whether it was read lately.
    """

    may_read: bool
    seen_ms: int
    is_fresh: bool


def read_log(
    account: str, follower: str, turn_ms: int, newest_ms: int = 0, pause_ms: int = 0
) -> Call:
    """Asks whether a follower may read an account's call log; with ``turn_ms`` 0 it has read it.

    ``newest_ms``: end of the newest ring, 0 where it could not read. The next read is due
    ``pause_ms`` later. The reply is read by `read_log_turn`.
    """
    args: list[Argument] = [follower, turn_ms, newest_ms, pause_ms]
    return scripts.load("permits/read_log").call([keys.account_prefix(account)], args)


def read_log_turn(reply: object) -> LogTurn:
    """Returns the turn in the reply to `read_log`."""
    assert isinstance(reply, list)
    return LogTurn(reply[0] == 1, int(reply[1]), reply[2] == 1)


def allow_follow(account: str, rate: float, rest_ms: int = 0) -> Call:
    """Asks whether one more read may follow an account's calls; ms to wait, 0 if it may.

    ``rest_ms``: the API refused a read, and nothing is read for so long.
    """
    prefix = keys.account_prefix(account)
    return scripts.load("permits/allow_follow").call([prefix], [rate, rest_ms])


WindowWord = Literal["", "honoured", "refused"]
"""What a follower has found of windows of time, if it has."""


def ask_windows(account: str, word: WindowWord, ms: int) -> Call:
    """Asks whether an account's API honours windows of time, or says what was found of that.

    ``ms``: that a probe may take, 0 for none; or for which none is made after a refusal. The reply
    is 1 where windows are honoured, 2 where this follower is to find out, 0 otherwise.
    """
    prefix = keys.account_prefix(account)
    return scripts.load("permits/ask_windows").call([prefix], [word, ms])


def hint_calls(
    prefix: str, space: str, batch: int, patience_ms: int, since_ms: int, places: Sequence[int]
) -> Call:
    """Notes rings that a call log shows to be over, by the places of their documents in a batch.

    ``prefix``: of the partition. ``patience_ms``: from the first of them, ``since_ms`` ago, to the
    next look at the batch.
    """
    counted = [place + 1 for place in places]
    args: list[Argument] = [space, batch, patience_ms, since_ms, *counted]
    return scripts.load("writes/hint_calls").call([prefix], args)


_encode = msgspec.json.Encoder().encode


def permits(
    account: str, ask: Ask, *, lease_ms: int, first: int, most: int, rate: float, grace_ms: int
) -> Call:
    """Reports what came of an account's requests and asks how many may be in flight."""
    args: list[Argument] = [
        ask.holder,
        ask.busy,
        ask.peak,
        ask.wanted,
        lease_ms,
        first,
        most,
        rate,
        ask.unused,
        _encode(ask.news) if ask.news else b"",
        _encode(ask.change) if ask.change else b"",
        grace_ms,
    ]
    return scripts.load("permits/permits").call([keys.account_prefix(account)], args)


def read_grant(reply: object) -> Grant:
    """Returns the grant in the reply to `permits`."""
    assert isinstance(reply, list)
    numbers = [int(number) for number in (*reply[:6], reply[8])]
    state, past = (bytes(part).decode() for part in reply[6:8])
    permits, limit, cuts, wait, begin, version, at_ms = numbers
    known = msgspec.json.decode(past, type=Past) if past else None
    return Grant(permits, limit, cuts, wait, begin, version, state, known, at_ms)


def give_up_permits(account: str, holder: str) -> Call:
    """Frees what a process held of an account when it ended."""
    return scripts.load("permits/give_up_permits").call([keys.account_prefix(account)], [holder])


def account_ledgers(ledger: Ledger, accounts: Iterable[str]) -> dict[str, Ledger]:
    """Returns where the calls of each account run: its keys are in a slot of their own."""
    return {name: ledger.at(keys.account_prefix(name)) for name in accounts}
