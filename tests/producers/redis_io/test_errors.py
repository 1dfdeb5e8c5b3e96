"""What Redis' errors mean, and what the callers of `classify` make of them."""

import pytest
import redis
from dramatiq.errors import BrokerConnectionError, ConnectionClosed, ConnectionFailed
from redis import exceptions as theirs

from callspool.redis_io.errors import Fault, classify, describe, is_passing
from callspool.transport import CommandRefused
from callspool.transport.stream import translate_errors
from callspool_ledger.errors import LedgerFull, LedgerUnavailable, translate

TABLE: list[tuple[Exception, Fault, bool]] = [
    (theirs.ConnectionError("refused"), Fault.UNREACHABLE, True),
    (OSError("no route"), Fault.UNREACHABLE, True),
    (theirs.TimeoutError("slow"), Fault.TIMEOUT, True),
    (TimeoutError(), Fault.TIMEOUT, True),
    (theirs.BusyLoadingError("loading"), Fault.LOADING, True),
    (theirs.AuthenticationError("WRONGPASS"), Fault.LOGIN, False),
    (theirs.NoPermissionError("NOPERM the key ROOM"), Fault.PERMISSION, False),
    (theirs.ReadOnlyError("READONLY"), Fault.READ_ONLY, True),
    (theirs.MasterDownError("MASTERDOWN"), Fault.FAILOVER, True),
    (theirs.TryAgainError("TRYAGAIN"), Fault.FAILOVER, True),
    (theirs.ResponseError("BUSY a script runs"), Fault.BUSY, True),
    (theirs.ResponseError("BUSYGROUP is there"), Fault.COMMAND, False),
    (theirs.ResponseError("NOREPLICAS too few"), Fault.BUSY, True),
    (theirs.ResponseError("MISCONF cannot save"), Fault.UNSAVED, False),
    (theirs.OutOfMemoryError("command not allowed"), Fault.OUT_OF_MEMORY, False),
    (theirs.ResponseError("ERR script: OOM command not allowed"), Fault.OUT_OF_MEMORY, False),
    (theirs.ResponseError("WRONGTYPE"), Fault.COMMAND, False),
    (theirs.InvalidResponse("HTTP/1.1"), Fault.NOT_REDIS, False),
    (UnicodeError("label too long"), Fault.NOT_REDIS, False),
]


@pytest.mark.parametrize(("error", "fault", "passes"), TABLE, ids=lambda each: str(each)[:30])
def test_each_error_means_one_fault(error: Exception, fault: Fault, passes: bool) -> None:
    assert classify(error) is fault
    assert is_passing(error) is passes


def test_every_fault_is_in_the_table() -> None:
    assert {fault for _, fault, _ in TABLE} == set(Fault)


def test_a_description_is_one_line_and_quotes_no_argument() -> None:
    refused = theirs.ResponseError(
        "unknown command 'X',\n with args beginning with: '+14155550100'"
    )
    text = describe(refused, "Redis at {host}:1")
    assert text == "Redis at {host}:1 refused the message (unknown command 'X'); see its log"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (theirs.TimeoutError("slow"), ConnectionClosed),
        (theirs.BusyLoadingError("loading"), ConnectionClosed),
        (theirs.AuthenticationError("WRONGPASS"), ConnectionFailed),
        (theirs.NoPermissionError("NOPERM"), CommandRefused),
        (theirs.InvalidResponse("HTTP/1.1"), CommandRefused),
    ],
)
def test_the_broker_raises_dramatiqs_errors(
    error: redis.RedisError, kind: type[BrokerConnectionError]
) -> None:
    with pytest.raises(kind) as caught, translate_errors():
        raise error
    assert type(caught.value) is kind


def test_the_ledger_raises_its_own_errors_and_passes_on_the_rest() -> None:
    assert type(translate(theirs.OutOfMemoryError("OOM"))) is LedgerFull
    for error in (theirs.AuthenticationError("WRONGPASS"), theirs.NoPermissionError("NOPERM")):
        assert type(translate(error)) is LedgerUnavailable
    assert "make room on that disk" in str(translate(theirs.ResponseError("MISCONF x")))
    assert str(translate(theirs.ResponseError("NOREPLICAS x"))).endswith("why: NOREPLICAS")
    wrong = theirs.ResponseError("WRONGTYPE")
    assert translate(wrong) is wrong
