"""The routes of `callspool serve`, as a Litestar application."""

import asyncio
import functools
import time
from collections import Counter, defaultdict
from typing import Annotated, Final

from litestar import Litestar, get, post
from litestar.exceptions import HTTPException
from litestar.params import FromQuery, PathParameter, QueryParameter

from callspool.request.call_request import Rules, is_traceparent
from callspool.request.identity import Scope
from callspool.settings import Settings
from callspool_ledger.access import Right
from callspool_ledger.reads.feed import cursor_since
from callspool_operators.serving import openapi
from callspool_operators.serving.admission import Caller, read_region
from callspool_operators.serving.bodies import (
    DUPLICATE,
    ENQUEUED,
    INVALID,
    DocumentReply,
    DocumentsQuery,
    DocumentVerdict,
    EventsReply,
    IntakeReply,
    PostedRequest,
    StatusReply,
    UploadReply,
    decode_body,
)
from callspool_operators.serving.campaigns import CAMPAIGN_ROUTES
from callspool_operators.serving.documents import (
    JudgedRequests,
    add_known,
    check_query,
    count_documents,
    judge,
    state_request,
)
from callspool_operators.serving.feed import check_page, concerns_key
from callspool_operators.serving.problems import Problem, send_fault, send_problem, send_refusal
from callspool_operators.serving.service import (
    PROBES,
    HttpRequest,
    IntakeService,
    chunks_of,
    service_of,
)
from callspool_operators.serving.steering import STEERING_ROUTES
from callspool_operators.serving.uploads import (
    ListOptions,
    describe_upload,
    enqueue_rows,
    open_place,
    read_columns,
    read_encoding,
    receive_body,
)

DOCUMENTS_ON_THE_LOOP: Final = 50
"""Requests with more documents are checked in a thread, so that they do not hold up others."""


def make_app(settings: Settings) -> Litestar:
    """Makes the application; its connections are opened when they are needed."""

    async def begin(app: Litestar) -> None:
        app.state.service = IntakeService(settings)
        app.state.openapi = describe_routes()

    async def end(app: Litestar) -> None:
        await app.state.service.close()

    return Litestar(
        [*DESCRIBED, *PROBES],
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
        Litestar(DESCRIBED, openapi_config=openapi.CONFIG, logging_config=None)
    )


@post("/v1/requests", status_code=202, responses=openapi.PROBLEMS)
async def post_requests(request: HttpRequest, known: FromQuery[bool] = False) -> IntakeReply:
    """Enqueue call requests; answer with a verdict for each document, in order.

    It is answered once Redis has every document that is `enqueued`. Repeating a request is always
    safe: documents are known again by their ids. `known` asks what the ledger knew of them, for
    which the key needs the scope read, too.
    """
    service = service_of(request)
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
    columns: Annotated[list[str] | None, QueryParameter(name="map")] = None,
    skip_if: FromQuery[list[str] | None] = None,
    encoding: FromQuery[str | None] = None,
    sheet: FromQuery[str | None] = None,
    shared_numbers: FromQuery[bool] = False,
    numbers_as_they_are: FromQuery[bool] = False,
) -> UploadReply:
    """Enqueue a list: NDJSON, CSV or .xlsx, its columns named as for `callspool send`.

    Rows that are not good are left out, and listed with the reason. Where the body breaks off,
    nothing of it is enqueued. Repeating it is always safe.
    """
    service = service_of(request)
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
        ListOptions(
            read_columns(columns or ()),
            skip_if or (),
            read_encoding(encoding),
            sheet,
            shares_numbers=shared_numbers,
            takes_unknown_countries=numbers_as_they_are,
        ),
        content_type=request.headers.get("content-type", ""),
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
    return Rules(read_region(region) or settings.region, settings.send_e164, settings.context)


@get("/v1/documents/{document_id:str}", responses=openapi.PROBLEMS)
async def get_document(
    request: HttpRequest,
    document_id: Annotated[str, PathParameter(min_length=1)],
    space: FromQuery[str | None] = None,
    campaign: FromQuery[str | None] = None,
    account: FromQuery[str | None] = None,
) -> DocumentReply:
    """Say where a document is; one whose id has a slash is found by `/v1/documents/status`."""
    asked = DocumentsQuery(
        document_ids=[document_id], space_token=space, campaign=campaign, account=account
    )
    service = service_of(request)
    caller = await service.let_in(request, Right.READ)
    (found,) = await _read_documents(service, caller, asked)
    if found.state is None:
        raise Problem("not-found", "the ledger does not know this document in this scope")
    return found


@post("/v1/documents/status", status_code=200, responses=openapi.PROBLEMS)
async def post_status(request: HttpRequest) -> StatusReply:
    """Say where documents are, in the order asked for."""
    service = service_of(request)
    caller, asked = await service.take(request, DocumentsQuery, Right.READ)
    return StatusReply(await _read_documents(service, caller, asked))


async def _read_documents(
    service: IntakeService, caller: Caller, asked: DocumentsQuery
) -> list[DocumentReply]:
    scope = check_query(asked, caller.key)
    await service.gate.charge(caller, len(asked.document_ids))
    return await service.documents.read(scope, asked.document_ids)


@get("/v1/events", responses=openapi.PROBLEMS)
async def get_events(
    request: HttpRequest,
    cursor: FromQuery[str] = "",
    since: Annotated[str | None, QueryParameter(schema_extra={"format": "date-time"})] = None,
    wait: FromQuery[float] = 0.0,
    limit: FromQuery[int] = 500,
) -> EventsReply:
    """Tell what became of documents and calls behind a cursor; wait for it if there is nothing.

    Keep the `cursor` of the answer once its events are dealt with, also where there are none, and
    ask with it again. An event may come twice, with the same `id`.
    """
    service = service_of(request)
    caller = await service.let_in(request, Right.READ)
    key = caller.key
    begins = check_page(key, cursor, since, wait, limit)
    if begins is not None:
        cursor = cursor_since(begins, service.settings.partitions)
    limit = min([limit, *(most for most in (key.per_minute, key.per_day) if most)])
    concerns = functools.partial(concerns_key, key)
    page = await service.feed.read(cursor, concerns, wait=wait, limit=limit)
    caller = await service.let_in(request, Right.READ)  # it may have been revoked meanwhile
    await service.gate.charge(caller, len(page.events))
    return EventsReply(page.events, page.cursor)


def _trace_of(request: HttpRequest) -> str | None:
    """The traceparent of the caller's request; anything else is ignored."""
    found = request.headers.get("traceparent", "")
    return found if is_traceparent(found) else None


DESCRIBED: Final = (
    post_requests,
    post_documents,
    get_document,
    post_status,
    get_events,
    *STEERING_ROUTES,
    *CAMPAIGN_ROUTES,
)
