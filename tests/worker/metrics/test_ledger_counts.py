"""What the ledger counts for metrics is counted in the step that it counts, and never goes back."""

from __future__ import annotations

import itertools
import random
import re
from dataclasses import replace

import pytest
import redis

from callspool.transport.stream import ConsumerHeartbeat
from callspool_ledger import keys, scripts
from callspool_ledger.reads import snapshot as histograms
from callspool_ledger.reads.gates import read_gates
from callspool_ledger.reads.lanes import read_lanes
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_clock
from callspool_ledger.reads.views import CallRecord
from callspool_ledger.selectors import Selector
from callspool_ledger.writes import Delivery, LaneKey, Ledger, Limits, Look, Refusal, Taken
from tests.support.ledgers import LANE, LedgerUnderTest, P, calls, group
from tests.worker.metrics.scraped import Samples, of_ledger, total, value


@pytest.fixture
def under(client: redis.Redis) -> LedgerUnderTest:
    return LedgerUnderTest(client, batch_size=100, linger_ms=0)


@pytest.fixture
def reader(client: redis.Redis) -> LedgerReader:
    return LedgerReader(client)


def take(under: LedgerUnderTest, taker: str = "t") -> Taken:
    taken = under.ledger.take(taker, ["default", "sales"])
    assert taken is not None
    return taken


def create(under: LedgerUnderTest, taken: Taken) -> None:
    ids = [f"T{taken.attempt}-{place}" for place in range(taken.count)]
    under.ledger.run([calls.record_created(taken, f"R{taken.attempt}", ids, "200")])


def bury(under: LedgerUnderTest, taken: Taken) -> None:
    step = calls.bury(taken, outcome="rejected", code="422", detail="bad number")
    under.ledger.run([step])


def doubt(under: LedgerUnderTest, taken: Taken) -> None:
    step = calls.doubt(taken, outcome="no_answer", code="", detail="timeout", proof=b"{}")
    under.ledger.run([step])


def bucket(samples: Samples, name: str, le: str) -> float:
    return total(samples, f"{name}_bucket", le=le)


def test_the_bounds_of_buckets_are_the_same_where_they_are_counted_and_where_they_are_read():
    text = re.sub(r"\s", "", scripts.read_text("include/outcomes"))
    for bounds in (
        histograms.SUBMISSION_MS,
        histograms.DELIVERY_MS,
        histograms.BATCH_DOCUMENTS,
    ):
        assert "{" + ",".join(map(str, bounds)) in text
    followed = re.sub(r"\s", "", scripts.read_text("writes/record_calls"))
    assert "{" + ",".join(map(str, histograms.FOLLOWED_MS)) in followed


def test_each_document_is_delivered_since_its_own_acceptance(
    under: LedgerUnderTest, reader: LedgerReader
):
    under.accept(group([f"crm-{each}" for each in range(10)]))
    opened = int(under.client.hget(f"{P}:b1", "o")) - 700_000
    under.client.hset(f"{P}:b1", mapping={"o": opened, "a": "4:500000,7:699999,"})
    create(under, take(under))
    samples = of_ledger(reader)
    name = "callspool_delivery_seconds"
    assert [bucket(samples, name, le) for le in ("60.0", "300.0", "900.0", "+Inf")] == [
        3,
        6,
        10,
        10,
    ]
    assert total(samples, f"{name}_sum") == pytest.approx(4 * 700 + 3 * 200, abs=20)


def test_documents_proven_one_by_one_are_delivered_once_each(
    under: LedgerUnderTest, reader: LedgerReader
):
    under.accept(group(["crm-1", "crm-2", "crm-3"]))
    taken = take(under)
    doubt(under, taken)
    for mask, found in (("100", 1), ("100", 1), ("101", 2), ("111", 3)):
        ids = ["T"] * mask.count("1")
        step = calls.record_proven(
            taken.batch, taken.attempt, taken.seal, run_id="R", ids=ids, places=mask, claim=False
        )
        under.ledger.run([step])
        samples = of_ledger(reader)
        assert total(samples, "callspool_delivery_seconds_count") == found
        assert value(samples, "callspool_proven_documents_total", account="default") == found


