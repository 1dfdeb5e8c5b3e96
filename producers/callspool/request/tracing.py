"""Trace context: the W3C traceparent that goes along with a call request."""

import re

from callspool.errors import InvalidCallRequest
from callspool.request.text import kind_of, plain_text

_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def is_traceparent(text: str) -> bool:
    """Whether a text is a traceparent, as in ``00-<32 hex digits>-<16>-<2>``."""
    return _FORM.fullmatch(text) is not None


def traceparent_of(value: object) -> str | None:
    """What a call request names as its traceparent, checked; raises `InvalidCallRequest`."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidCallRequest("traceparent", f"must be a string, not {kind_of(value)}")
    if not is_traceparent(value):
        raise InvalidCallRequest(
            "traceparent", "must look like 00-<32 hex digits>-<16>-<2>, in small letters"
        )
    return plain_text(value)
