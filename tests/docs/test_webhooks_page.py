"""docs/webhooks.md: its receiver takes what a worker sends, and refuses what another one signed."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from callspool.settings.model import WebhookEndpoint
from callspool_worker.api.endpoint import EndpointClient
from callspool_worker.webhooks.delivery import send_test, sign

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
SECRET = f"whsec_{base64.b64encode(b's' * 32).decode()}"


@contextmanager
def receiver(app: Any) -> Iterator[int]:
    """Serves an application on a free port of the loopback interface."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)


def test_the_receiver_of_the_page_takes_what_is_signed_by_its_secret_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, example = re.findall(
        r"^```(?:python|json)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    assert len([line for line in code.splitlines() if line.strip()]) <= 16
    monkeypatch.setenv("CALLSPOOL_WEBHOOK_SECRET", SECRET)
    names: dict[str, Any] = {"__name__": "receiver"}
    exec(compile(code, str(PAGE), "exec"), names)
    file = tmp_path / "crm.secret"
    file.write_text(SECRET)
    with receiver(names["app"]) as port:
        endpoint = WebhookEndpoint(
            name="crm",
            url=f"http://127.0.0.1:{port}/callspool",
            secret_file=file,
            allow_private=True,
        )
        client = EndpointClient(endpoint)
        assert send_test(endpoint, client).status == 204
        body = json.dumps(json.loads(example)).encode()
        headers = sign(["0-1796119200000-0-0"], body, endpoint.current_secrets())
        assert client.post(body, headers).status == 204
        assert names["outcomes"] == {"crm-17": "reached"}
        assert client.post(body.replace(b"reached", b"failed_"), headers).status == 401
    assert names["outcomes"] == {"crm-17": "reached"}
