"""URLs of Redis and of the API."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callspool.errors import SettingsError
from callspool.settings import load_settings, redis_url_without_password
from callspool.settings.urls import RefusedValue, check_api_url, check_redis_url

REDIS_URLS = [
    "redis://localhost:6379/0",
    "redis://localhost",
    "redis://localhost/",
    "redis:///3",
    "redis://:hunter2@localhost:6379/0",
    "redis://me:hunter2@localhost:6379/15",
    "rediss://me:h%23%2Funter2@redis.example:6380/0?ssl_cert_reqs=required&ssl_ca_certs=/ca.pem",
    "redis://[::1]:6379/0",
    "redis://localhost?db=2",
    "unix:///run/redis.sock",
    "unix://me:hunter2@/run/redis.sock?db=2",
    "redis+cluster://me:hunter2@10.0.0.1:7000,10.0.0.2:7000,[::1]:7002/0",
    "redis+cluster://10.0.0.1:7000,[::1]:7002",
    "redis+cluster://[::1]:7000,10.0.0.1:7002,[::2]",
    "redis+sentinel://[::1],one:26379,[fe80::2]:26379/callspool",
    "redis+cluster://localhost",
    "rediss+cluster://:hunter2@one:7000,two:7000?ssl_cert_reqs=none",
    "redis+sentinel://me:hunter2@one:26379,two,three/callspool/2?sentinel_password=h%23unter2",
    "rediss+sentinel://one/callspool",
]
WRONG_REDIS_URLS = [
    "",
    "localhost:6379",
    "http://localhost",
    "redis:hunter2",
    "redis://me:hunter2@localhost:port/0",
    "redis://me:hunter2@localhost:0/0",
    "redis://me:hunter2@localhost:65536/0",
    "redis://me:hunter2#@localhost/0",
    "redis://me:hunter2/@localhost/0",
    "redis://me:hunter2@localhost/zero",
    "redis://me:hunter2@localhost/0/1",
    "redis://me:hunter2@[::1/0",
    "redis://me:hunter2@local host/0",
    "redis://me:hunter2@localhost/0\n",
    "redis://me:hünter2@localhost/0",
    "redis://me:hunter2@localhost/0?colour=red",
    "redis://me:hunter2@localhost/0?ssl_cert_reqs=none",
    "rediss://me:hunter2@localhost/0?ssl_cert_reqs=maybe",
    "redis://me:hunter2@localhost/0?db=two",
    "unix://hunter2",
    "unix:///",
    "redis+cluster://me:hunter2@one:7000,,two:7000",
    "redis+cluster://me:hunter2@one:port",
    "redis+cluster://me:hunter2@one:0",
    "redis+cluster://me:hunter2@one/1",
    "redis+cluster://me:hunter2@one?db=1",
    "redis+cluster://me:hunter2@one?sentinel_password=hunter2",
    "redis+cluster://me:hunter2@one?colour=red",
    "redis+cluster://me:hunter2@o ne",
    "redis+cluster://",
    "redis+sentinel://me:hunter2@one:26379",
    "redis+sentinel://me:hunter2@one:26379/",
    "redis+sentinel://me:hunter2@one/service/two",
    "redis+moon://me:hunter2@one",
]


@pytest.mark.parametrize("url", REDIS_URLS)
def test_urls_that_a_client_understands_are_taken(url: str) -> None:
    assert load_settings({"CALLSPOOL_REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("redis://localhost:6379/0", "redis://:hunter2%2F%23@localhost:6379/0"),
        ("redis://me@localhost", "redis://me:hunter2%2F%23@localhost"),
        ("unix:///run/redis.sock?db=2", "unix://:hunter2%2F%23@/run/redis.sock?db=2"),
        (
            "redis+cluster://me@one:7000,[::1]:7002",
            "redis+cluster://me:hunter2%2F%23@one:7000,[::1]:7002",
        ),
        ("redis+cluster://one:7000,two:7000", "redis+cluster://:hunter2%2F%23@one:7000,two:7000"),
        ("redis+sentinel://one,two/callspool", "redis+sentinel://:hunter2%2F%23@one,two/callspool"),
        ("redis://me:own@localhost", "redis://me:own@localhost"),
        ("redis://localhost?password=own", "redis://localhost?password=own"),
    ],
)
def test_a_password_of_its_own_joins_a_redis_url_that_holds_none(url: str, whole: str) -> None:
    environ = {"CALLSPOOL_REDIS_URL": url, "CALLSPOOL_REDIS_PASSWORD": "hunter2/#"}
    settings = load_settings(environ)
    assert settings.redis_url == whole
    assert load_settings(environ, overrides={"redis_url": url}).redis_url == whole
    assert "unter2" not in repr(settings)


def test_the_redis_url_and_its_password_can_be_read_from_files(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("redis://worker@queue.example:6379/3\n")
    (tmp_path / "password").write_text("with spaces\n")
    settings = load_settings(
        {
            "CALLSPOOL_REDIS_URL_FILE": str(tmp_path / "url"),
            "CALLSPOOL_REDIS_PASSWORD_FILE": str(tmp_path / "password"),
        }
    )
    assert settings.redis_url == "redis://worker:with%20spaces@queue.example:6379/3"


@pytest.mark.parametrize("url", [url for url in WRONG_REDIS_URLS if url.strip() == url and url])
def test_a_wrong_redis_url_is_refused_in_one_line_without_the_password(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^CALLSPOOL_REDIS_URL: (must|is) ") as refused:
        load_settings({"CALLSPOOL_REDIS_URL": url})
    assert "unter2" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://me@localhost/0", "redis://me@localhost/0"),
        ("redis://me:hunter2@localhost:6379/0", "redis://me:***@localhost:6379/0"),
        ("redis://:hunter2@[::1]:6379/0", "redis://:***@[::1]:6379/0"),
        ("unix://me:hunter2@/run/redis.sock?db=2", "unix://me:***@/run/redis.sock?db=2"),
        ("redis://localhost/0?password=hunter2", "redis://localhost/0?password=***"),
        (
            "redis+cluster://me:hunter2@10.0.0.1:7000,[::1]:7002",
            "redis+cluster://me:***@10.0.0.1:7000,[::1]:7002",
        ),
        (
            "redis+sentinel://:pw@a,b/svc?sentinel_password=x",
            "redis+sentinel://:***@a,b/svc?sentinel_password=***",
        ),
    ],
)
def test_a_redis_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert redis_url_without_password(url) == shown


@pytest.mark.parametrize("url", [*REDIS_URLS, *WRONG_REDIS_URLS])
def test_no_url_shows_its_password(url: str) -> None:
    assert "unter2" not in redis_url_without_password(url)


@given(st.text(max_size=60) | st.text("redis:/@[]?#&=pw0%.", max_size=30).map("redis://{}".format))
def test_any_text_is_a_redis_url_or_refused(text: str) -> None:
    assert redis_url_without_password(text)


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://unpod.ai", "https://unpod.ai"),
        ("https://unpod.ai/", "https://unpod.ai"),
        ("https://proxy.example:8443/unpod/", "https://proxy.example:8443/unpod"),
        ("http://localhost:8900", "http://localhost:8900"),
        ("http://127.0.0.9:8900", "http://127.0.0.9:8900"),
        ("http://[::1]:8900", "http://[::1]:8900"),
    ],
)
def test_an_api_url_is_https_or_goes_to_where_the_token_may_be_read(url: str, taken: str) -> None:
    assert load_settings({"CALLSPOOL_API_URL": url}).api_url == taken


def test_plain_http_is_taken_where_it_is_allowed() -> None:
    assert check_api_url("http://staging:8900/", allow_http=True) == "http://staging:8900"
    with pytest.raises(RefusedValue, match="allow_http = true"):
        check_api_url("http://staging:8900/")


@pytest.mark.parametrize(
    "url",
    [
        "unpod.ai",
        "ftp://unpod.ai",
        "https://",
        "https:///path",
        "https://me:hunter2@unpod.ai",
        "https://me@unpod.ai",
        "https://unpod.ai?x=1",
        "https://unpod.ai/#x",
        "https://unpod.ai:port",
        "https://unpod.ai:0",
        "https://unp od.ai",
        "https://[::1",
        "http://unpod.ai",
        "http://localhost.example",
        "http://127.0.0.1.example",
        "http://10.0.0.1",
        "http://staging.example",
        "http://staging:8900",
    ],
)
def test_other_api_urls_are_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="CALLSPOOL_API_URL") as refused:
        load_settings({"CALLSPOOL_API_URL": url})
    assert "hunter2" not in str(refused.value)


@given(st.text(max_size=40).map("https://{}".format))
def test_any_text_is_an_api_url_or_refused(text: str) -> None:
    for check in (check_api_url, check_redis_url):
        try:
            assert check(text)
        except RefusedValue:
            continue
