"""Reads of the ledger as values: the round trips in one partition, and how several become one."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar

import msgspec

from callspool.redis_io.scripts import Call, Command, Reply
from callspool_ledger.keys import PartitionKeys
from callspool_ledger.scripts import load

if TYPE_CHECKING:
    from callspool.redis_io.scripts import Argument
    from callspool.request.identity import Scope

Found = TypeVar("Found")
Found_co = TypeVar("Found_co", covariant=True)
Params = ParamSpec("Params")
Row = TypeVar("Row")

Trips: TypeAlias = Generator[Sequence[Call | Command], list[Reply], Found]
"""Yields what to ask in one round trip, is sent the replies, and returns what was found."""

PIECE = 1000
"""What one call looks at: a few milliseconds of Redis."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[Found_co]):
    """What is to be read of the ledger; `LedgerReader.ask` reads it.

    ``trips``: the round trips in one partition. ``merge`` makes one of what several partitions
    say; None where only the partition of one space knows. ``of_ledger``: the first partition knows.
    """

    trips: Callable[[PartitionKeys], Trips[Found_co]]
    merge: Callable[[list[Found_co]], Found_co] | None = None
    of_ledger: bool = False


Read: TypeAlias = Callable[Concatenate[PartitionKeys, Params], Trips[Found]]
MakeReading: TypeAlias = Callable[Params, Reading[Found]]


def merged_by(
    merge: Callable[[list[Found]], Found],
) -> Callable[[Read[Params, Found]], MakeReading[Params, Found]]:
    """Makes a reading of what each partition knows a part of."""

    def decorate(read: Read[Params, Found]) -> MakeReading[Params, Found]:
        return _make(read, merge)

    return decorate


def of_one_space(read: Read[Params, Found]) -> MakeReading[Params, Found]:
    """Makes a reading of what only the partition of a space knows."""
    return _make(read, None)


def of_ledger(read: Read[Params, Found]) -> MakeReading[Params, Found]:
    """Makes a reading of what the first partition knows of the whole ledger."""
    return _make(read, None, of_ledger=True)


def _make(
    read: Read[Params, Found],
    merge: Callable[[list[Found]], Found] | None,
    *,
    of_ledger: bool = False,
) -> MakeReading[Params, Found]:
    @wraps(read)
    def make(*args: Params.args, **kwargs: Params.kwargs) -> Reading[Found]:
        return Reading(lambda keys: read(keys, *args, **kwargs), merge, of_ledger)

    return make


def read_pieces(
    keys: PartitionKeys, script: str, row: type[Row], *more: Argument
) -> Trips[list[Row]]:
    """Reads all rows of a script that scans, a bounded piece a call; some may come twice.

    Raises TypeError for a reply that is no list.
    """
    found: list[Row] = []
    cursor: bytes | str = "0"
    while True:
        args = [cursor, PIECE, *more]
        (reply,) = yield [load(f"reads/{script}").call([keys.prefix], args)]
        if not isinstance(reply, list):
            raise TypeError(f"{script} answered {type(reply).__name__}, not a list")
        cursor, rows = reply
        found += msgspec.json.decode(rows, type=list[row])  # type: ignore[valid-type]
        if cursor in {b"0", "0"}:
            return found


def join_lists(parts: list[list[Row]]) -> list[Row]:
    """Returns what all partitions list, in their order."""
    return [each for part in parts for each in part]


def number_at(run: str, place: int) -> int:
    """Returns the number at a place of a run ``start:number,start:number,`` of equal values."""
    return int(name_at(run, place) or 0)


def name_at(run: str, place: int) -> str:
    """Returns the text at a place of such a run, "" before its first entry."""
    found = ""
    for entry in run.split(",")[:-1]:
        start, value = entry.split(":")
        if int(start) > place:
            break
        found = value
    return found


def join_scopes(parts: list[list[Scope]]) -> list[Scope]:
    """Returns the scopes of all partitions, sorted."""
    return sorted(join_lists(parts))
