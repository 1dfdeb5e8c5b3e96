"""Settings: where they come from, and what stops the start."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from callspool.errors import SettingsError
from callspool.request.checks import Rules
from callspool.settings import SETTINGS, Account, Secret, Settings, load_settings, reference

TOKEN = "s3cret-token"
CREDENTIALS = {"CALLSPOOL_API_TOKEN": TOKEN, "CALLSPOOL_ORG_HANDLE": "example.org"}


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def fault(environ: dict[str, str], config: Path | None = None, **overrides: Any) -> str:
    with pytest.raises(SettingsError) as refused:
        load_settings(environ, config, overrides)
    text = str(refused.value)
    assert "\n" not in text
    assert TOKEN not in text
    assert "hunter2" not in text
    return text


def test_without_any_setting_the_documented_defaults_hold() -> None:
    settings = load_settings({})
    assert settings == Settings()
    assert settings.redis_url == "redis://localhost:6379/0"
    assert settings.api_url == "https://unpod.ai"
    assert (settings.batch_size, settings.batch_bytes, settings.linger) == (100, 900_000, 1.0)
    assert (settings.dedupe_window, settings.request_timeout) == (2_592_000, 60.0)
    assert (settings.max_attempts, settings.on_doubt, settings.mark_attempts) == (8, "hold", True)
    assert (settings.proof_quiet, settings.proof_quiet_answered) == (300.0, 15.0)
    assert (settings.region, settings.send_e164, settings.max_waiting) == (None, True, 10_000_000)
    assert settings.accounts == {}


def test_every_setting_of_the_table_is_a_field_with_its_default() -> None:
    fields = {field.name: field.default for field in dataclasses.fields(Settings)}
    assert {setting.key: setting.default for setting in SETTINGS} == {
        key: default
        for key, default in fields.items()
        if key not in ("config", "accounts", "webhooks")
    }


def test_every_default_is_allowed() -> None:
    for setting in SETTINGS:
        if setting.default is not None:
            assert setting.kind.read(setting.default) == setting.default


def test_the_reference_names_every_setting_once() -> None:
    lines = reference().splitlines()
    for setting in SETTINGS:
        assert sum(f"`{setting.name}`" in line for line in lines) == 1
        assert setting.effect


def test_variables_win_over_the_file_and_flags_over_both(tmp_path: Path) -> None:
    file = tmp_path / "callspool.toml"
    file.write_text('CALLSPOOL_BATCH_SIZE = 50\nlinger = 2.5\nregion = "in"\n')
    assert load_settings({}).batch_size == 50
    assert load_settings({"CALLSPOOL_BATCH_SIZE": "60"}).batch_size == 60
    both = load_settings({"CALLSPOOL_BATCH_SIZE": "60"}, overrides={"batch_size": 70})
    assert (both.batch_size, both.linger, both.region) == (70, 2.5, "IN")
    assert both.config == Path("callspool.toml")


def test_an_empty_variable_and_a_flag_that_is_none_are_not_set() -> None:
    environ = {"CALLSPOOL_REGION": "", "CALLSPOOL_BATCH_SIZE": "60", "CALLSPOOL_CONFIG": ""}
    settings = load_settings(environ, overrides={"batch_size": None})
    assert (settings.region, settings.batch_size) == (None, 60)


def test_the_file_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("batch_size = 5")
    assert load_settings({"CALLSPOOL_CONFIG": "other.toml"}).batch_size == 5
    assert load_settings({}, tmp_path / "other.toml").batch_size == 5
    assert load_settings({}, overrides={"config": "other.toml"}).batch_size == 5


def test_variables_of_tests_and_of_others_are_left_alone() -> None:
    assert load_settings({"CALLSPOOL_TEST_REDIS_SERVER": "x", "PATH": "y"}) == Settings()


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"CALLSPOOL_BATCHSIZE": "5"}, ["CALLSPOOL_BATCHSIZE", "mean CALLSPOOL_BATCH_SIZE"]),
        ({"CALLSPOOL_batch_size": "5"}, ["CALLSPOOL_batch_size", "not a setting"]),
        ({"CALLSPOOL_": "5"}, ["not a setting"]),
        ({"CALLSPOOL_BATCH_SIZE": "0"}, ["CALLSPOOL_BATCH_SIZE", "from 1 to 1000", "'0'"]),
        ({"CALLSPOOL_BATCH_SIZE": "1001"}, ["CALLSPOOL_BATCH_SIZE", "from 1 to 1000"]),
        ({"CALLSPOOL_BATCH_SIZE": "fifty"}, ["whole number", "'fifty'", "environment"]),
        ({"CALLSPOOL_BATCH_SIZE": "1e2"}, ["whole number"]),
        ({"CALLSPOOL_LINGER": "-1"}, ["CALLSPOOL_LINGER", "from 0 to 3600"]),
        ({"CALLSPOOL_LINGER": "nan"}, ["CALLSPOOL_LINGER"]),
        ({"CALLSPOOL_LINGER": "soon"}, ["CALLSPOOL_LINGER", "'soon'"]),
        ({"CALLSPOOL_SEND_E164": "maybe"}, ["CALLSPOOL_SEND_E164", "true or false"]),
        ({"CALLSPOOL_ON_DOUBT": "ask"}, ["CALLSPOOL_ON_DOUBT", "hold or resend"]),
        ({"CALLSPOOL_REGION": "UK"}, ["CALLSPOOL_REGION", "GB"]),
        ({"CALLSPOOL_PILOT": "a\nb"}, ["CALLSPOOL_PILOT", "one line"]),
        ({"CALLSPOOL_CONTEXT": "  "}, ["CALLSPOOL_CONTEXT", "not blank"]),
        ({"CALLSPOOL_API_TOKEN": f"Token {TOKEN}"}, ["CALLSPOOL_API_TOKEN", "alone"]),
        ({"CALLSPOOL_API_TOKEN": f"{TOKEN}\n"}, ["CALLSPOOL_API_TOKEN", "without spaces"]),
        (
            {"CALLSPOOL_CONFIG": "nowhere.toml"},
            ["CALLSPOOL_CONFIG", "nowhere.toml", "no such file"],
        ),
        ({"CALLSPOOL_CONFIG": "."}, ["CALLSPOOL_CONFIG", "directory"]),
        ({"CALLSPOOL_CONFIG": "a\0b"}, ["CALLSPOOL_CONFIG"]),
    ],
)
def test_a_wrong_setting_is_named_with_its_fault_and_range(
    environ: dict[str, str], words: list[str]
) -> None:
    text = fault(environ)
    assert all(word in text for word in words), text


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("batchsize = 5", ["batchsize", "callspool.toml", "mean CALLSPOOL_BATCH_SIZE"]),
        ("batch_size = 5\nCALLSPOOL_BATCH_SIZE = 6", ["CALLSPOOL_BATCH_SIZE", "twice"]),
        ("batch_size = 5.5", ["CALLSPOOL_BATCH_SIZE", "5.5"]),
        ("batch_size = true", ["CALLSPOOL_BATCH_SIZE"]),
        ("batch_size = [1]", ["CALLSPOOL_BATCH_SIZE"]),
        ("linger = 2026-01-01", ["CALLSPOOL_LINGER"]),
        ("redis_url = 5", ["CALLSPOOL_REDIS_URL"]),
        ("api_url = 5", ["CALLSPOOL_API_URL"]),
        ("api_token_file = 5", ["CALLSPOOL_API_TOKEN_FILE", "path"]),
        ("[settings]\nx = 1", ["settings"]),
        ("config = 'x'", ["config", "not a setting"]),
        ("accounts = 5", ["accounts"]),
        ("batch_size = ", ["not TOML", "Invalid value"]),
    ],
)
def test_a_wrong_file_is_named_with_its_fault(tmp_path: Path, toml: str, words: list[str]) -> None:
    (tmp_path / "callspool.toml").write_text(toml)
    text = fault({})
    assert all(word in text for word in words), text


@pytest.mark.parametrize(
    ("key", "instead"),
    [
        ("allow_http", "allow_http = true"),
        ("exporter_host", "callspool exporter --host"),
        ("exporter_port", "callspool exporter --port"),
        ("log_format", "everything else JSON"),
    ],
)
def test_a_setting_of_earlier_versions_stops_the_start_and_says_that_it_is_gone(
    key: str, instead: str, tmp_path: Path
) -> None:
    name = f"CALLSPOOL_{key.upper()}"
    text = fault({name: "anything"})
    assert text.startswith(f"{name}: is gone (environment): remove it; ")
    assert instead in text
    (tmp_path / "callspool.toml").write_text(f'{key} = "anything"')
    assert fault({}).startswith(f"{key}: is gone (callspool.toml): remove it; ")


def test_a_file_that_is_not_utf8_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "callspool.toml").write_bytes(b'context = "\xff"')
    assert "UTF-8" in fault({})


def test_an_unknown_flag_is_refused() -> None:
    assert "not a setting" in fault({}, None, colour="red")


def test_numbers_and_flags_may_be_texts_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "callspool.toml").write_text('batch_size = "50"\nlinger = "2"\nsend_e164 = "no"')
    settings = load_settings({})
    assert (settings.batch_size, settings.linger, settings.send_e164) == (50, 2.0, False)


def test_settings_do_not_show_their_secrets() -> None:
    environ = {**CREDENTIALS, "CALLSPOOL_REDIS_URL": "redis://me:hunter2@h:6379/0"}
    settings = load_settings(environ)
    for shown in (repr(settings), str(settings), repr(settings.accounts), f"{settings.api_token}"):
        assert TOKEN not in shown
        assert "hunter2" not in shown
    assert settings.account().api_token.reveal() == TOKEN
    assert Secret("a") == Secret("a") != Secret("b")


def test_settings_reach_a_child_whole() -> None:
    environ = {**CREDENTIALS, "CALLSPOOL_REGION": "IN", "CALLSPOOL_METRICS_HOST": "::1"}
    settings = load_settings(environ)
    again = Settings.from_json(settings.to_json())
    assert again == settings
    assert isinstance(again.account(), Account)
    assert again.account().api_token == Secret(TOKEN)


def test_the_rules_of_requests_follow_from_the_settings() -> None:
    environ = {"CALLSPOOL_REGION": "in", "CALLSPOOL_SEND_E164": "1", "CALLSPOOL_CONTEXT": "Hi"}
    assert load_settings(environ).rules == Rules("IN", True, "Hi")
