"""The workers themselves: how they stand with Redis, with each other and with their settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, Self
from urllib.parse import urlsplit

import callspool
from callspool_worker.events.event import Event, Level

if TYPE_CHECKING:
    from collections.abc import Mapping


class HasUrl(Protocol):
    """What of an account is told."""

    @property
    def api_url(self) -> str: ...


class Ready(Event, frozen=True, kw_only=True):
    """A worker process works. ``process``: its number; ``incarnation`` names it for ever.

    ``version`` is callspool's; it sends for ``accounts``, whose APIs are at ``hosts``.
    """

    kind: ClassVar[str] = "ready"
    incarnation: str
    process: int
    version: str
    hosts: tuple[str, ...]
    accounts: tuple[str, ...]

    @classmethod
    def of(cls, incarnation: str, process: int, accounts: Mapping[str, HasUrl]) -> Self:
        """Makes the event of what a process sends for; ``accounts`` by name."""
        hosts = {urlsplit(each.api_url).hostname or "" for each in accounts.values()}
        return cls(
            incarnation=incarnation,
            process=process,
            version=callspool.__version__,
            hosts=tuple(sorted(hosts)),
            accounts=tuple(sorted(accounts)),
        )

    def words(self) -> str:
        names, hosts = ", ".join(self.accounts), ", ".join(self.hosts)
        return (
            f"worker {self.incarnation} of process {self.process} is ready: callspool"
            f" {self.version} sends for {names} to {hosts}"
        )


class Stopping(Event, frozen=True, kw_only=True):
    """The worker was asked to end. What it sent is finished, the rest is given back."""

    kind: ClassVar[str] = "stopping"
    why: str

    def words(self) -> str:
        return f"stopping on {self.why}: what was sent is finished, the rest is given back"


class Stopped(Event, frozen=True, kw_only=True):
    """The worker has ended, ``seconds`` after it was asked to. ``killed``: not by itself."""

    kind: ClassVar[str] = "stopped"
    seconds: float
    killed: bool = False

    def words(self) -> str:
        return f"stopped after {self.seconds:.1f} s"


class Ended(Event, frozen=True, kw_only=True):
    """A worker process ended that was not told to, and is started again."""

    kind: ClassVar[str] = "ended"
    level: ClassVar[Level] = "warning"
    process: int
    why: str

    def words(self) -> str:
        return f"worker process {self.process} ended: {self.why}"


class NotStarted(Event, frozen=True, kw_only=True):
    """A worker process could not be started."""

    kind: ClassVar[str] = "not_started"
    level: ClassVar[Level] = "error"
    why: str

    def words(self) -> str:
        return f"a worker process cannot be started: {self.why}"


class Killed(Event, frozen=True, kw_only=True):
    """Worker processes did not end in time, and were killed."""

    kind: ClassVar[str] = "killed"
    level: ClassVar[Level] = "warning"

    def words(self) -> str:
        return "worker processes are killed: they did not end in time"


class LedgerAway(Event, frozen=True, kw_only=True):
    """Redis does not answer, and what is to be recorded waits for it."""

    kind: ClassVar[str] = "ledger_away"
    level: ClassVar[Level] = "warning"
    why: str
    seconds: float = 0.0

    def words(self) -> str:
        return f"the ledger does not answer, trying until it does: {self.why}"


class LedgerBack(Event, frozen=True, kw_only=True):
    """Redis answers again. ``seconds``: for which it did not."""

    kind: ClassVar[str] = "ledger_back"
    seconds: float

    def words(self) -> str:
        return f"the ledger answers again, after {self.seconds:.1f} s"


class LedgerReplaced(Event, frozen=True, kw_only=True):
    """The ledger has gone from Redis, and this worker goes on with another one.

    What was in it is forgotten. Spaces are read back before anything is sent to them.
    """

    kind: ClassVar[str] = "ledger_replaced"
    level: ClassVar[Level] = "error"
    partition: int

    def words(self) -> str:
        return (
            f"the ledger of partition {self.partition} has gone from Redis, which was emptied or"
            " restored: this worker goes on with the ledger that is there now"
        )


class Left(Event, frozen=True, kw_only=True):
    """Redis did not answer before the worker ended: another one goes on with it.

    ``message_id``: one that was not accepted; without it, an attempt whose outcome is not recorded.
    """

    kind: ClassVar[str] = "left"
    level: ClassVar[Level] = "warning"
    message_id: str = ""
    why: str

    def words(self) -> str:
        if self.message_id:
            return f"message {self.message_id} is left for another worker: {self.why}"
        return f"what came of the last batch is not recorded: {self.why}"


class Weakness(Event, frozen=True, kw_only=True):
    """Something in the configuration of Redis, or of another worker, endangers what is promised.

    Said when a worker starts.
    """

    kind: ClassVar[str] = "weakness"
    level: ClassVar[Level] = "warning"
    why: str

    def words(self) -> str:
        return self.why


class AccountNotConfigured(Event, frozen=True, kw_only=True):
    """Documents wait for an account that this worker has no credentials for."""

    kind: ClassVar[str] = "unknown_account"
    level: ClassVar[Level] = "warning"
    account: str

    def words(self) -> str:
        return f"documents of account {self.account} wait: no credentials for it here"


class TokenFile(Event, frozen=True, kw_only=True):
    """The file of an account's token was looked at."""

    kind: ClassVar[str] = "token_file"
    account: str
    why: str
    is_fault: bool = True

    @property
    def urgency(self) -> Level:
        return "warning" if self.is_fault else "info"

    def words(self) -> str:
        return f"account {self.account}: {self.why}"


class StepFailed(Event, frozen=True, kw_only=True):
    """A part of a worker met what it was not made for, and goes on. The line has a traceback."""

    kind: ClassVar[str] = "failed"
    level: ClassVar[Level] = "error"
    part: str
    pause: float = 0.0

    def words(self) -> str:
        again = f"; it goes on in {self.pause:.0f} s" if self.pause else ""
        return f"{self.part} failed{again}"


_ENDPOINT_WORDS = {
    "resting": "rests and is probed",
    "back": "takes events again",
    "off": "is switched off: callspool webhooks test switches it on again",
    "set_aside": "refused an event alone, which is set aside",
    "missed": "did not get events that the feed dropped meanwhile",
}


class EndpointChanged(Event, frozen=True, kw_only=True):
    """How an endpoint of the settings does. ``became``: resting, back, off, set_aside, missed."""

    kind: ClassVar[str] = "endpoint"
    endpoint: str
    became: str
    why: str = ""

    @property
    def urgency(self) -> Level:
        return "info" if self.became == "back" else "warning"

    def words(self) -> str:
        cause = f": {self.why}" if self.why else ""
        return f"webhook {self.endpoint} {_ENDPOINT_WORDS[self.became]}{cause}"


class Suppressed(Event, frozen=True, kw_only=True):
    """How many lines like one that was logged were left out until the worker ended.

    ``like``: the kind of these events; ``account``, ``outcome``, ``code`` and ``decision`` are
    those that all of them had. Where such a line comes again, it holds these numbers itself.
    """

    kind: ClassVar[str] = "suppressed"
    level: ClassVar[Level] = "warning"
    like: str
    account: str = ""
    outcome: str = ""
    code: str = ""
    decision: str = ""
    suppressed: int
    suppressed_documents: int = 0

    def words(self) -> str:
        return f"{self.suppressed} more lines of {self.like} were left out"
