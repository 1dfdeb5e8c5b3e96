"""Call requests that tests ask for."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from callspool.errors import InvalidCallRequest
from callspool.request.call_request import CallRequest, Document, PreparedRequest
from callspool.request.checks import Rules, prepare

NOW = 1_800_000_000.0

ADA: Mapping[str, Any] = {
    "name": "Ada",
    "contact_number": "+14155550123",
    "document_id": "crm-17",
}


def request(*documents: Any, **fields: Any) -> CallRequest:
    stated = {"space_token": "SPACE", "pilot": "agent", "context": "Follow up", **fields}
    return CallRequest(documents=list(documents) or [dict(ADA)], **stated)


def prepared(*documents: Any, rules: Rules | None = None, **fields: Any) -> PreparedRequest:
    return prepare(request(*documents, **fields), rules or Rules(), now=NOW)


def sent(document: Document | Mapping[str, Any] | bytes, rules: Rules | None = None) -> bytes:
    """The JSON of a document that was accepted."""
    return prepared(document, rules=rules).documents[0]


def sent_fields(document: Any, rules: Rules | None = None) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(sent(document, rules))
    return fields


def refusal(*documents: Any, rules: Rules | None = None, **fields: Any) -> InvalidCallRequest:
    """Why a request was refused."""
    with pytest.raises(InvalidCallRequest) as refused:
        prepared(*documents, rules=rules, **fields)
    assert "\n" not in str(refused.value)
    return refused.value


def attempted(*documents: Any, rules: Rules | None = None) -> PreparedRequest | InvalidCallRequest:
    """The prepared request, or why it was refused; any other exception is the test's to see."""
    try:
        return prepared(*documents, rules=rules)
    except InvalidCallRequest as fault:
        return fault
