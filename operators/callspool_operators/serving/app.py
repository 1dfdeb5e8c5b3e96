"""The routes of `callspool serve`, as a Litestar application."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

from litestar import Litestar, Request, Response, get, post
from litestar.exceptions import HTTPException
from litestar.params import FromPath, FromQuery, QueryParameter

from callspool.redis_io.servers import async_server_of
from callspool.request.call_request import Rules, is_region, is_traceparent
from callspool.request.identity import Scope
from callspool.settings import Settings
from callspool_ledger import keys
from callspool_ledger.access import Right
from callspool_operators.serving import openapi
from callspool_operators.serving.admission import Caller, Gatekeeper
from callspool_operators.serving.answers import (
    METRICS_MEDIA_TYPE,
    BodyBudget,
    IntakeMetrics,
    chunks_of,
    send_fault,
    send_problem,
    send_refusal,
)
from callspool_operators.serving.bodies import (
    DUPLICATE,
    ENQUEUED,
    INVALID,
    CancelQuery,
    CancelReply,
    DocumentReply,
    DocumentsQuery,
    DocumentVerdict,
    IntakeReply,
    PostedRequest,
    Problem,
    StatusReply,
    UploadReply,
    decode_body,
)
from callspool_operators.serving.documents import (
    DocumentReader,
    IntakeQueue,
    JudgedRequests,
    add_known,
    cancel_documents,
    check_query,
    count_documents,
    judge,
    state_request,
)
from callspool_operators.serving.uploads import (
    ReceivingPlaces,
    describe_upload,
    enqueue_rows,
    open_place,
    receive_body,
)

DOCUMENTS_ON_THE_LOOP: Final = 50
"""Requests with more documents are checked in a thread, so that they do not hold up others."""
MOST_UPLOADS: Final = 4
"""Lists that are read at a time, once they have come in; the others wait."""

HttpRequest = Request[Any, Any, Any]


class IntakeService:
    """What the routes share: connections to Redis, metrics, and how much goes on at a time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        server = async_server_of(settings.redis_url).at(keys.prefix())
        self._client = server.async_client()
        self.gate = Gatekeeper(self._client, str(server))
        self.queue = IntakeQueue(settings)
        self.documents = DocumentReader(settings)
        self.metrics = IntakeMetrics()
        self.uploads = asyncio.Semaphore(MOST_UPLOADS)
        self.receiving = ReceivingPlaces()
        self._bodies = BodyBudget()

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

    async def is_ready(self) -> bool:
        """Whether Redis answers."""
        return await self.gate.is_there()

    async def close(self) -> None:
        """Closes the connections."""
        await self.queue.close()
        await self.documents.close()
        await self._client.aclose()


def make_app(settings: Settings) -> Litestar:
    """Makes the application; its connections are opened when they are needed."""

    async def begin(app: Litestar) -> None:
        app.state.service = IntakeService(settings)
        app.state.openapi = describe_routes()

    async def end(app: Litestar) -> None:
        await app.state.service.close()

    return Litestar(
        [*_DESCRIBED, get_openapi, get_health, get_readiness, get_metrics],
        exception_handlers={
            Problem: send_problem,
            HTTPException: send_refusal,
            Exception: send_fault,
        },
        openapi_config=None,  # which would add pages with scripts from elsewhere
        request_max_body_size=None,  # each route has a limit of its own
        on_startup=[begin],
        on_shutdown=[end],
        logging_config=None,
    )


def describe_routes() -> bytes:
    """Returns the OpenAPI document, as JSON."""
    return openapi.build_document(
        Litestar(_DESCRIBED, openapi_config=openapi.CONFIG, logging_config=None)
    )


def _service(request: HttpRequest) -> IntakeService:
    service: IntakeService = request.app.state.service
    return service


@post("/v1/requests", status_code=202, responses=openapi.PROBLEMS)
async def post_requests(request: HttpRequest, known: FromQuery[bool] = False) -> IntakeReply:
    """Enqueue call requests; answer with a verdict for each document, in order.

    It is answered once Redis has every document that is `enqueued`. Repeating a request is always
    safe: documents are known again by their ids. `known` asks what the ledger knew of them, for
    which the key needs the scope read, too.
    """
    service = _service(request)
    rights = (Right.ENQUEUE, Right.READ) if known else (Right.ENQUEUE,)
    async with service.take_json(request, *rights) as (caller, body):
        requests = decode_body(body, list[PostedRequest])
        documents = count_documents(requests)
        rules = service.settings.rules
        if documents > DOCUMENTS_ON_THE_LOOP:
            judged = await asyncio.to_thread(judge, requests, caller.key, rules)
        else:
            judged = judge(requests, caller.key, rules)
        verdicts = judged.verdicts
        if known:
            verdicts = await _with_known(service, judged)
        counts = Counter(each.verdict for each in verdicts)
        async with service.gate.charge_for(caller, counts[ENQUEUED]):
            await service.queue.enqueue(judged.prepared, _trace_of(request), caller.key.name)
    for verdict, number in counts.items():
        service.metrics.count_documents(caller.key.name, verdict, number)
    return IntakeReply(counts[ENQUEUED], counts[DUPLICATE], counts[INVALID], verdicts)


