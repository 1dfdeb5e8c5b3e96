"""The services of docs/producers.md, as their clients and their database see them."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import django
import httpx
import pytest
from django.conf import settings

from callspool import QueueUnavailable
from callspool.testing import AsyncRecordingQueue, RecordingQueue

EXAMPLES = Path(__file__).parents[2] / "examples"
ADA = {"id": 17, "name": "Ada", "phone": "+1 415 555 0100"}


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_fastapi_answers_202_422_and_503(monkeypatch: pytest.MonkeyPatch) -> None:
    service = load("fastapi_service")
    queue = AsyncRecordingQueue()
    monkeypatch.setattr(service.AsyncCallQueue, "from_env", lambda: queue)

    async def scenario() -> list[httpx.Response]:
        transport = httpx.ASGITransport(service.app)
        async with (
            service.lifespan(service.app),
            httpx.AsyncClient(transport=transport, base_url="http://service") as client,
        ):
            answers = [await client.post("/customers", json=ADA)]
            answers.append(await client.post("/customers", json={**ADA, "phone": "12"}))
            queue.error = QueueUnavailable("Redis is away")
            return [*answers, await client.post("/customers", json=ADA)]

    accepted, bad, away = asyncio.run(scenario())
    assert (accepted.status_code, accepted.json()) == (202, {"document_id": "customer-17"})
    assert bad.status_code == 422
    assert bad.json()["detail"][0]["field"] == "contact_number"
    assert (away.status_code, away.headers["Retry-After"]) == (503, "5")
    assert len(queue.documents) == 1


@pytest.fixture
def customers() -> Iterator[Any]:
    """A table of customers."""
    if not settings.configured:
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
        settings.configure(DATABASES={"default": database}, USE_TZ=True)
        django.setup()

    from django.db import connection, models  # noqa: PLC0415 - it wants to be configured first

    class Customer(models.Model):
        name = models.TextField()
        phone = models.TextField()
        call_state = models.TextField(default="")

        class Meta:
            app_label = "shop"

    with connection.schema_editor() as editor:
        editor.create_model(Customer)
    yield Customer
    connection.close()


def test_a_committed_row_stays_and_the_job_gets_past_a_bad_one(customers: Any) -> None:
    service = load("django_service")
    service.queue = queue = RecordingQueue()

    def states() -> list[str]:
        return [each.call_state for each in customers.objects.order_by("pk")]

    service.register(customers(name="Ada", phone="+14155550100"))
    service.register(customers(name="Bob", phone="12"))
    for error in (QueueUnavailable("Redis is away"), RuntimeError("a bug")):
        queue.error = error
        service.register(customers(name="Cy", phone="+14155550101"))
    assert states() == ["enqueued", "refused", "", ""]
    queue.error = None
    customers.objects.create(name="Eve", phone="34")
    customers.objects.create(name="Fay", phone="+14155550102")
    assert service.enqueue_late(customers) == 3
    assert states() == ["enqueued", "refused", "enqueued", "enqueued", "refused", "enqueued"]
    assert [each["document_id"] for each in queue.documents] == [
        "customer-1",
        "customer-3",
        "customer-4",
        "customer-6",
    ]
