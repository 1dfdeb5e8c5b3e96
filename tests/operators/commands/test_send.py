"""`callspool send`: rows of files end up in the queue, once, checked."""

import gzip
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import redis

from callspool.request.message import decode
from callspool_ledger import keys
from callspool_operators.options import target
from tests.operators.conftest import Call
from tests.support.terminal import on_a_terminal

TARGET = ("--space-token", "8KZTOKEN", "--pilot", "space-agent-1", "--context", "Follow up")
TWO = b"ID,Name,Phone,City\na-1,Ada,+14155550100,Paris\na-2,Bob,+14155550101,\n"


def messages_in(client: redis.Redis) -> list[dict[bytes, bytes]]:
    entries: Any = client.xrange(keys.stream(keys.REQUESTS))
    return [fields for _, fields in entries]


def documents_in(client: redis.Redis) -> list[dict[str, object]]:
    """Every document of every message in the queue."""
    found: list[dict[str, object]] = []
    for fields in messages_in(client):
        envelope = decode(fields)
        assert envelope.checked
        for request in envelope.requests:
            found += [msgspec.json.decode(document) for document in request.documents]
    return found


@pytest.fixture
def two(tmp_path: Path) -> Path:
    path = tmp_path / "two.csv"
    path.write_bytes(TWO)
    return path


def test_rows_reach_the_queue_with_their_fields(
    call: Call, two: Path, redis_url: str, client: redis.Redis
) -> None:
    result = call("send", two, *TARGET, "--redis", redis_url)
    assert result.code == 0
    assert "2 enqueued" in result.out
    assert documents_in(client) == [
        {"document_id": "a-1", "name": "Ada", "contact_number": "+14155550100", "City": "Paris"},
        {"document_id": "a-2", "name": "Bob", "contact_number": "+14155550101"},
    ]
    assert client.hget(keys.PartitionKeys().counts, "spooled") == b"2"


def test_the_envelope_says_what_the_flags_said(
    call: Call, two: Path, redis_url: str, client: redis.Redis
) -> None:
    flags = ("--campaign", "spring", "--account", "sales", "--schedule", "custom:2036-12-01 10:30")
    assert call("send", two, *TARGET, *flags, "--expires", "2h", "--redis", redis_url).code == 0
    [fields] = messages_in(client)
    [request] = decode(fields).requests
    assert (request.space_token, request.pilot, request.context) == (
        "8KZTOKEN",
        "space-agent-1",
        "Follow up",
    )
    assert (request.campaign, request.account) == ("spring", "sales")
    assert request.schedule == {
        "type": "custom",
        "calling_date": "2036-12-01",
        "calling_time": "10:30",
    }
    assert isinstance(request.expires_at, float)


def test_a_span_until_expiry_counts_by_the_clock_of_redis(
    call: Call, two: Path, redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = time.time() + 86_400
    monkeypatch.setattr(target, "time", SimpleNamespace(time=lambda: ahead))
    assert call("send", two, *TARGET, "--expires", "2h", "--redis", redis_url).code == 0
    [fields] = messages_in(client)
    [request] = decode(fields).requests
    assert request.expires_at is not None
    assert 6_000 < request.expires_at - client.time()[0] <= 7_201


def test_settings_stand_in_for_flags(call: Call, two: Path, redis_url: str) -> None:
    result = call(
        "send",
        two,
        CALLSPOOL_REDIS_URL=redis_url,
        CALLSPOOL_SPACE_TOKEN="8KZTOKEN",
        CALLSPOOL_PILOT="space-agent-1",
        CALLSPOOL_CONTEXT="Follow up",
    )
    assert result.code == 0


@pytest.mark.parametrize(
    ("missing", "setting"),
    [
        ("--space-token", "CALLSPOOL_SPACE_TOKEN"),
        ("--pilot", "CALLSPOOL_PILOT"),
        ("--context", "CALLSPOOL_CONTEXT"),
    ],
)
def test_what_is_missing_is_told_by_flag_and_setting(
    call: Call, two: Path, missing: str, setting: str
) -> None:
    at = TARGET.index(missing)
    result = call("send", two, *TARGET[:at], *TARGET[at + 2 :])
    assert result.code == 2
    assert missing in result.err
    assert setting in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (("--schedule", "nwo"), "--schedule"),
        (("--schedule", "custom:2020-01-01 10:00"), "--schedule"),
        (("--expires", "2020-01-01T10:00+00:00"), "--expires"),
        (("--account", "Sales Team"), "--account"),
        (("--space-token", "a/b"), "--space-token"),
    ],
)
def test_a_wrong_target_is_told_by_its_flag(
    call: Call, two: Path, flags: tuple[str, str], word: str
) -> None:
    result = call("send", two, *TARGET, *flags)
    assert result.code == 2
    assert f"{word}: " in result.err
    assert result.err.count("\n") == 1


