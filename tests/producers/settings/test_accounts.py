"""Accounts: credentials from variables, files and tables."""

from pathlib import Path

import pytest

from callspool.errors import SettingsError
from callspool.settings import Secret, Settings, load_settings

TOKEN = "s3cret-token"
CREDENTIALS = {"CALLSPOOL_API_TOKEN": TOKEN, "CALLSPOOL_ORG_HANDLE": "example.org"}


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def fault(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as refused:
        load_settings(environ)
    text = str(refused.value)
    assert "\n" not in text
    assert TOKEN not in text
    return text


def test_the_default_account_is_made_of_the_variables() -> None:
    account = load_settings(CREDENTIALS).account()
    assert (account.name, account.org_handle) == ("default", "example.org")
    assert account.api_token == Secret(TOKEN)
    assert (account.api_url, account.api_token_file) == ("https://unpod.ai", None)


@pytest.mark.parametrize("name", CREDENTIALS)
def test_an_incomplete_default_account_says_what_is_missing(name: str) -> None:
    settings = load_settings({key: value for key, value in CREDENTIALS.items() if key != name})
    assert settings.accounts == {}
    with pytest.raises(SettingsError, match=f"{name}: is missing"):
        settings.account()


def test_an_unknown_account_is_named() -> None:
    with pytest.raises(SettingsError, match=r"account sales.*\[accounts.sales\]"):
        Settings().account("sales")


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_secrets_can_be_read_from_files(tmp_path: Path, end: str) -> None:
    (tmp_path / "token").write_bytes(f"{TOKEN}{end}".encode())
    (tmp_path / "handle").write_bytes(f"example.org{end}".encode())
    account = load_settings(
        {"CALLSPOOL_API_TOKEN_FILE": "token", "CALLSPOOL_ORG_HANDLE_FILE": str(tmp_path / "handle")}
    ).account()
    assert (account.api_token, account.org_handle) == (Secret(TOKEN), "example.org")
    assert account.api_token_file == Path("token")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"a\nb", "without spaces"),
        (f"{TOKEN} \n".encode(), "without spaces"),
        (b"\xff\xfe", "plain characters"),
        (b"x" * 5000, "too large"),
    ],
)
def test_a_file_without_a_token_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "token").write_bytes(content)
    text = fault({"CALLSPOOL_API_TOKEN_FILE": "token"})
    assert "CALLSPOOL_API_TOKEN" in text
    assert reason in text


@pytest.mark.parametrize("path", ["nowhere", ".", "a\0b"])
def test_a_file_that_cannot_be_read_is_named(path: str) -> None:
    assert fault({"CALLSPOOL_API_TOKEN_FILE": path}).startswith("CALLSPOOL_API_TOKEN_FILE: ")


def test_a_token_and_a_file_of_it_are_one_too_many() -> None:
    text = fault({"CALLSPOOL_API_TOKEN": TOKEN, "CALLSPOOL_API_TOKEN_FILE": "x"})
    assert "keep one" in text


def test_a_token_in_a_variable_wins_over_a_file_named_in_the_toml(tmp_path: Path) -> None:
    (tmp_path / "callspool.toml").write_text('api_token_file = "nowhere"')
    assert load_settings({"CALLSPOOL_API_TOKEN": TOKEN}).api_token == Secret(TOKEN)


def test_further_accounts_are_tables_of_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "token").write_text(f"{TOKEN}\n")
    (folder / "callspool.toml").write_text(
        """
        [accounts.sales]
        api_token = "abc"
        org_handle = "sales.example"

        [accounts.staging]
        api_token_file = "token"
        org_handle = "staging.example"
        api_url = "http://127.0.0.1:8900/"
        """
    )
    environ = {**CREDENTIALS, "CALLSPOOL_CONFIG": "etc/callspool.toml"}
    settings = load_settings(environ)
    assert sorted(settings.accounts) == ["default", "sales", "staging"]
    sales, staging = settings.account("sales"), settings.account("staging")
    assert (sales.api_token, sales.api_url) == (Secret("abc"), "https://unpod.ai")
    assert (staging.api_url, staging.org_handle) == ("http://127.0.0.1:8900", "staging.example")
    assert staging.api_token == Secret(TOKEN)
    assert Settings.from_json(settings.to_json()) == settings


def test_an_account_may_allow_plain_http_for_itself_alone(tmp_path: Path) -> None:
    table = "api_token = 'x'\norg_handle = 'x'\napi_url = 'http://sandbox:8900'\n"
    one = f"[accounts.one]\n{table}allow_http = true\n"
    (tmp_path / "callspool.toml").write_text(one)
    assert load_settings({}).account("one").api_url == "http://sandbox:8900"
    (tmp_path / "callspool.toml").write_text(f"{one}[accounts.two]\n{table}")
    assert fault({}).startswith("[accounts.two] api_url: must be https")
    (tmp_path / "callspool.toml").write_text(f"{one}[accounts.two]\n{table}allow_http = 'yes'")
    assert fault({}) == "[accounts.two] allow_http: must be true or false"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("[accounts.Sales]", ["[accounts.Sales]", "lower-case"]),
        ("[accounts.default]", ["[accounts.default]", "CALLSPOOL_API_TOKEN"]),
        ("[accounts]\nsales = 5", ["[accounts.sales]", "must be a table"]),
        ("[accounts.sales]\ntoken = 'x'", ["[accounts.sales]", "token", "api_token"]),
        ("[accounts.sales]\norg_handle = 'x'", ["[accounts.sales]", "either api_token"]),
        ("[accounts.sales]\napi_token = 'x'", ["[accounts.sales]", "org_handle"]),
        ("[accounts.sales]\napi_token = 'x y'\norg_handle = 'x'", ["api_token", "spaces"]),
        ("[accounts.sales]\napi_token = 5\norg_handle = 'x'", ["api_token"]),
        ("[accounts.sales]\napi_token_file = 5\norg_handle = 'x'", ["api_token_file"]),
        ("[accounts.sales]\napi_token_file = 'no'\norg_handle = 'x'", ["cannot read", "no"]),
        (
            "[accounts.sales]\napi_token = 'x'\norg_handle = 'x'\napi_url = 'http://e.example'",
            ["[accounts.sales] api_url", "https"],
        ),
        (
            "[accounts.sales]\napi_token = 'x'\norg_handle = 'x'\napi_url = 5",
            ["[accounts.sales] api_url"],
        ),
    ],
)
def test_a_wrong_account_is_named_with_its_fault(
    tmp_path: Path, table: str, words: list[str]
) -> None:
    (tmp_path / "callspool.toml").write_text(table)
    text = fault({})
    assert all(word in text for word in words), text
