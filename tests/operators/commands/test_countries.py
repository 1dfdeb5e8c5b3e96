"""Numbers without a country code stop a command that has nobody to ask."""

from pathlib import Path

import pytest
import redis

from callspool_ledger import keys
from tests.operators.conftest import Call
from tests.support.terminal import on_a_terminal

TARGET = ("--space-token", "SPACE", "--pilot", "pilot-a", "--context", "Follow up")
STREAM = keys.stream(keys.REQUESTS)
PLUS = "id,name,phone\n1,Ada,+14155550100\n"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    path = tmp_path / "bare.csv"
    path.write_text(PLUS + "2,Bo,4155550101\n3,Cy,(415) 555-0102\n3,Cy,415-555-0102\n")
    return path


def sent(client: redis.Redis) -> int:
    return int(client.xlen(STREAM))


@pytest.mark.parametrize("yes", [[], ["--yes"]])
def test_send_stops_and_counts_them(
    call: Call, bare: Path, redis_url: str, client: redis.Redis, yes: list[str]
) -> None:
    found = call("send", bare, *TARGET, "--redis", redis_url, *yes)
    assert (found.code, found.out) == (2, "")
    assert "2 of 3 numbers have no country code (the first on line 3)" in found.err
    assert "--region" in found.err
    assert "--numbers-as-they-are" in found.err
    assert "Indian (+91)" in found.err
    assert sent(client) == 0


def test_scripts_get_the_count_as_json(call: Call, bare: Path, redis_url: str) -> None:
    found = call("send", bare, *TARGET, "--redis", redis_url, "--json")
    assert found.code == 2
    assert found.json["without_country"] == 2
    documents = found.json["documents"]
    assert isinstance(documents, dict)
    assert set(documents.values()) == {0}


@pytest.mark.parametrize("flags", [["--region", "US"], ["--numbers-as-they-are"]])
def test_a_region_or_the_users_word_lets_them_go(
    call: Call, bare: Path, redis_url: str, client: redis.Redis, flags: list[str]
) -> None:
    found = call("send", bare, *TARGET, "--redis", redis_url, *flags)
    assert found.code == 0
    assert "3 enqueued" in found.out
    said = (
        "2 numbers without a country code: the platform reads each as + and its digits" in found.out
    )
    assert said == ("--region" not in flags)
    assert sent(client) == 1


def test_a_setting_of_the_region_is_as_good(call: Call, bare: Path, redis_url: str) -> None:
    assert call("send", bare, *TARGET, "--redis", redis_url, CALLSPOOL_REGION="US").code == 0


def test_a_number_that_repeats_one_with_a_country_raises_no_question(
    call: Call, tmp_path: Path, redis_url: str
) -> None:
    path = tmp_path / "again.csv"
    path.write_text("name,phone\nAda,+14155550100\nAda,14155550100\nAda,0014155550100\n")
    found = call("send", path, *TARGET, "--redis", redis_url)
    assert found.code == 0
    assert "1 enqueued, 2 duplicate" in found.out


def test_what_can_be_read_only_once_ends_at_the_first_of_them(
    call: Call, bare: Path, redis_url: str, client: redis.Redis
) -> None:
    found = call("send", "-", *TARGET, "--redis", redis_url, stdin=bare.read_bytes())
    assert found.code == 2
    assert "the number on line 3 has no country code" in found.err
    assert sent(client) == 0


def test_a_person_is_told_before_the_question(bare: Path, redis_url: str) -> None:
    seen = on_a_terminal(["send", str(bare), *TARGET, "--redis", redis_url], b"n\n")
    assert seen.code == 130
    assert "2 numbers without a country code" in seen.screen


def test_a_rehearsal_tells_them_and_goes_on(call: Call, bare: Path) -> None:
    found = call("send", bare, *TARGET, "--dry-run", "--redis", "redis://127.0.0.1:1")
    assert found.code == 0
    assert "2 numbers without a country code" in found.out
    found = call("send", bare, *TARGET, "--dry-run", "--json", "--redis", "redis://127.0.0.1:1")
    assert found.json["without_country"] == 2


@pytest.mark.parametrize(
    "text",
    [
        PLUS.replace("\n", "\r"),
        PLUS.replace("\n", "\r\n"),
        PLUS + '"2","Bo ""B"" Byron","+14155550101"\n\n',
        "name;phone\n Ada ; +14155550100\n",
        "name,phone\nAda,'+14155550100\n",
        "name,phone\nAda,\u202a+14155550100\n",
        "name,phone\nAda,0014155550100\n",
        'name,phone\n"A\nB",+14155550100\n',
        '{"name":"Ada","contact_number":"+14155550100"}\n',
    ],
)
def test_numbers_with_their_country_go_however_they_stand(
    call: Call, tmp_path: Path, redis_url: str, text: str
) -> None:
    path = tmp_path / ("list.jsonl" if text[0] == "{" else "list.csv")
    path.write_text(text, encoding="utf-8", newline="")
    assert call("send", path, *TARGET, "--redis", redis_url).code == 0


@pytest.mark.parametrize(
    "text",
    [
        (PLUS + "2,Bo,4155550101\n").replace("\n", "\r"),
        PLUS + "2,Bo,+14155550101\r3,Cy,4155550102\n",
        PLUS + "2,Bo,+14155550101\r3,Cy,4155550102\r",
        PLUS + '2,"Bo, Jr",4155550101\n',
        PLUS + '2,"Bo\nJr",4155550101\n',
        "note,name,phone\n+1,+1,4155550101\n",
        '{"name":"Ada","contact_number":"4155550101"}\n',
        '{"name":"Ada","Handy":"4155550101"}\n',
    ],
)
def test_none_of_them_is_overlooked(call: Call, tmp_path: Path, redis_url: str, text: str) -> None:
    path = tmp_path / ("list.jsonl" if text[0] == "{" else "list.csv")
    path.write_text(text, encoding="utf-8", newline="")
    flags = ("--map", "Handy=contact_number") if "Handy" in text else ()
    assert call("send", path, *TARGET, "--redis", redis_url, *flags).code == 2


def test_ids_may_be_given_a_prefix(call: Call, tmp_path: Path, redis_url: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(PLUS)
    flags = ("--redis", redis_url, "--id-prefix", "\u200btue-\u00a0")
    found = call("send", path, *TARGET, *flags, "--dry-run", "--json")
    first = found.json["first_document"]
    assert isinstance(first, dict)
    assert first["document_id"] == "tue-1"
    assert call("send", path, *TARGET, "--redis", redis_url, "--id-prefix", "a\nb").code == 2
