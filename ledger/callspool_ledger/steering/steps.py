"""Running scripts piece by piece, as every steering command does; keys of access, endpoints."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Concatenate, NamedTuple, ParamSpec, Self, TypeAlias, TypeVar

import msgspec

from callspool.errors import CallspoolError, QueueUnavailable
from callspool.request.identity import digester, partition_of
from callspool_ledger import scripts
from callspool_ledger.access import MOST_KEYS
from callspool_ledger.errors import AccessKeyError, answering
from callspool_ledger.keys import PartitionKeys, account_limit
from callspool_ledger.reads.lookup import read_scopes
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.selectors import Selector
from callspool_ledger.steering.calls import SteeringCalls, SteeringOrder
from callspool_ledger.webhooks import steer_endpoint
from callspool_ledger.writes import Ledger, Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis

    from callspool.redis_io.scripts import Argument, Call
    from callspool.request.identity import Scope
    from callspool_ledger.access import AccessKey
    from callspool_ledger.webhooks import EndpointRecord, EndpointState


Part = TypeVar("Part", bound="Steps")
Params = ParamSpec("Params")
Result = TypeVar("Result")
Step: TypeAlias = Callable[Concatenate[Part, Params], Result]

BATCHES = 50
"""What one call of a script changes at most, about: some milliseconds of Redis."""


class One(NamedTuple):
    """A document by its id in one scope: the letter it had, and whether it was changed."""

    scope: Scope
    letter: str
    done: bool


def in_each_partition(
    merge: Callable[[list[Result]], Result],
) -> Callable[
    [Callable[Concatenate[Part, Params], Result]], Callable[Concatenate[Part, Params], Result]
]:
    """Makes a step of one partition a step in each that its selector may mean.

    ``merge`` makes one result of theirs.
    """

    def decorate(do: Step[Part, Params, Result]) -> Step[Part, Params, Result]:
        @wraps(do)
        def do_in_each(steps: Part, /, *args: Params.args, **kwargs: Params.kwargs) -> Result:
            if not steps.parts:
                return do(steps, *args, **kwargs)
            given = (*args, *kwargs.values())
            selector = next((one for one in given if isinstance(one, Selector)), Selector())
            found = _in_each(steps.parts_of(selector), lambda part: do(part, *args, **kwargs))
            return merge(found)

        return do_in_each

    return decorate


def _in_each(parts: Sequence[Part], do: Callable[[Part], Result]) -> list[Result]:
    """Does it in every part, also when one does not answer; then raises `QueueUnavailable`."""
    found: list[Result] = []
    failures: list[QueueUnavailable] = []
    for part in parts:
        try:
            found.append(do(part))
        except QueueUnavailable as fault:
            failures.append(fault)
    if failures:
        raise QueueUnavailable(
            f"done in {len(found)} of {len(parts)} partitions only: {failures[0]}"
        ) from failures[0]
    return found


def add_up(parts: list[int]) -> int:
    """Returns how many documents or messages it was in all partitions."""
    return sum(parts)


def join(parts: list[list[One]]) -> list[One]:
    """Returns the documents of all partitions, by their scopes."""
    return sorted((one for part in parts for one in part), key=lambda one: one.scope)


class Steps:
    """The steps of one operator. Raises `QueueUnavailable` when Redis does not answer.

    ``clients`` are those of the ledger's partitions, in their order. ``tell`` is called with how
    many documents are done, now and then. Where a partition does not answer, the others are done,
    and the error says so: doing it again is safe.
    """

    def __init__(
        self,
        clients: Sequence[redis.Redis],
        by: str,
        tell: Callable[[int], None] = lambda _: None,
        partition: int | None = None,
    ) -> None:
        self._by = by
        self._tell = tell
        self._clients = clients
        self._partition = partition if len(clients) > 1 else 0
        if self._partition is None:
            self.reader = LedgerReader(*clients)
            assert self.parts  # each begins its own partition's ledger
            return
        client, place = clients[self._partition], self._partition
        self.reader = LedgerReader(client, partition=place)
        limits = Limits(feed="", lease_ms=0, quiet_ms=0)  # it takes nothing
        self._ledger = Ledger(client, limits, place, len(clients))
        self._calls = SteeringCalls(self._ledger.keys)
        if place == 0:  # which knows how many there are; another one may be away
            with answering():
                self._ledger.open()

    @cached_property
    def parts(self) -> list[Self]:
        """The steps of each of several partitions; none where there is one."""
        if self._partition is not None:
            return []
        kind, progress, clients = type(self), _PartitionCounts(self._tell), self._clients
        return [kind(clients, self._by, progress.begin(), at) for at in range(len(clients))]

    def parts_of(self, selector: Selector) -> list[Self]:
        """Returns the partitions that a selector may mean."""
        if selector.account is None or selector.space_token is None:
            return self.parts
        place = partition_of(selector.account, selector.space_token, len(self.parts))
        return [self.parts[place]]

    def _one(self, verb: Callable[..., Call], document_id: str, selector: Selector) -> list[One]:
        order, number = SteeringOrder(self._by, selector, document_id), 0
        found: list[One] = []
        for scope in self.reader.ask(read_scopes()):
            if not selector.covers(scope, ""):
                continue
            digest = digester(scope)(document_id)
            letter, done, entry = self._run(verb(order, digest, number))
            number = number_of(entry)
            if letter:
                found.append(One(scope, text_of(letter), bool(done)))
        return found

    def _end_rests(self, account: str | None) -> list[str]:
        """Lets accounts send that the API asked to rest; all of them if none is named."""
        throttled, due = self._ledger.keys.throttled, self._ledger.keys.due
        with answering():
            clock, found = self._ledger.run_commands([("TIME",), ("HGETALL", throttled)])
            assert isinstance(clock, list | tuple)
            resting = found.items() if isinstance(found, dict) else ()
            till = {text_of(name): int(text_of(at)) for name, at in resting}
            meant = [name for name in sorted(till) if account in (None, name)]
            for name in meant:
                self._ledger.run_commands(
                    [("HDEL", throttled, name), ("ZADD", due, "XX", 0, f"T{name}")]
                )
            # Also where no worker has recorded a rest in this partition yet.
            for name in {*meant, *([account] if account else [])}:
                limit = account_limit(name)
                self._ledger.at(limit).run_commands([("HDEL", limit, "rest", "reset")])
        now_ms = int(clock[0]) * 1000
        return [name for name in meant if till[name] > now_ms]

    def _piece(self, step: Call) -> tuple[str, int, str, int]:
        cursor, changed, began_ms, number = self._run(step)
        return text_of(cursor), number_of(changed), text_of(began_ms), number_of(number)

    def _run(self, step: Call) -> list[object]:
        reply = self._run_any(step)
        if not isinstance(reply, list):
            raise TypeError(f"{step.script.name} answered {type(reply).__name__}, not a list")
        return reply

    def _run_first(self, step: Call) -> object:
        return (self.parts or [self])[0]._run_any(step)

    def _run_any(self, step: Call) -> object:
        with answering():
            return self._ledger.run([step])[0]

    @in_each_partition(add_up)
    def free_capped(self, campaign: str = "") -> int:
        """Has documents that wait for a cap asked about anew: all, or a campaign's (its key)."""
        cursor, is_begun = "0", False
        while not is_begun or cursor != "0":
            cursor = text_of(self._run_any(self._calls.free_capped(cursor, BATCHES, campaign)))
            is_begun = True
        return 0