def test_the_example_is_accounted_for(
    call: Call, example: Path, redis_url: str, client: redis.Redis, tmp_path: Path
) -> None:
    rejects = tmp_path / "rejects.csv"
    result = call("send", example, *TARGET, "--redis", redis_url, "--json", "--rejects", rejects)
    assert result.code == 0
    assert result.json["documents"] == {
        "read": 1197,
        "enqueued": 1150,
        "duplicate": 23,
        "invalid": 24,
        "known": 0,
    }
    assert len({document["document_id"] for document in documents_in(client)}) == 1150
    header = example.read_text().split("\n", 1)[0]
    assert rejects.read_text().startswith(f"{header},line,reason\n")
    assert rejects.stat().st_mode & 0o077 == 0


def test_strict_fails_for_invalid_rows_and_sends_the_others(
    call: Call, example: Path, redis_url: str
) -> None:
    result = call("send", example, *TARGET, "--redis", redis_url, "--strict")
    assert result.code == 1
    assert "1,150 enqueued" in result.out


def test_the_first_faults_are_shown_and_how_to_keep_all(
    call: Call, example: Path, redis_url: str
) -> None:
    out = call("send", example, *TARGET, "--redis", redis_url).out
    assert "line 31: contact_number: must not be blank" in out
    assert "and 19 more" in out
    assert "--rejects" in out


def test_standard_input_is_read(call: Call, redis_url: str, client: redis.Redis) -> None:
    lines = b'{"name":"Ada","contact_number":"+14155550100"}\n'
    assert call("send", "-", *TARGET, "--redis", redis_url, stdin=lines).code == 0
    assert call("send", "-", *TARGET, "--redis", redis_url, stdin=TWO).code == 0
    assert len(documents_in(client)) == 3


def test_a_dry_run_sends_nothing_and_shows_what_it_would(
    call: Call, example: Path, redis_url: str, client: redis.Redis
) -> None:
    result = call("send", example, *TARGET, "--redis", redis_url, "--dry-run")
    assert result.code == 0
    assert "1,150 documents" in result.out
    assert "Mobile No. → contact_number" in result.out
    assert "Nothing was sent" in result.out
    assert "8KZTOKEN" not in result.out
    assert "491 570 006" not in result.out
    assert client.xlen(keys.stream(keys.REQUESTS)) == 0


def test_a_limit_stops_there(
    call: Call, example: Path, redis_url: str, client: redis.Redis
) -> None:
    result = call("send", example, *TARGET, "--redis", redis_url, "--limit", "30", "--json")
    assert result.code == 0
    assert len(documents_in(client)) == 30


