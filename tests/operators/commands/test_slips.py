"""Slips of whoever types, or writes a script: each is one line, and nothing is sent."""

from pathlib import Path

import pytest
import redis

from callspool_ledger import keys
from tests.operators.conftest import Call

TARGET = ("--space-token", "8KZQ4RD2", "--pilot", "space-agent-a", "--context", "Follow up")


@pytest.fixture
def one(tmp_path: Path) -> Path:
    path = tmp_path / "one.csv"
    path.write_text("ID,Name,Phone\ncrm-1,Ada,+14155550100\n")
    return path


@pytest.mark.parametrize("flag", ["--space-token", "--pilot", "--context", "--account"])
@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_flag_is_told_and_never_stands_for_the_setting(
    call: Call, one: Path, redis_url: str, client: redis.Redis, flag: str, value: str
) -> None:
    settings = {
        "CALLSPOOL_SPACE_TOKEN": "ANOTHER",
        "CALLSPOOL_PILOT": "another",
        "CALLSPOOL_CONTEXT": "Another",
    }
    result = call("send", one, *TARGET, flag, value, "--redis", redis_url, **settings)
    assert (result.code, result.out) == (2, "")
    assert f"{flag}: is empty" in result.err
    assert result.err.count("\n") == 1
    assert client.xlen(keys.stream(keys.REQUESTS)) == 0


def test_the_shown_beginning_of_a_token_is_no_space_to_send_to(
    call: Call, one: Path, redis_url: str, client: redis.Redis
) -> None:
    shown = {"CALLSPOOL_SPACE_TOKEN": "8KZQ…"}
    for flags, setting in ((("--space-token", "8KZQ…"), {}), ((), shown)):
        result = call("send", one, *TARGET[2:], *flags, "--redis", redis_url, **setting)
        assert (result.code, result.out) == (2, "")
        assert "the whole token" in result.err
        assert result.err.count("\n") == 1
    assert client.xlen(keys.stream(keys.REQUESTS)) == 0


def test_rejects_and_duplicates_never_share_a_file(
    call: Call, one: Path, redis_url: str, tmp_path: Path
) -> None:
    kept = ("--rejects", tmp_path / "kept.csv", "--duplicates", tmp_path / "kept.csv")
    result = call("send", one, *TARGET, "--redis", redis_url, *kept)
    assert result.code == 2
    assert "--duplicates" in result.err
    assert "would overwrite what --rejects keeps" in result.err


def test_invisible_signs_around_a_number_are_not_blamed_on_a_spreadsheet_alone(
    call: Call, tmp_path: Path
) -> None:
    path = tmp_path / "book.csv"
    path.write_text("ID,Name,Phone\ncrm-1,Ada,\u202a+14155550100\u202c\n", encoding="utf-8")
    shown = call("send", path, *TARGET, "--dry-run", "--redis", "redis://127.0.0.1:1/0").out
    assert "1 number put right" in shown
    assert "address book (invisible signs)" in shown


def test_a_run_says_that_its_ledger_is_not_the_one_of_the_settings(
    call: Call, one: Path, redis_url: str, tmp_path: Path
) -> None:
    dry = ("run", one, *TARGET, "--dry-run", "--state-dir", tmp_path / "ledger")
    assert "CALLSPOOL_REDIS_URL is not used" in call(*dry, CALLSPOOL_REDIS_URL=redis_url).err
    assert call(*dry).err == ""
    told = call("run", one, *TARGET, "--dry-run", "--redis", redis_url, CALLSPOOL_REDIS_URL="x")
    assert "is not used" not in told.err
    assert "[CALLSPOOL_REDIS_URL]" not in call("run", "--help").out