class _PartitionCounts:
    """Sums up what the partitions tell of their progress."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell
        self._done: list[int] = []

    def begin(self) -> Callable[[int], None]:
        """Returns what a partition tells its progress to."""
        place = len(self._done)
        self._done.append(0)

        def tell(documents: int) -> None:
            self._done[place] = documents
            self._tell(sum(self._done))

        return tell


def number_of(value: object) -> int:
    """Returns the number that a script answered."""
    return int(value) if isinstance(value, int | bytes) else 0


def text_of(value: object) -> str:
    """Returns the text that a script answered."""
    return value.decode() if isinstance(value, bytes) else str(value)


class EndpointBusy(CallspoolError):  # noqa: N818 - says what is the matter
    """An endpoint's state changed between being read and being written."""


class KeySteering(Steps):
    """Creates and revokes keys, in the first partition: it holds the keys of all."""

    def create(self, key: AccessKey) -> None:
        """Keeps a key; raises `AccessKeyError` if its name is taken, or there are too many."""
        bound = msgspec.json.encode(key.selector.as_object())
        record = msgspec.json.encode(key)
        done = self._run_first(
            _call("create_key", key.name, key.digest, record, self._by, bound, MOST_KEYS)
        )
        if done == 0:
            raise AccessKeyError(
                f"there is a key {key.name} already: revoke it first, or choose another name"
            )
        if done != 1:
            raise AccessKeyError(
                f"there are {MOST_KEYS} keys already: revoke one first (callspool keys list)"
            )

    def revoke(self, name: str) -> None:
        """Ends a key at once; raises `AccessKeyError` if there is none of that name."""
        if self._run_first(_call("revoke_key", name, self._by)) != 1:
            raise AccessKeyError(f"there is no key {name}: callspool keys list shows all")


class EndpointSteering(Steps):
    """Writes how endpoints stand, in the first partition: it holds those of all."""

    @property
    def partitions(self) -> int:
        """Returns how many partitions the ledger has."""
        return len(self._clients)

    def write(
        self,
        record: EndpointRecord,
        after: EndpointState | None,
        command: str,
        *,
        drops_aside: bool = False,
    ) -> None:
        """Writes the state that an operator wants, None to forget the endpoint.

        Raises `EndpointBusy` where it changed since it was read.
        """
        step = steer_endpoint(
            record.name,
            record.stored,
            after,
            by=self._by,
            command=f"webhooks {command} {record.name}",
            drops_aside=drops_aside,
        )
        if self._run_first(step) != 1:
            raise EndpointBusy(f"{record.name} has moved on meanwhile: do it once more")


def _call(name: str, *args: Argument) -> Call:
    return scripts.load(f"steering/{name}").call([PartitionKeys().prefix], args)
