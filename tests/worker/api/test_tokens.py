"""Tokens rotate under running workers, and are never shown."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from callspool_worker.api import accounts
from callspool_worker.api.accounts import Token
from callspool_worker.decisions.answers import Answered, NoAnswer, NotSent
from tests.worker.api.conftest import TOKEN
from tests.worker.api.peer import Peer, always, created, response

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from callspool_worker.api import UnpodApi
    from tests.worker.api.peer import Server

BODY = b'{"pilot":"p","documents":[]}'


def accepts(token: str) -> Callable[[Peer], None]:
    """A server that knows one token."""

    def behave(peer: Peer) -> None:
        while (request := peer.receive()).ended == "complete":
            known = request.headers["Authorization"] == f"Token {token}"
            peer.send(created() if known else response(401, b'{"status_code":401}'))

    return behave


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("first-token\n")
    return file


def rotate(file: Path, text: str) -> None:
    """Replaces a file as a secrets manager does."""
    fresh = file.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(file)


def test_a_token_comes_from_its_file(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi], file: Path
) -> None:
    server = serve(accepts("first-token"))
    answer = connect(server, api_token_file=file).create("default", "8KZ", BODY)
    assert isinstance(answer, Answered)
    assert answer.status == 200


def test_after_a_401_the_file_is_read_at_once_and_the_request_sent_again(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi], file: Path
) -> None:
    server = serve(accepts("second-token"))
    api = connect(server, api_token_file=file)
    refused = api.create("default", "8KZ", BODY)
    assert isinstance(refused, Answered)
    assert refused.status == 401
    assert len(server.requests) == 1, "the file held nothing new"
    rotate(file, "second-token")
    accepted = api.create("default", "8KZ", BODY)
    assert isinstance(accepted, Answered)
    assert accepted.status == 200
    assert len(server.requests) == 3


def test_a_changed_file_is_noticed_within_a_second(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    moments = iter([100.0, 100.0, 100.9, 101.1, 101.1])
    monkeypatch.setattr(accounts, "now", lambda: next(moments))
    token = Token("default", "from-the-environment", file)
    with caplog.at_level(logging.INFO):
        assert token.text() == "first-token"
        rotate(file, "second-token")
        assert token.text() == "first-token"
        assert token.text() == "second-token"
    assert "took the new API token" in caplog.text
    assert "second-token" not in caplog.text


@pytest.mark.parametrize("text", ["", "two words", "néw", "line\nbreak"])
def test_a_file_without_one_word_leaves_the_last_token_in_use(
    text: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token = Token("default", "given", file)
    assert token.text() == "first-token"
    rotate(file, text)
    assert not token.differs_from("first-token")
    assert "the last token stays in use" in caplog.text


def test_a_file_that_is_gone_leaves_the_last_token_in_use(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token = Token("default", "given", file)
    assert token.text() == "first-token"
    file.unlink()
    assert not token.differs_from("first-token")
    assert "cannot be read (FileNotFoundError)" in caplog.text


def test_a_server_that_echoes_the_request_is_not_quoted(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    def echo(peer: Peer) -> None:
        request = peer.receive()
        peer.send(request.head + b"\r\n\r\n" + request.body)

    answer = connect(serve(echo)).create("default", "space-token-of-ours", BODY)
    assert isinstance(answer, NoAnswer)
    assert answer.kind == "unreadable"
    assert "token" not in answer.reason


def test_the_token_is_nowhere_to_be_seen(
    serve: Callable[..., Server],
    connect: Callable[..., UnpodApi],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    quoting = f'{{"status_code":401,"message":"bad token {TOKEN}"}}'.encode()
    api = connect(serve(always(response(401, quoting))))
    nobody = connect("http://127.0.0.1:9")
    shown = [repr(api.create("default", "space-token-of-ours", BODY)), repr(api), repr(vars(api))]
    refused = nobody.create("default", "space-token-of-ours", BODY)
    assert isinstance(refused, NotSent)
    shown += [repr(refused), caplog.text, *(repr(access) for access in api._accesses.values())]
    shown += [repr(vars(access)["token"]) for access in api._accesses.values()]
    for text in shown:
        assert TOKEN not in text
        assert "space-token-of-ours" not in text
