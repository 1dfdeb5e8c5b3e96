"""`callspool webhooks`: what an operator sees of endpoints, and does to them."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from callspool_worker.api.endpoint import PostAnswer
from tests.operators.conftest import Call, Result
from tests.worker.webhooks.played_endpoint import HOUR, TAKEN, PlayedEndpoint


@pytest.fixture
def played(client: redis.Redis, tmp_path: Path) -> PlayedEndpoint:
    return PlayedEndpoint(client, tmp_path)


@pytest.fixture
def webhooks(call: Call, redis_url: str, tmp_path: Path) -> Call:
    """Runs a command of `callspool webhooks` where the endpoint crm is set up."""
    config = tmp_path / "hooks.toml"
    config.write_text(
        '[webhooks.crm]\nurl = "http://127.0.0.1:1/s3cret"\nsecret_file = "crm.secret"\n'
        "allow_private = true\n"
    )

    def run(*arguments: str | Path, stdin: bytes = b"") -> Result:
        settings = {"CALLSPOOL_CONFIG": str(config), "CALLSPOOL_OPERATOR": "ann"}
        return call("webhooks", *arguments, "--redis", redis_url, stdin=stdin, **settings)

    return run


def test_list_says_how_each_endpoint_does_and_shows_no_path_of_its_url(
    webhooks: Call, played: PlayedEndpoint
) -> None:
    played.happen("a", "b")
    played.answer = lambda ids: PostAnswer(400) if "b" in ids else TAKEN
    played.run()
    found = webhooks("list").out
    assert found.startswith("crm (127.0.0.1): works; 1 event delivered; the last ")
    assert found.endswith("; 1 set aside (callspool webhooks replay crm)\n")
    played.happen("c")
    played.answer = lambda _: PostAnswer(503)
    played.delivery.step()
    assert ": rests since " in webhooks("list").out
    (shown,) = webhooks("list", "--json").json["webhooks"]
    assert (shown["state"], shown["why"]) == ("resting", "it answers 503")
    assert shown["aside"][0]["event"]["document_id"] == "b"
    assert "s3cret" not in str(shown)


def test_replay_delivers_again_from_the_oldest_event_that_was_set_aside(
    webhooks: Call, played: PlayedEndpoint
) -> None:
    for name in ("a", "b", "c"):
        played.happen(name)
    played.answer = lambda ids: PostAnswer(422) if "b" in ids else TAKEN
    played.run()
    assert played.taken == ["a", "c"]
    played.answer = lambda _: TAKEN
    assert webhooks("replay", "crm").code == 0
    played.run()
    assert played.taken[-2:] == ["b", "c"]
    assert played.record().aside == []
    assert webhooks("replay", "crm").err.startswith("callspool: crm refused no event")
    assert webhooks("replay", "crm", "--since", "2h").code == 0
    played.run()
    assert played.taken[-3:] == ["a", "b", "c"]


def test_drop_drops_what_was_set_aside_and_with_waiting_all_that_waits(
    webhooks: Call, call: Call, played: PlayedEndpoint, redis_url: str
) -> None:
    played.happen("a")
    played.answer = lambda _: PostAnswer(400)
    played.run()
    assert webhooks("drop", "crm", "--yes").out == "Dropped 1 event that it refused, of crm.\n"
    assert played.record().aside == []
    played.answer = lambda _: PostAnswer(503)
    played.happen("b")
    played.run(until_ms=HOUR)
    assert webhooks("drop", "crm", "--waiting", "--yes").code == 0
    played.answer = lambda _: TAKEN
    played.happen("c")
    played.run()
    assert played.taken == ["c"]
    journal = call("journal", "--redis", redis_url).out
    assert "ann: webhooks drop crm" in journal


def test_an_endpoint_that_cannot_be_reached_is_one_line_and_a_failure(
    webhooks: Call, played: PlayedEndpoint
) -> None:
    found = webhooks("test", "crm")
    assert found.code == 1
    assert found.out.startswith("crm did not take the test event: 127.0.0.1 cannot be reached: ")
    assert found.out.count("\n") == 1
    unknown = webhooks("test", "none")
    assert (unknown.code, unknown.out) == (2, "")
    assert unknown.err == "callspool: [webhooks.none] is not in callspool.toml: crm\n"


def test_a_secret_is_made_as_the_settings_want_it(call: Call, played: PlayedEndpoint) -> None:
    made = call("webhooks", "secret").out
    played.endpoint.secret_file.write_text(made)
    assert [one.reveal() for one in played.endpoint.current_secrets()] == [made.strip()]
