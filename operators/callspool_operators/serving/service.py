"""What the routes of `callspool serve` share, and what they answer about the process itself."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final, ParamSpec, TypeVar

from litestar import Request, Response, get

from callspool.redis_io.servers import async_server_of
from callspool.settings import Settings
from callspool_ledger import keys
from callspool_ledger.access import Right
from callspool_operators.serving.admission import Caller, Gatekeeper
from callspool_operators.serving.answers import METRICS_MEDIA_TYPE, BodyBudget, IntakeMetrics
from callspool_operators.serving.documents import DocumentReader, IntakeQueue
from callspool_operators.serving.feed import FeedReader
from callspool_operators.serving.uploads import ReceivingPlaces

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
