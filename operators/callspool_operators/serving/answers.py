"""Bodies as they come in, problems as they go out, and the metrics that count them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from litestar import Request
from litestar.exceptions import InternalServerException
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from callspool_operators.serving.bodies import MOST_BYTES
from callspool_operators.serving.problems import Problem

BODY_SECONDS: Final = 60.0
"""How long a JSON body may take to come in."""
MOST_HELD: Final = 128 * 1024 * 1024
"""Bytes of all JSON bodies that one process holds at a time."""


class BodyBudget:
    """Bodies of JSON that are held at a time: each has a bound, and all of them together have."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self._most = most
        self._held = 0

    @asynccontextmanager
    async def hold(self, request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
        """Reads the body of a request that posts JSON, and counts it until the end of the block.

        Raises `Problem`.
        """
        check_head(request)
        body = bytearray()
        try:
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    async for chunk in chunks_of(request):
                        self._held += len(chunk)
                        body += chunk
                        if len(body) > MOST_BYTES:
                            raise _too_large()
                        if self._held > self._most:
                            raise Problem(
                                "busy", "many bodies are coming in: try again", retry_after=5
                            )
            except TimeoutError:
                raise Problem(
                    "too-slow", "the body came too slowly: nothing was enqueued"
                ) from None
            yield bytes(body)
        finally:
            self._held -= len(body)


def check_head(request: Request[Any, Any, Any]) -> None:
    """Raises `Problem` unless the head of a request announces JSON that may be read."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem("media-type", "send application/json")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Problem("media-type", "send the body without a content-encoding")
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > MOST_BYTES:
        raise _too_large()


async def chunks_of(request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
    """Yields a body as it comes in; raises `Problem` where it breaks off."""
    try:
        async for chunk in request.stream():
            yield chunk
    except InternalServerException:  # so Litestar says that the caller is gone
        raise Problem("broken-off", "the body broke off: nothing was enqueued") from None


def _too_large() -> Problem:
    return Problem("too-large", f"at most {MOST_BYTES:,} bytes: send the documents in parts")


METRICS_MEDIA_TYPE: Final = CONTENT_TYPE_LATEST
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class IntakeMetrics:
    """Counts what this process takes in; a key's name is a label, and there are few keys."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._documents = Counter(
            "callspool_intake_documents",
            "Documents that came over HTTP, by the key's name and the verdict.",
            ["key", "verdict"],
            registry=registry,
        )
        self._seconds = Histogram(
            "callspool_intake_request_seconds",
            "How long answers over HTTP took, by route and status.",
            ["route", "status"],
            buckets=_SECONDS,
            registry=registry,
        )

    def count_documents(self, key: str, verdict: str, documents: int) -> None:
        """Counts documents with a verdict."""
        if documents:
            self._documents.labels(key, verdict).inc(documents)

    def count_answer(self, route: str, status: int, seconds: float) -> None:
        """Counts an answer."""
        self._seconds.labels(route, str(status)).observe(seconds)

    def page(self) -> bytes:
        """Returns the metrics as Prometheus reads them."""
        return generate_latest(self._registry)
