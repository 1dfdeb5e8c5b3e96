"""The same id with another number is no duplicate: the ledger tells the two apart."""

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from callspool.request.identity import NO_NUMBER, number_digests
from callspool_ledger.reads.lookup import CONFLICT, read_by_digest
from callspool_ledger.reads.reader import LedgerReader
from tests.support.ledgers import LedgerUnderTest, P, calls, digest, group

ADA, BO, CY = "+14155550100", "+14155550101", "+14155550102"


@pytest.fixture
def ledger(client: redis.Redis) -> LedgerUnderTest:
    return LedgerUnderTest(client, batch_size=3, linger_ms=0)


def test_a_digest_knows_a_number_by_its_digits_alone() -> None:
    spellings = [ADA, "14155550100", "0014155550100", "+1 (415) 555-0100"]
    spellings.append("+\uff11 \u0664\u0661\u0665 5550100")
    assert len({*number_digests(spellings)}) == 1
    assert len({*number_digests([ADA, BO, CY, "", "5550100"])}) == 5
    assert {len(one) for one in number_digests(spellings)} == {4}


NUMBERS = st.from_regex(r"(\+|00)?[0-9\u0664 +\n]{0,12}", fullmatch=True)


@given(st.lists(st.sampled_from([ADA, BO, CY, "+0014155550100"]) | NUMBERS, max_size=5))
def test_digests_of_many_numbers_are_those_of_each(numbers: list[str]) -> None:
    assert number_digests(numbers) == [
        digest for number in numbers for digest in number_digests([number, "x"])[:1]
    ]


def test_documents_whose_id_has_another_number_are_conflicts(ledger: LedgerUnderTest) -> None:
    ledger.accept(group(["1", "2"], numbers=[ADA, BO]))
    [reply] = [ledger.accept(group(["1", "2", "3"], numbers=[CY, "1 415 555 0101", CY]))]
    assert (reply.accepted, reply.duplicate, reply.conflict) == (1, 1, 1)
    assert reply.by_group == [(1, 1, 1)]
    counts = ledger.client.hgetall(f"{P}:counts")
    assert (counts[b"default|conflict"], counts[b"default|duplicate"]) == (b"1", b"1")


@pytest.mark.parametrize("ids", [["1", "1"], ["1", "2", "3", "4", "5", "1"]])
def test_they_are_told_within_one_message(ledger: LedgerUnderTest, ids: list[str]) -> None:
    numbers = [f"+1415555{n:04}" for n in range(100, 100 + len(ids))]
    reply = ledger.accept(group(ids, numbers=numbers))
    assert (reply.accepted, reply.duplicate, reply.conflict) == (len(ids) - 1, 0, 1)


def test_nothing_follows_from_a_number_that_is_not_known(ledger: LedgerUnderTest) -> None:
    ledger.accept(group(["1"]), group(["2"], numbers=[ADA]))
    reply = ledger.accept(group(["1", "2"], numbers=[BO, ADA]), group(["2"]))
    assert (reply.accepted, reply.duplicate, reply.conflict) == (0, 3, 0)


def test_a_batch_that_an_earlier_version_began_is_padded(
    ledger: LedgerUnderTest, client: redis.Redis
) -> None:
    ledger = LedgerUnderTest(client, batch_size=10, linger_ms=60_000)
    ledger.accept(group(["1"], numbers=[ADA]))
    client.hdel(f"{P}:b1", "f")
    ledger.accept(group(["2"], numbers=[BO]))
    assert client.hget(f"{P}:b1", "f") == NO_NUMBER + number_digests([BO])[0]
    reply = ledger.accept(group(["1", "2"], numbers=[CY, CY]))
    assert (reply.duplicate, reply.conflict) == (1, 1)


def test_a_dead_document_gives_its_id_away_to_any_number(ledger: LedgerUnderTest) -> None:
    ledger.accept(group(["1"], reason="it is too large", numbers=[ADA]))
    reply = ledger.accept(group(["1"], numbers=[BO]))
    assert (reply.accepted, reply.conflict) == (1, 0)
    assert ledger.accept(group(["1"], numbers=[BO])).duplicate == 1


def test_a_created_document_keeps_its_digest(ledger: LedgerUnderTest, client: redis.Redis) -> None:
    ledger.accept(group(["1"], numbers=[ADA]))
    taken = ledger.ledger.take("me", ["default"])
    assert taken is not None
    ledger.ledger.run([calls.record_created(taken, "R1", ["T1"], "200")])
    assert ledger.accept(group(["1"], numbers=[BO])).conflict == 1
    asked = [digest("1")] * 3
    found = LedgerReader(client).ask(
        read_by_digest(asked, ["1"] * 3, [*number_digests([ADA, BO]), NO_NUMBER])
    )
    assert [one and one.state for one in found] == ["created", CONFLICT, "created"]
    assert [one and one.run_id for one in found] == ["R1", None, "R1"]
