"""A service with FastAPI that has its new customers called; docs/producers.md tells of it.

A bad number answers 422, a queue that is away or full 503: the client may try again.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from callspool import (
    AsyncCallQueue,
    CallRequest,
    Document,
    InvalidCallRequest,
    QueueFull,
    QueueUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Customer(BaseModel):
    """What a client posts."""

    id: int
    name: str
    phone: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Opens one queue for the process, and closes it on its event loop."""
    async with AsyncCallQueue.from_env() as queue:
        app.state.calls = queue
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/customers", status_code=202)
async def register(customer: Customer, request: Request) -> dict[str, str]:
    """Enqueues a call to the customer."""
    receipt = await request.app.state.calls.enqueue(request_for(customer))
    return {"document_id": receipt.document_ids[0]}


def request_for(customer: Customer) -> CallRequest:
    """Makes the call request; the id makes it safe to enqueue it again."""
    contact = Document(customer.name, customer.phone, document_id=f"customer-{customer.id}")
    return CallRequest("8KZ-WELCOME", "space-agent-welcome", [contact], context="Welcome")


@app.exception_handler(InvalidCallRequest)
async def refuse(_request: Request, fault: InvalidCallRequest) -> JSONResponse:
    """Answers what is wrong with which field."""
    faults = [{"field": each.field, "reason": each.reason} for each in fault.faults]
    return JSONResponse({"detail": faults}, status_code=422)


@app.exception_handler(QueueUnavailable)
@app.exception_handler(QueueFull)
async def ask_to_come_again(_request: Request, _fault: Exception) -> JSONResponse:
    """Answers that nothing was enqueued for now."""
    detail = "calls cannot be taken at the moment"
    return JSONResponse({"detail": detail}, status_code=503, headers={"Retry-After": "5"})
