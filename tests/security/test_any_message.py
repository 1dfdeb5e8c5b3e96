"""Whatever is written into the stream is accepted, refused or kept whole, and workers go on."""

from __future__ import annotations

import msgspec
import pytest
import redis
from hypothesis import example, given, settings
from hypothesis import strategies as st

from callspool.errors import MessageUnreadable
from callspool.request.call_request import Rules
from callspool.request.message import MOST_BYTES_READ, MOST_DOCUMENTS_READ, decode
from callspool.transport.messages import Undecodable
from callspool_ledger import keys
from callspool_ledger.reads.dead import read_refused, read_unreadable
from callspool_ledger.reads.reader import LedgerReader
from callspool_operators.commands.dead import document_line, message_line
from callspool_operators.terminal.wording import json_line
from callspool_worker.accepting.actor import CODECS
from callspool_worker.accepting.message_reader import Reader
from tests.security.answers import ANYTHING, STEERING, TEXTS
from tests.support.ledgers import LedgerUnderTest

MESSAGES_TRIED = 600
STREAM = keys.stream(keys.REQUESTS)

DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("Ada") | TEXTS | ANYTHING,
        "contact_number": st.just("+14155550123") | TEXTS | ANYTHING,
        "document_id": TEXTS | ANYTHING,
        "labels": ANYTHING,
        "id": ANYTHING,
        "callspool_attempt": TEXTS,
        "own \x1b field": ANYTHING,
    },
)
GOOD = {"name": "Ada", "contact_number": "+14155550123", "document_id": "crm-1"}
REQUESTS = st.fixed_dictionaries(
    {"documents": st.lists(DOCUMENTS | st.just(GOOD) | ANYTHING, max_size=3) | ANYTHING},
    optional={
        "space_token": st.just("SPACE") | TEXTS | ANYTHING,
        "pilot": st.just("agent") | TEXTS | ANYTHING,
        "context": st.just("Follow up") | TEXTS | ANYTHING,
        "schedule": ANYTHING,
        "campaign": TEXTS | ANYTHING,
        "account": TEXTS | ANYTHING,
        "expires_at": TEXTS | ANYTHING,
    },
)
WHOLE = st.fixed_dictionaries(
    {
        "space_token": st.just("SPACE"),
        "pilot": st.just("agent"),
        "context": TEXTS,
        "documents": st.lists(st.just(GOOD) | st.just(GOOD) | DOCUMENTS, min_size=1, max_size=3),
    }
)
CONTENTS = (
    st.lists(REQUESTS | WHOLE | WHOLE | WHOLE, max_size=3).map(msgspec.json.encode)
    | ANYTHING.map(msgspec.json.encode)
    | st.binary(max_size=50)
    | st.sampled_from(
        [
            b"[" * 50_000,
            b'[{"documents":[' + b'{"a":' * 5000,
            b'[{"documents":[{"name":"\xff"}]}]',
            b'[{"space_token":"S","pilot":"p","context":"c","documents":[{"name":"\\ud800"}]}]',
            b'[{"space_token":"../..","pilot":"p","context":"c","documents":[{}]}]',
            b'[{"space_token":"S\\r\\nX: y","pilot":"p","context":"c","documents":[{}]}]',
            b'[{"documents":[' + b"0," * 3000 + b"0]}]",
            b'[{"documents":[9' + b"9" * 5000 + b"]}]",
        ]
    )
)
FIELDS = st.fixed_dictionaries(
    {"v": st.sampled_from([b"1"] * 9 + [b"2"]), "requests": CONTENTS},
    optional={
        "checked": st.sampled_from([b"1", b"0", b""]),
        "n": st.sampled_from([b"0", b"1", b"999999999", b"-1", b"x"]) | st.binary(max_size=12),
        "trace": st.binary(max_size=300),
        "other": st.binary(max_size=40),
    },
)
ENTRIES = FIELDS | FIELDS | FIELDS | st.dictionaries(st.binary(), st.binary(), min_size=1)


def read(entry_id: str, fields: dict[bytes, bytes], ledger: LedgerUnderTest) -> str:
    """What a worker makes of an entry: "accepted", "known", "kept" (whole), or an error."""
    try:
        message = CODECS[keys.REQUESTS].decode(keys.REQUESTS, entry_id, fields)
    except Undecodable as fault:
        return "kept" if str(fault).isprintable() and len(str(fault)) < 300 else str(fault)
    delivery = Reader(Rules(), ledger.ledger.limits).read(*message.args[0][0])
    (accepted,) = ledger.ledger.accept([delivery])
    return "known" if accepted.known else f"accepted {accepted.refused}"


def test_any_entry_is_accepted_refused_or_kept(client: redis.Redis) -> None:
    outcomes: set[str] = set()

    @settings(max_examples=MESSAGES_TRIED, deadline=None)
    @given(ENTRIES)
    @example({"v": b"1", "requests": b'[{"\\n+14155550123' + b"x" * 999 + b'":1}]'})
    @example({"v": b"1", "requests": b'[{"documents":[1]}]', "n": b"5"})
    def try_one(fields: dict[str | bytes, bytes]) -> None:
        client.flushall()
        ledger = LedgerUnderTest(client)
        client.xadd(STREAM, fields)
        ((_, [(entry_id, found)]),) = client.xreadgroup(keys.GROUP, "me", {STREAM: ">"})
        outcome = read(entry_id.decode(), found, ledger)
        outcomes.add(outcome)
        for account in client.smembers("callspool:{0}:accounts"):
            ledger.check(account.decode())
        assert outcome == "kept" or outcome.startswith("accepted")
        assert int(client.hget(keys.PartitionKeys().counts, "spooled") or 0) >= -MOST_DOCUMENTS_READ
        for refused in LedgerReader(client).ask(read_refused(10)):
            assert document_line(refused).isprintable()
            assert "\x9b" not in json_line(refused.document)

    try_one()
    assert {"kept", "accepted 0", "accepted 1"} <= outcomes


def sized(documents: int) -> bytes:
    return b'[{"documents":[' + b",".join([b"{}"] * documents) + b"]}]"


def test_a_message_is_read_up_to_its_limits_and_kept_whole_beyond() -> None:
    most = decode({b"v": b"1", b"requests": sized(MOST_DOCUMENTS_READ)})
    assert len(most.requests[0].documents) == MOST_DOCUMENTS_READ
    large = b'[{"documents":["' + b"x" * MOST_BYTES_READ + b'"]}]'
    several = sized(MOST_DOCUMENTS_READ)[:-1] + b"," + sized(1)[1:]
    values = b'[{"documents":[' + b"0," * 5_000_000 + b"0]}]"
    for requests in (sized(MOST_DOCUMENTS_READ + 1), large, several, values):
        with pytest.raises(MessageUnreadable, match="in parts"):
            decode({b"v": b"1", b"requests": requests})


def test_what_cannot_be_read_is_told_without_what_steers_a_terminal(client: redis.Redis) -> None:
    client.xadd(
        keys.dead_stream(keys.REQUESTS), {"requests": STEERING, "dead_reason": f"no {STEERING}"}
    )
    (found,) = LedgerReader(client).ask(read_unreadable(10))
    assert message_line(found).isprintable()
