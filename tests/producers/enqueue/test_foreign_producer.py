"""Any language enqueues with one XADD: here a program that has never heard of callspool."""

from __future__ import annotations

import subprocess
import sys

import redis

from callspool.request.call_request import Rules
from callspool.request.checks import check_envelope, check_raw_document
from callspool.request.message import decode
from tests.support.call_requests import STREAM

PROGRAM = """
import json, sys
import redis

request = {
    "space_token": "8KZ",
    "pilot": "space-agent-1",
    "context": "Follow up",
    "documents": [
        {"name": "Ada", "contact_number": "+14155550100", "document_id": "crm-17"},
        {"name": "Björk", "contact_number": "1234567890", "plan": {"tier": "gold"}},
    ],
}
with redis.Redis.from_url(sys.argv[1]) as client:
    client.xadd(
        "callspool:{0}:requests",
        {"v": "1", "requests": json.dumps([request], ensure_ascii=False)},
    )
assert "callspool" not in sys.modules
"""


def test_a_bare_xadd_is_a_message(redis_url: str, client: redis.Redis) -> None:
    subprocess.run([sys.executable, "-I", "-c", PROGRAM, redis_url], check=True)
    ((_, fields),) = client.xrange(STREAM)
    envelope = decode(fields)
    assert (envelope.checked, envelope.counted, envelope.trace) == (False, 0, None)
    (request,) = envelope.requests
    assert check_envelope(request, Rules()).scope == ("default", "8KZ", "")
    known, unknown = (check_raw_document(bytes(raw), Rules()) for raw in request.documents)
    assert known.document_id == "crm-17"
    assert unknown.document_id.startswith("tel-")
    assert b'"plan": {"tier": "gold"}' in unknown.raw