async def _with_known(service: IntakeService, judged: JudgedRequests) -> list[DocumentVerdict]:
    wanted: dict[Scope, list[str]] = defaultdict(list)
    for verdict, scope in zip(judged.verdicts, judged.scopes, strict=True):
        if scope is not None and verdict.document_id and verdict.verdict != INVALID:
            wanted[scope].append(verdict.document_id)
    found = {scope: await service.documents.read_known(scope, ids) for scope, ids in wanted.items()}
    return add_known(judged, found)


@post("/v1/documents", status_code=202, responses=openapi.PROBLEMS)
async def post_documents(
    request: HttpRequest,
    pilot: Annotated[str, QueryParameter(min_length=1)],
    space: FromQuery[str | None] = None,
    context: FromQuery[str | None] = None,
    campaign: FromQuery[str | None] = None,
    account: FromQuery[str | None] = None,
    schedule: FromQuery[str | None] = None,
    expires_at: FromQuery[str | None] = None,
    region: FromQuery[str | None] = None,
    shared_numbers: FromQuery[bool] = False,
    numbers_as_they_are: FromQuery[bool] = False,
) -> UploadReply:
    """Enqueue a list: NDJSON, CSV or .xlsx, its columns named as for `callspool send`.

    Rows that are not good are left out, and listed with the reason. Where the body breaks off,
    nothing of it is enqueued. Repeating it is always safe.
    """
    service = _service(request)
    caller = await service.let_in(request, Right.ENQUEUE)
    settings, key = service.settings, caller.key
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Problem("media-type", "send the list without a content-encoding")
    upload = describe_upload(
        state_request(
            space_token=space or key.space_token,
            pilot=pilot,
            context=context,
            schedule=schedule,
            campaign=campaign or key.campaign,
            account=account or key.account,
            expires_at=expires_at,
        ),
        caller,
        _rules(settings, region),
        content_type=request.headers.get("content-type", ""),
        shares_numbers=shared_numbers,
        takes_unknown_countries=numbers_as_they_are,
        now=time.time(),
    )
    with service.receiving.place_of(key.name), open_place() as file:
        size = await receive_body(chunks_of(request), file, settings.serve_upload_bytes)
        async with service.uploads:
            reply = await asyncio.to_thread(enqueue_rows, settings, upload, caller, file, size)
    for verdict, number in (
        (ENQUEUED, reply.enqueued),
        (DUPLICATE, reply.duplicate_in_request),
        (INVALID, reply.invalid),
    ):
        service.metrics.count_documents(key.name, verdict, number)
    return reply


def _rules(settings: Settings, region: str | None) -> Rules:
    if region and not is_region(region.upper()):
        raise Problem("wrong-shape", "region: must be a region such as IN, US or GB")
    return Rules(region or settings.region, settings.send_e164, settings.context)


@get("/v1/documents/{document_id:str}", responses=openapi.PROBLEMS)
async def get_document(
    request: HttpRequest,
    document_id: FromPath[str],
    space: FromQuery[str | None] = None,
    campaign: FromQuery[str | None] = None,
    account: FromQuery[str | None] = None,
) -> DocumentReply:
    """Say where a document is; one whose id has a slash is found by `/v1/documents/status`."""
    asked = DocumentsQuery(
        document_ids=[document_id], space_token=space, campaign=campaign, account=account
    )
    (found,) = await _read_documents(request, asked)
    if found.state is None:
        raise Problem("not-found", "the ledger does not know this document in this scope")
    return found


@post("/v1/documents/status", status_code=200, responses=openapi.PROBLEMS)
async def post_status(request: HttpRequest) -> StatusReply:
    """Say where documents are, in the order asked for."""
    return StatusReply(await _read_documents(request))


async def _read_documents(
    request: HttpRequest, asked: DocumentsQuery | None = None
) -> list[DocumentReply]:
    service = _service(request)
    if asked is None:
        async with service.take_json(request, Right.READ) as (caller, body):
            asked = decode_body(body, DocumentsQuery)
    else:
        caller = await service.let_in(request, Right.READ)
    scope = check_query(asked, caller.key)
    await service.gate.charge(caller, len(asked.document_ids))
    return await service.documents.read(scope, asked.document_ids)


@post("/v1/documents/cancel", status_code=200, responses=openapi.PROBLEMS)
async def post_cancel(request: HttpRequest) -> CancelReply:
    """Take back documents that wait; what is being sent, or was, stays as it is."""
    service = _service(request)
    async with service.take_json(request, Right.OPERATE) as (caller, body):
        asked = decode_body(body, CancelQuery)
    scope = check_query(asked, caller.key)
    await service.gate.charge(caller, len(asked.document_ids))
    done = await asyncio.to_thread(
        cancel_documents, service.settings, caller.key, scope, asked.document_ids
    )
    return CancelReply(done)


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
    """Say whether Redis answers."""
    if await _service(request).is_ready():
        return Response("ok\n", media_type="text/plain")
    return Response("Redis does not answer\n", status_code=503, media_type="text/plain")


@get("/metrics", include_in_schema=False)
async def get_metrics(request: HttpRequest) -> Response[bytes]:
    """Show the metrics of this process."""
    return Response(_service(request).metrics.page(), headers={"content-type": METRICS_MEDIA_TYPE})


def _trace_of(request: HttpRequest) -> str | None:
    """The traceparent of the caller's request; anything else is ignored."""
    found = request.headers.get("traceparent", "")
    return found if is_traceparent(found) else None


_DESCRIBED: Final = (post_requests, post_documents, get_document, post_status, post_cancel)