def test_how_long_a_request_took_and_how_many_documents_it_had_is_counted_by_outcome(
    under: LedgerUnderTest, reader: LedgerReader
):
    under.accept(group([f"crm-{each}" for each in range(100)]))
    under.accept(group(["crm-100"]))
    create(under, take(under))
    lone = take(under)
    under.client.hset(f"{P}:b{lone.batch}", "taken", int(lone.at_ms) - 7_000)
    doubt(under, lone)
    samples = of_ledger(reader)
    name, labels = "callspool_submission_seconds", {"account": "default"}
    assert value(samples, f"{name}_count", outcome="created", **labels) == 1
    assert value(samples, f"{name}_bucket", outcome="no_answer", le="5.0", **labels) == 0
    assert value(samples, f"{name}_bucket", outcome="no_answer", le="10.0", **labels) == 1
    assert value(samples, "callspool_batch_documents_sum", **labels) == 101
    assert bucket(samples, "callspool_batch_documents", "1.0") == 1
    assert total(samples, "callspool_submissions_total", code="none", outcome="no_answer") == 1


def test_what_was_not_sent_is_no_batch(under: LedgerUnderTest, reader: LedgerReader):
    under.accept(group(["crm-1"]))
    step = calls.put_back(take(under), tries=0, delay_ms=0, outcome="not_sent")
    under.ledger.run([step])
    samples = of_ledger(reader)
    assert total(samples, "callspool_submission_seconds_count", outcome="not_sent") == 1
    assert total(samples, "callspool_batch_documents_count") == 0


def test_an_event_that_is_taken_back_stays_counted(under: LedgerUnderTest, reader: LedgerReader):
    under.accept(group(["crm-1", "crm-2"]))
    first = take(under)
    bury(under, first)

    def dead(name: str, **labels: str) -> float:
        return value(of_ledger(reader), name, account="default", **labels)

    assert dead("callspool_document_events_total", event="dead") == 2
    under.ledger.run([scripts.load("steering/replay").call([P], [0, 100, 0, 0, "me", "{}", 1])])
    assert dead("callspool_documents", state="dead") == 0
    assert dead("callspool_document_events_total", event="dead") == 2
    bury(under, take(under))
    assert dead("callspool_document_events_total", event="dead") == 4
    assert dead("callspool_dead_documents_total", code="422") == 4
    create(under, first)  # the first attempt's answer came late, and was no refusal
    assert dead("callspool_documents", state="created") == 2
    assert dead("callspool_document_events_total", event="dead") == 4
    assert dead("callspool_unaccounted_documents") == 0


def test_why_documents_are_dead_is_counted_by_code(under: LedgerUnderTest, reader: LedgerReader):
    under.accept(group(["crm-1"], reason="too large"))
    under.accept(group(["crm-2"]))
    taken = take(under)
    doubt(under, taken)
    under.client.hset(f"{P}:b{taken.batch}", "seen", "nothing")
    look = Look(reader.ask(read_clock()), "nothing")
    under.ledger.run([calls.bury_missing(taken.batch, taken.attempt, look, "missing")])
    samples = of_ledger(reader)
    for code in ("too_large", "missing"):
        assert value(samples, "callspool_dead_documents_total", code=code, account="default") == 1


def test_what_lists_keep_back_is_counted_by_their_kind(
    under: LedgerUnderTest, reader: LedgerReader
):
    under.accept(replace(group(["crm-1"], reason="suppressed: …"), suppressed="account"))
    under.accept(group(["crm-2", "crm-3"]))
    under.ledger.run([calls.suppress(take(under), [("global", "suppressed: …", [1])])])
    samples = of_ledger(reader)
    for kind, number in (("account", 1), ("global", 1), ("named", 0)):
        found = value(samples, "callspool_suppressed_total", list=kind, account="default")
        assert found == number
    for event in ("suppressed", "cancelled"):
        events = "callspool_document_events_total"
        assert value(samples, events, event=event, account="default") == 2


def test_refused_documents_add_no_account_that_nobody_has_documents_for(
    under: LedgerUnderTest, reader: LedgerReader
):
    refusals = [Refusal(name, b"{}") for name in ("default", "+14155550123", "nobody", "sales")]
    under.ledger.accept([under.deliver([group(["a"], LANE._replace(account="sales"))], refusals)])
    samples = of_ledger(reader)
    name = "callspool_document_events_total"
    assert value(samples, name, event="invalid", account="other") == 2
    for account in ("default", "sales"):
        assert value(samples, name, event="invalid", account=account) == 1
    assert "4155550123" not in str(samples)


