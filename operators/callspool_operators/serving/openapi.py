"""The OpenAPI document: Litestar describes routes and answers, msgspec the bodies that are read."""

from __future__ import annotations

from inspect import cleandoc
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.spec import Components, SecurityScheme

from callspool.request.call_request import RESERVED, Known
from callspool_operators.serving.bodies import (
    MOST_DOCUMENTS,
    CampaignChange,
    CancelQuery,
    DocumentsQuery,
    NewSuppression,
    NumbersQuery,
    PostedRequest,
)
from callspool_operators.serving.problems import KINDS, MEDIA_TYPE, ProblemDocument
from callspool_operators.serving.uploads import FORMATS

if TYPE_CHECKING:
    from litestar import Litestar

Json = dict[str, Any]

CONFIG: Final = OpenAPIConfig(
    title="callspool serve",
    version="1",
    description=(
        "Puts contacts that are to be called into the queue. Repeating a request is always safe."
    ),
    use_handler_docstrings=True,
    create_examples=False,
    render_plugins=(),
    components=Components(
        security_schemes={
            "key": SecurityScheme(
                type="http", scheme="bearer", description="callspool keys create makes one"
            )
        }
    ),
    security=[{"key": []}],
)

PROBLEMS: Final = {
    status: ResponseSpec(
        ProblemDocument,
        generate_examples=False,
        description="; ".join(title for code, title in KINDS.values() if code == status),
        media_type=MEDIA_TYPE,
    )
    for status in sorted({status for status, _ in KINDS.values()})
}
_REF: Final = "#/components/schemas/{name}"
_BODIES: Final[dict[str, Any]] = {
    "/v1/requests": list[PostedRequest],
    "/v1/documents/status": DocumentsQuery,
    "/v1/documents/cancel": CancelQuery,
    "/v1/suppressions": NewSuppression,
    "/v1/suppressions/check": NumbersQuery,
    "/v1/campaigns": CampaignChange,
}
_LIST: Final = "/v1/documents"


def build_document(app: Litestar) -> bytes:
    """Returns the OpenAPI document of the application, as JSON."""
    document: Json = app.openapi_schema.to_schema()
    schemas, components = msgspec.json.schema_components(
        [*_BODIES.values(), Known], ref_template=_REF
    )
    schemas[0]["minItems"] = 1
    schemas[0]["description"] = f"At most {MOST_DOCUMENTS:,} documents in all."
    for path, schema in zip(_BODIES, schemas, strict=False):
        content = {"application/json": {"schema": schema}}
        document["paths"][path]["post"]["requestBody"] = {"required": True, "content": content}
    document["paths"][_LIST]["post"]["requestBody"] = {
        "required": True,
        "content": {each: {"schema": {"type": "string", "format": "binary"}} for each in FORMATS},
    }
    components["Document"] = _describe_document(components.pop("Known"))
    components["PostedRequest"]["properties"]["documents"] = {
        "type": "array",
        "items": {
            "anyOf": [
                {"$ref": _REF.format(name="Document")},
                {"description": "Anything else gets the verdict invalid."},
            ]
        },
        "minItems": 1,
    }
    for each in components.values():
        if "description" in each:  # Python 3.13 takes the indentation off by itself
            each["description"] = cleandoc(each["description"])
    document["components"]["schemas"] |= components
    return msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=1) + b"\n"


def _describe_document(known: Json) -> Json:
    """The schema of a document, without the fields that callers must not set."""
    properties = {name: each for name, each in known["properties"].items() if name not in RESERVED}
    return {
        **known,
        "title": "Document",
        "description": "One contact. Other fields reach the API as they are.",
        "properties": properties,
        "not": {"anyOf": [{"required": [name]} for name in RESERVED]},
    }
