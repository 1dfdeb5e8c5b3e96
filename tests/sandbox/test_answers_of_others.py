"""Answers that belong to another request, are held back, redirect, or come packed."""

from __future__ import annotations

import gzip
import threading
import time
import zlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.sandbox.client import Client, connected, documents, eventually, raw_request

if TYPE_CHECKING:
    from tests.sandbox.conftest import StartSandbox


def mixed(place: str, where: str) -> str:
    return f'[[faults]]\nname = "mixed"\nplace = "{place}"\nwhere = "{where}"\nnth = 2\n'


@pytest.mark.parametrize(("where", "created"), [("before", ["a", "c"]), ("after", ["a", "b", "c"])])
def test_an_answer_can_be_that_of_the_create_call_before(
    start: StartSandbox, where: str, created: list[str]
) -> None:
    client = start(faults=mixed("instead", where))
    first, second, third = (client.create(one, space="S").json()["data"] for one in "abc")
    assert first == second != third
    assert client.refs("S") == created
    assert client.created_in_log("S") == created


def test_another_answer_can_follow_on_the_same_connection(start: StartSandbox) -> None:
    client = start(faults=mixed("behind", "after"))
    first = client.create("a", space="S").text
    with connected(client.sandbox) as connection:
        connection.sendall(raw_request("S", documents("b"), "Connection: close"))
        time.sleep(0.2)
        received = connection.recv(65536).decode()
    assert received.count("HTTP/1.1 200 OK") == 2
    assert received.endswith(first)


@pytest.mark.parametrize(("where", "created"), [("before", ["a"]), ("after", ["a", "b"])])
def test_an_answer_can_come_before_the_request_was_read(
    start: StartSandbox, where: str, created: list[str]
) -> None:
    client = start(faults=mixed("ahead", where))
    client.create("a", space="S")
    request = raw_request("S", documents("b"))
    with connected(client.sandbox) as connection:
        connection.sendall(request[:-1])
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
        connection.sendall(request[-1:])
        time.sleep(0.2)
        assert client.refs("S") == created


def test_requests_can_be_held_until_the_end_of_an_outage(start: StartSandbox) -> None:
    held = '[[faults]]\nname = "hang"\non = "any"\nbetween = [0, 1]\nuntil = 1.0\n'
    client = start(faults=held)
    begun = time.monotonic()

    def give_up(identity: str) -> None:
        with pytest.raises(httpx.ReadTimeout):
            client.create(identity, space="HELD", timeout=0.2)

    givers = [threading.Thread(target=give_up, args=(one,)) for one in "ab"]
    for thread in givers:
        thread.start()
    time.sleep(0.3)
    assert client.sandbox.created_ids() == []
    client.runs("HELD")
    assert time.monotonic() - begun > 0.5
    for thread in givers:
        thread.join()
    eventually(lambda: sorted(client.refs("HELD")) == ["a", "b"])


def test_a_redirect_names_its_location_and_a_retry_after_takes_any_form(
    start: StartSandbox,
) -> None:
    moved = '[[faults]]\nname = "status"\nstatus = 301\nlocation = "https://elsewhere/"\nnth = 1\n'
    later = '[[faults]]\nname = "status"\nstatus = 429\nretry_after = "soon"\n'
    client = start(faults=moved + later)
    first, second = client.create("a"), client.create("a")
    assert (first.status_code, first.headers["location"]) == (301, "https://elsewhere/")
    assert (second.status_code, second.headers["retry-after"]) == (429, "soon")


def packed(client: Client) -> tuple[str, bytes]:
    with connected(client.sandbox) as connection:
        connection.sendall(raw_request("S", documents("a"), "Connection: close"))
        received = b""
        while piece := connection.recv(65536):
            received += piece
    head, _, content = received.partition(b"\r\n\r\n")
    return head.decode().lower(), content


UNPACK: dict[str, Any] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "raw-deflate": lambda content: zlib.decompress(content, -15),
}


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw-deflate", "br", "zstd"])
def test_answers_can_come_packed(start: StartSandbox, encoding: str) -> None:
    client = start(faults=f'[[faults]]\nname = "packed"\nencoding = "{encoding}"\n')
    head, content = packed(client)
    assert f"content-encoding: {encoding.removeprefix('raw-')}" in head
    body = UNPACK.get(encoding, lambda each: each)(content)
    assert b'{"status_code":200' in body


def test_a_packed_answer_may_not_say_so(start: StartSandbox) -> None:
    client = start(faults='[[faults]]\nname = "packed"\nannounced = false\n')
    head, content = packed(client)
    assert "content-encoding" not in head
    assert gzip.decompress(content).startswith(b'{"status_code":200')