def test_ages_are_those_of_the_oldest(under: LedgerUnderTest, reader: LedgerReader):
    for each in range(3):
        under.accept(group([f"crm-{each}"]))
    oldest = under.client.zrange(f"{P}:waiting:default", 0, 0)[0].decode()
    under.client.zincrby(f"{P}:waiting:default", -60_000, oldest)
    sent = take(under, "a")
    doubt(under, sent)
    under.client.hincrby(f"{P}:b{sent.batch}", "doubted", -90_000)
    held = take(under, "b")
    under.client.hincrby(f"{P}:b{held.batch}", "taken", -30_000)
    under.ledger.run([calls.throttle("default", 20_000)])
    samples = of_ledger(reader)
    ages = {
        name: value(samples, f"callspool_{name}_seconds", account="default")
        for name in ("oldest_in_doubt", "oldest_sending", "throttled")
    }
    assert ages == pytest.approx(
        {"oldest_in_doubt": 90, "oldest_sending": 30, "throttled": 20}, abs=2
    )


def test_what_became_of_calls_is_counted_and_its_sum_is_what_was_created(
    under: LedgerUnderTest, reader: LedgerReader
):
    under.accept(group([f"crm-{each}" for each in range(4)]))
    taken = take(under)
    create(under, taken)
    under.client.zadd(f"{P}:follows", {"default|SPACE": 0})
    under.ledger.run([calls.follow("f", 60_000, ["default"])])

    def record(place: int, outcome: str) -> None:
        ended = reader.ask(read_clock()) // 1000 - 400
        news = {place: (outcome, CallRecord("completed", "", 1, 0, ended, 0))}
        step = calls.record_calls(
            "f", "default|SPACE", taken.batch, memory="", again_ms=None, news=news
        )
        under.ledger.run([step])

    record(0, "not_reached")
    record(0, "reached")
    record(1, "failed")
    under.client.zincrby(f"{P}:opened:default|SPACE", -90_000, taken.batch)
    under.ledger.run([calls.end_following("f", "default|SPACE", 0, {"200": 3, "429": 1})])
    samples = of_ledger(reader)
    names = ("reached", "not_reached", "failed", "ended", "lost_sight")
    counted = {
        name: value(samples, "callspool_outcomes_total", outcome=name, account="default")
        for name in names
    }
    assert counted == {"reached": 1, "not_reached": 1, "failed": 1, "ended": 0, "lost_sight": 0}
    assert total(samples, "callspool_open_calls") == 2
    assert 89 < total(samples, "callspool_oldest_open_call_seconds") < 95
    assert value(samples, "callspool_follow_requests_total", code="429", account="default") == 1
    assert total(samples, "callspool_follow_delay_seconds_count") == 2
    assert bucket(samples, "callspool_follow_delay_seconds", "300.0") == 0
    assert total(samples, "callspool_batch_documents_count") == 1


def test_limits_of_accounts_are_served_where_workers_keep_them(
    under: LedgerUnderTest, reader: LedgerReader
):
    under.accept(group(["crm-1"]))
    assert total(of_ledger(reader), "callspool_account_limit") == 0
    now, shared = reader.ask(read_clock()), "callspool:{account-default}"
    under.client.hset(f"{shared}:limit", mapping={"in_force": 12, "rest": now + 30_000})
    alive, gone = f"6 4 9 {now + 60_000}", f"6 5 9 {now - 1}"
    under.client.hset(f"{shared}:holders", mapping={"a": alive, "b": alive, "c": gone})
    samples = of_ledger(reader)
    assert value(samples, "callspool_account_limit", account="default") == 12
    assert value(samples, "callspool_account_in_flight", account="default") == 8
    assert value(samples, "callspool_throttled_seconds", account="default") == pytest.approx(30, 2)


LANES = [
    LaneKey(account, space, campaign, "pilot", context, "{}")
    for account, space, campaign, context in itertools.product(
        ("default", "sales"), ("S1", "S2"), ("", "may|june"), ("a", "b")
    )
]


