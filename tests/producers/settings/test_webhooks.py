"""Endpoints come from callspool.toml; what is wrong with one is said in one line."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from callspool.errors import SettingsError
from callspool.settings import Settings, load_settings
from callspool.settings.model import EVENT_TYPES
from callspool.settings.urls import is_public_address
from callspool_ledger.reads.feed import EventType

SECRET = "whsec_" + "A" * 43 + "="


def load(folder: Path, text: str, secret: str = f"{SECRET}\n") -> Settings:
    (folder / "crm.secret").write_text(secret)
    (folder / "callspool.toml").write_text(f"[webhooks.crm]\n{text}")
    return load_settings({}, folder / "callspool.toml")


URL = 'url = "https://crm.example/in?key=17"\n'
FILE = 'secret_file = "crm.secret"\n'


def test_an_endpoint_is_read_and_reaches_the_worker_processes_whole(tmp_path: Path) -> None:
    more = 'events = ["ended"]\naccounts = ["sales"]\ncampaigns = ["spring"]\n'
    settings = load(tmp_path, URL + FILE + more, f"{SECRET}\n{SECRET}\n")
    (endpoint,) = settings.webhooks.values()
    assert endpoint.url == "https://crm.example/in?key=17"
    assert [one.reveal() for one in endpoint.current_secrets()] == [SECRET, SECRET]
    assert endpoint.wants("ended", "sales", "spring")
    assert not endpoint.wants("ended", "sales", "autumn")
    assert not endpoint.wants("ended", "other", "spring")
    assert not endpoint.wants("dead", "sales", "spring")
    assert Settings.from_json(settings.to_json()).webhooks == settings.webhooks
    assert SECRET.encode() not in settings.to_json()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (FILE, "url: must be an https:// URL"),
        (FILE + 'url = "ftp://crm.example/"', "url: must be an https:// URL"),
        (FILE + 'url = "http://crm.example/"', "plain http shows events"),
        (FILE + 'url = "https://a:b@crm.example/"', "must not hold a user"),
        (FILE + 'url = "https://10.0.0.1/"', "names a private address"),
        (FILE + 'url = "https://[::ffff:10.0.0.1]/"', "names a private address"),
        (URL, "secret_file: must name the file"),
        (URL + 'secret_file = "none"', "cannot read"),
        (URL + FILE + 'events = ["rung"]', "events: must be some of created, dead"),
        (URL + FILE + 'events = "ended"', "events: must be a list of texts"),
        (URL + FILE + "campaigns = [1]", "campaigns: must be a list of texts"),
        (URL + FILE + 'allow_private = "yes"', "allow_private: must be true or false"),
        (URL + FILE + 'token = "x"', "token is not known here"),
    ],
)
def test_what_is_wrong_with_an_endpoint_is_said_in_one_line(
    tmp_path: Path, text: str, fault: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, text)
    assert str(refused.value).startswith("[webhooks.crm]")
    assert fault in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("secret", ["", "whsec_short\n", f"{SECRET}\n" * 3, "A" * 40 + "\n"])
def test_a_file_without_one_or_two_secrets_is_refused_and_not_shown(
    tmp_path: Path, secret: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, URL + FILE, secret)
    assert "secret_file" in str(refused.value)
    assert "AAAA" not in str(refused.value)
    assert "short" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "is_public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("fec0::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
    ],
)
def test_only_an_address_of_the_public_internet_is_public(address: str, is_public: bool) -> None:
    assert is_public_address(address) is is_public


def test_an_endpoint_may_ask_for_every_type_of_the_feed() -> None:
    assert get_args(EventType) == EVENT_TYPES
