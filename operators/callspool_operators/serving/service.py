"""What the routes of `callspool serve` share: bodies as they come in, metrics, and the process."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final, ParamSpec, TypeVar

from litestar import Request, Response, get
from litestar.exceptions import InternalServerException
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from callspool.redis_io.servers import async_server_of
from callspool.settings import Settings
from callspool_ledger import keys
from callspool_ledger.access import Right
from callspool_operators.serving.admission import Caller, Gatekeeper
from callspool_operators.serving.bodies import MOST_BYTES, Body, decode_body
from callspool_operators.serving.documents import DocumentReader, IntakeQueue
from callspool_operators.serving.feed import FeedReader
from callspool_operators.serving.problems import Problem
from callspool_operators.serving.uploads import ReceivingPlaces

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


MOST_UPLOADS: Final = 4
"""Lists that are read at a time, once they have come in; the others wait."""
STEERING_THREADS: Final = 4
"""Changes of what is not a document's own that go on at a time; some take seconds."""

HttpRequest = Request[Any, Any, Any]
Params = ParamSpec("Params")
Result = TypeVar("Result")


class IntakeService:
    """What the routes share: connections to Redis, metrics, and how much goes on at a time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        server = async_server_of(settings.redis_url).at(keys.prefix())
        self._client = server.async_client()
        self.gate = Gatekeeper(self._client, str(server))
        self.queue = IntakeQueue(settings)
        self.documents = DocumentReader(settings)
        self.feed = FeedReader(settings)
        self.metrics = IntakeMetrics()
        self.uploads = asyncio.Semaphore(MOST_UPLOADS)
        self.receiving = ReceivingPlaces()
        self._bodies = BodyBudget()
        self._steering = ReceivingPlaces()
        self._threads = ThreadPoolExecutor(STEERING_THREADS, "steering")

    async def let_in(self, request: HttpRequest, *rights: Right) -> Caller:
        """Returns the caller; raises `Problem` unless its key is good for this."""
        authorization = request.headers.get("authorization")
        for right in rights:
            caller = await self.gate.let_in(authorization, right)
            request.scope["callspool_key"] = caller.key.name  # type: ignore[typeddict-unknown-key]
        return caller

    @asynccontextmanager
    async def take_json(
        self, request: HttpRequest, *rights: Right
    ) -> AsyncIterator[tuple[Caller, bytes]]:
        """Holds a body of JSON; its key has to be good before it comes in, and still afterwards."""
        await self.let_in(request, *rights)
        async with self._bodies.hold(request) as body:
            yield await self.let_in(request, *rights), body

    async def take(
        self, request: HttpRequest, kind: type[Body], *rights: Right
    ) -> tuple[Caller, Body]:
        """Returns the caller and its body, once both are good; raises `Problem`."""
        async with self.take_json(request, *rights) as (caller, body):
            return caller, decode_body(body, kind)

    async def steer(
        self,
        caller: Caller,
        do: Callable[Params, Result],
        *args: Params.args,
        **kwargs: Params.kwargs,
    ) -> Result:
        """Does what takes a while in one of a few threads; raises `Problem` if many wait."""
        with self._steering.place_of(caller.key.name):
            loop = asyncio.get_running_loop()
            call = functools.partial(do, *args, **kwargs)
            return await loop.run_in_executor(self._threads, call)

    async def is_ready(self) -> bool:
        """Whether Redis answers."""
        return await self.gate.is_there()

    async def close(self) -> None:
        """Closes the connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        await self.queue.close()
        await self.documents.close()
        await self.feed.close()
        await self._client.aclose()


def service_of(request: HttpRequest) -> IntakeService:
    """Returns what the routes share."""
    service: IntakeService = request.app.state.service
    return service


@get("/openapi.json", include_in_schema=False)
async def get_openapi(request: HttpRequest) -> Response[bytes]:
    """Show what this server takes and answers."""
    return Response(request.app.state.openapi, media_type="application/json")


@get("/healthz", include_in_schema=False)
async def get_health() -> Response[str]:
    """Say that the process lives."""
    return Response("ok\n", media_type="text/plain")


@get("/readyz", include_in_schema=False)
async def get_readiness(request: HttpRequest) -> Response[str]:
    """Say whether Redis answers, and takes writes."""
    if await service_of(request).is_ready():
        return Response("ok\n", media_type="text/plain")
    said = "Redis does not answer, or refuses every write: callspool doctor says which\n"
    return Response(said, status_code=503, media_type="text/plain")


@get("/metrics", include_in_schema=False)
async def get_metrics(request: HttpRequest) -> Response[bytes]:
    """Show the metrics of this process."""
    page = service_of(request).metrics.page()
    return Response(page, headers={"content-type": METRICS_MEDIA_TYPE})


PROBES: Final = (get_openapi, get_health, get_readiness, get_metrics)