def test_several_files_are_one_list(call: Call, two: Path, redis_url: str, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_bytes(
        b'{"id":"a-2","name":"Bob","contact_number":"+14155550109"}\n'
        b'{"id":"a-3","name":"Cy","contact_number":"+14155550103"}\n'
    )
    result = call("send", two, other, *TARGET, "--redis", redis_url, "--json")
    found = result.json["documents"]
    assert found == {"read": 4, "enqueued": 3, "duplicate": 1, "invalid": 0, "known": 0}


@pytest.mark.parametrize(
    ("name", "words"),
    [("nowhere.csv", "is not there"), (".", "is a directory"), ("empty.csv", "is empty")],
)
def test_a_second_file_that_cannot_be_read_is_told_before_anything_is_sent(
    call: Call,
    two: Path,
    redis_url: str,
    client: redis.Redis,
    tmp_path: Path,
    name: str,
    words: str,
) -> None:
    (tmp_path / "empty.csv").touch()
    result = call("send", two, name, *TARGET, "--redis", redis_url)
    assert result.code == 2
    assert words in result.err
    assert result.err.count("\n") == 1
    assert client.xlen(keys.stream(keys.REQUESTS)) == 0


def test_rejects_never_overwrite_the_contacts(call: Call, two: Path, redis_url: str) -> None:
    result = call("send", two, *TARGET, "--redis", redis_url, "--rejects", two)
    assert result.code == 2
    assert two.read_bytes() == TWO


def test_closed_standard_streams_are_no_hindrance(two: Path, redis_url: str) -> None:
    command = [sys.executable, "-m", "callspool", "send", str(two), *TARGET, "--redis", redis_url]
    shell = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command]
    assert subprocess.run(shell, check=False, timeout=60).returncode == 0


def test_a_full_queue_says_what_is_in_it(call: Call, example: Path, redis_url: str) -> None:
    result = call("send", example, *TARGET, "--redis", redis_url, CALLSPOOL_MAX_WAITING="500")
    assert result.code == 1
    assert "500 documents are in the queue" in result.err
    assert "safe" in result.err
    assert result.err.count("\n") == 1


def test_a_phone_number_is_never_in_an_error(call: Call, tmp_path: Path, redis_url: str) -> None:
    path = tmp_path / "headless.csv"
    path.write_bytes(b"Ada,+14155550100,Paris\nBob,+14155550101,Rome\n")
    result = call("send", path, *TARGET, "--redis", redis_url)
    assert result.code == 2
    assert "looks like a contact" in result.err
    assert "5550100" not in result.err
    chosen = call("send", path, *TARGET, "--map", "Handy=contact_number", "--redis", redis_url)
    assert chosen.code == 2
    assert "5550100" not in chosen.err


def test_on_a_terminal_it_shows_what_will_be_sent_and_asks(
    two: Path, redis_url: str, client: redis.Redis
) -> None:
    arguments = ["send", str(two), *TARGET, "--redis", redis_url]
    refused = on_a_terminal(arguments, b"n\n")
    assert refused.code == 130
    assert "2 rows: 2 documents" in refused.screen
    assert "8KZT…" in refused.screen
    assert "First: document_id a-1, name Ada, contact_number +•••••••0100" in refused.screen
    assert "+14155550100" not in refused.screen
    assert client.xlen(keys.stream(keys.REQUESTS)) == 0
    assert on_a_terminal(arguments, b"y\n").code == 0
    assert len(documents_in(client)) == 2


def test_yes_answers_the_question(two: Path, redis_url: str, client: redis.Redis) -> None:
    result = on_a_terminal(["send", str(two), *TARGET, "--redis", redis_url, "--yes"], b"")
    assert result.code == 0
    assert "[y/N]" not in result.screen
    assert len(documents_in(client)) == 2


def test_of_a_file_that_is_cut_off_the_rows_up_to_there_are_sent(
    call: Call, tmp_path: Path, redis_url: str, client: redis.Redis
) -> None:
    path = tmp_path / "c.csv.gz"
    path.write_bytes(gzip.compress(TWO + b"a-3,Cy,+14155550102,Rome\n" * 2000)[:-8])
    result = call("send", path, *TARGET, "--yes", "--redis", redis_url)
    assert result.code == 2
    assert "is cut off" in result.err
    assert len(result.err.strip().splitlines()) == 1
    assert len(documents_in(client)) == 3