@pytest.mark.parametrize("seed", range(12))
def test_lanes_are_counted_by_state_as_if_each_was_looked_at(
    seed: int, under: LedgerUnderTest, reader: LedgerReader, client: redis.Redis
):
    groups = [group([f"crm-{lane.context}"], lane) for lane in LANES]
    under.accept(*groups)
    ids = [one.lane_id for one in groups]
    chance = random.Random(seed)
    selectors = [
        Selector(),
        Selector("sales"),
        Selector(None, "S1"),
        Selector("default", "S2"),
        Selector(None, None, "may|june"),
        Selector("sales", None, ""),
        Selector(None, "S2", "may|june"),
        Selector("sales", "S1", "may|june"),
        *(Selector(lane=lane) for lane in chance.sample(ids, 3)),
    ]
    gates = ["account:sales", "space:default|S1", "unread:sales|S2", "space:sales|S2"]
    gates += [f"lane:{lane}" for lane in chance.sample(ids, 4)]
    for selector in chance.sample(selectors[1:], chance.randint(0, 3)):
        under.ledger.run(
            [scripts.load("steering/pause").call([P], [selector.name, "me", "{}", "", 0])]
        )
    for gate in chance.sample(gates, chance.randint(0, 5)):
        under.ledger.run([calls.park(Limits(), gate, reason="no", code="404")])
    expected: dict[tuple[str, str], int] = {}
    for lane in LedgerReader(client).ask(read_lanes()):
        expected[lane.state, lane.scope.account] = (
            expected.get((lane.state, lane.scope.account), 0) + 1
        )
    samples = of_ledger(reader)
    for state, account in itertools.product(("open", "paused", "parked"), ("default", "sales")):
        found = value(samples, "callspool_lanes", state=state, account=account)
        assert found == expected.get((state, account), 0), (state, account)
    assert total(samples, "callspool_parked") == len(reader.ask(read_gates())) - total(
        samples, "callspool_paused"
    )


def test_a_ledger_of_a_release_that_counted_less_goes_on_and_its_lanes_are_counted(
    under: LedgerUnderTest, reader: LedgerReader, client: redis.Redis
):
    under.accept(group(["crm-1", "crm-2"]))
    under.accept(group(["crm-3"], LANE._replace(campaign="may")))
    create(under, take(under))
    client.delete(f"{P}:timings", f"{P}:scopelanes")
    client.hdel(f"{P}:counts", "default|lanes", "default|since")
    Ledger(client, Limits()).open()
    samples = of_ledger(reader)
    assert value(samples, "callspool_lanes", state="open", account="default") == 1
    assert (
        value(samples, "callspool_document_events_total", event="created", account="default") == 2
    )
    assert value(samples, "callspool_unaccounted_documents", account="default") == 0
    create(under, take(under))
    samples = of_ledger(reader)
    assert value(samples, "callspool_lanes", state="open", account="default") == 0
    assert total(samples, "callspool_delivery_seconds_count") == 1


def test_partitions_add_up(client: redis.Redis):
    found = LedgerReader(client).metrics()
    for partition in (0, 1):
        ledger = Ledger(client, Limits(linger_ms=0), partition)
        ledger.open("")
        stream = f"callspool:{{{partition}}}:requests"
        client.xgroup_create(stream, "workers", "0", mkstream=True)
        ConsumerHeartbeat(client, key=keys.alive_workers(partition), consumer="me").beat()
        client.xadd(stream, {"v": "1"})
        ((_, [(entry, _)]),) = client.xreadgroup("workers", "me", {stream: ">"}, count=1)
        client.xadd(stream, {"v": "1"})
        groups = [group([f"crm-{partition}", "crm-2"])]
        ledger.accept([Delivery(entry.decode(), 0, groups, [])])
        taken = ledger.take("t", ["default"])
        assert taken is not None
        ledger.run([ledger.calls.record_created(taken, "R", ["T1", "T2"], "200")])
        found.merge(LedgerReader(client, partition=partition).metrics())
    assert found.counts["default", "created"] == 4
    assert found.timings["default", "delivery"].cumulate(histograms.DELIVERY_MS)[-1] == 4
    assert found.submissions["default", "created", "200"] == 2
    assert found.spooled_messages == 2
    assert found.workers == {"me"}
    assert not found.refuses_writes
