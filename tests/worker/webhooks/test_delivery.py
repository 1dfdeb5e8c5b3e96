"""Events reach an endpoint in their order, whatever it answers and whichever process is killed."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import redis
from standardwebhooks import Webhook

from callspool_ledger.keys import PartitionKeys
from callspool_ledger.reads.feed import cursor_since
from callspool_ledger.steering import EndpointSteering
from callspool_ledger.webhooks import EndpointState
from callspool_worker.api.endpoint import PostAnswer
from callspool_worker.webhooks.delivery import start_delivery
from callspool_worker.webhooks.plan import MOST_BYTES
from tests.worker.webhooks.played_endpoint import HOUR, SECRET, TAKEN, PlayedEndpoint

AWAY = PostAnswer(0, None, "crm.example gave no answer within 20 s")


@pytest.fixture
def played(client: redis.Redis, tmp_path: Path) -> PlayedEndpoint:
    return PlayedEndpoint(client, tmp_path)


def test_an_endpoint_that_is_away_for_six_hours_gets_every_event_in_order(
    played: PlayedEndpoint,
) -> None:
    answers = [AWAY, PostAnswer(503), PostAnswer(429, 90.0), PostAnswer(302)]
    played.answer = lambda _: answers[len(played.posts) % 4]
    expected = []
    for hour in range(1, 7):
        ids = [f"h{hour}-{number}" for number in range(20)]
        expected += ids
        played.happen(*ids)
        played.run(until_ms=hour * HOUR)
    assert played.taken == []
    assert len(played.posts) < 6 * 60  # it is probed, not hammered
    state = played.record().state
    assert state.resting_since
    assert state.why
    played.answer = lambda _: TAKEN
    played.run()
    assert played.taken == expected
    record = played.record()
    assert (record.state.resting_since, record.aside) == (0, [])
    assert record.counts["events:delivered"] == 120
    assert record.counts["posts:failed"] == len(played.posts) - record.counts["posts:delivered"]


def test_what_was_posted_and_not_recorded_is_repeated_with_the_same_ids(
    played: PlayedEndpoint,
) -> None:
    class Killed(BaseException):
        pass

    def take_and_die(ids: list[str]) -> PostAnswer:
        played.taken += ids
        raise Killed

    played.happen("a", "b", "c")
    played.answer = take_and_die
    with pytest.raises(Killed):
        played.delivery.step()
    played.answer = lambda _: TAKEN
    other = played.deliver_as("two")
    assert other.step() > 0  # the lease of the dead one still holds
    played.client.hset(f"{PartitionKeys().webhooks}:leases", "crm", "1 one")
    other.step()
    assert [event["id"] for event in played.posts[0]] == [event["id"] for event in played.posts[1]]
    ids = [headers["webhook-id"] for _, headers in played.bodies]
    assert ids[0] == ids[1]
    assert played.taken == ["a", "b", "c"] * 2
    played.delivery.step()
    assert len(played.posts) == 2  # the position is behind them, for all


def test_what_happens_right_after_redis_was_emptied_is_delivered(played: PlayedEndpoint) -> None:
    played.happen("a")
    played.run()
    played.client.delete(PartitionKeys().webhooks, PartitionKeys().events)
    fields = {"t": "ended", "a": "default", "i": "b", "o": "r"}
    earlier = played.client.time()[0] * 1000 - 1000  # than the first look after it
    played.client.xadd(PartitionKeys().events, fields, id=f"{earlier}-0")
    played.run()
    assert played.taken == ["a", "b"]


def test_threads_end_as_soon_as_their_worker_is_told_to_stop(played: PlayedEndpoint) -> None:
    asked = threading.Event()
    with ExitStack() as stack:
        start_delivery([played.ledger], {"crm": played.endpoint}, "two", asked, stack, 5.0)
        (thread,) = (one for one in threading.enumerate() if one.name == "webhook-crm")
        asked.set()
        thread.join(30)
        assert not thread.is_alive()


def test_one_thread_at_a_time_delivers_for_an_endpoint(played: PlayedEndpoint) -> None:
    played.happen("a")
    assert played.deliver_as("two").step() > 0
    assert played.posts == []
    played.delivery.give_up()
    assert played.deliver_as("two").step() == 0
    assert played.taken == ["a"]


def test_an_event_that_is_refused_is_found_by_halving_and_set_aside_after_five_tries(
    played: PlayedEndpoint,
) -> None:
    ids = [f"c{number}" for number in range(60)]
    played.happen(*ids)
    played.answer = lambda sent: PostAnswer(422) if "c37" in sent else TAKEN
    played.run()
    assert played.taken == [one for one in ids if one != "c37"]
    alone = [post for post in played.posts if [each["document_id"] for each in post] == ["c37"]]
    assert len(alone) == 5
    assert len(played.posts) < 20
    record = played.record()
    (aside,) = record.aside
    assert msgspec.json.decode(aside.event)["document_id"] == "c37"
    assert "422" in aside.why
    assert (record.counts["events:set_aside"], record.counts["events:delivered"]) == (1, 59)


def test_an_endpoint_that_refuses_everything_burns_few_events_and_counts_as_resting(
    played: PlayedEndpoint,
) -> None:
    played.happen(*(f"c{number}" for number in range(100)))
    played.answer = lambda _: PostAnswer(400)
    played.run(until_ms=6 * HOUR)
    record = played.record()
    assert 3 <= len(record.aside) < 60
    assert record.state.resting_since
    played.answer = lambda _: TAKEN
    played.run()
    assert len(played.taken) + len(record.aside) == 100


def test_an_endpoint_that_says_gone_is_off_until_its_url_changes(
    played: PlayedEndpoint,
) -> None:
    played.happen("a", "b")
    played.answer = lambda _: PostAnswer(410)
    played.run(until_ms=24 * HOUR, most=50)
    assert len(played.posts) == 1
    assert "off" in played.record().state.why
    played.endpoint = replace(played.endpoint, url="https://crm.example/new")
    played.answer = lambda _: TAKEN
    played.deliver_as("one").step()
    assert played.taken == ["a", "b"]


def test_a_post_holds_at_most_50_events_and_15_kb_and_is_signed_by_each_secret(
    played: PlayedEndpoint,
) -> None:
    second = SECRET[:-4] + "AAA="
    played.endpoint.secret_file.write_text(f"{SECRET}\n{second}\n")
    played.happen(*(f"{'long' * 30}-{number}" for number in range(120)))
    played.run()
    assert len(played.taken) == 120
    for body, headers in played.bodies:
        assert len(body) <= MOST_BYTES
        for secret in (SECRET, second):
            Webhook(secret).verify(body, headers)
    assert max(map(len, played.posts)) <= 50


def test_only_what_an_endpoint_asks_for_is_delivered_and_nothing_of_the_sandbox(
    client: redis.Redis, tmp_path: Path
) -> None:
    played = PlayedEndpoint(client, tmp_path, events=("ended",), campaigns=("spring",))
    played.happen("a", kind="created")
    played.happen("b")
    played.happen("c", account="sandbox")
    for number in range(300):
        played.happen(f"n{number}", kind="dead")
    played.happen("d")
    played.run()
    assert played.taken == ["b", "d"]


def test_an_endpoint_behind_the_feeds_oldest_event_goes_on_there_and_that_is_counted(
    played: PlayedEndpoint,
) -> None:
    played.happen("a")
    (first,) = played.client.xrange(PartitionKeys().events)
    played.client.xtrim(PartitionKeys().events, maxlen=0)
    played.client.hset(PartitionKeys().meta, "feed_cut", first[0])
    played.happen("b")
    played.run()
    assert played.taken == ["b"]
    assert played.record().counts["events:missed"] == 1


def test_what_an_operator_replays_amid_a_post_is_not_undone_by_its_answer(
    played: PlayedEndpoint,
) -> None:
    played.happen("a")
    played.run()
    played.happen("b")
    steps = EndpointSteering([played.client], "Ada")
    begin = cursor_since(datetime(2000, 1, 1, tzinfo=UTC), 1)

    def replay_meanwhile(_: list[str]) -> PostAnswer:
        steps.write(played.record(), EndpointState(cursor=begin), "replay")
        return TAKEN

    played.answer = replay_meanwhile
    played.delivery.step()
    played.answer = lambda _: TAKEN
    played.run()
    assert played.taken == ["a", "b", "a", "b"]
