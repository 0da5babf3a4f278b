"""The webhook's port as an OpenAPI 3.1 document, made from the table of kinds, their models and the error tree."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gateway.errors import InternalError, RequestError, request_errors
from gateway.settings import GatewaySettings
from gateway.webhooks.events import NAME_PATTERN
from gateway.webhooks.kinds import EVENTS, KINDS, Kind

_PROBLEM: Final = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "urn:airudder:gateway: and a stable code"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "Every fault of a 422, by its JSON path",
            "items": {
                "type": "object",
                "required": ["path", "message"],
                "properties": {"path": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
_METHOD_REFUSED: Final = {"405": "Another method than POST"}  # the router's own
_NAME_REFUSED: Final = {"404": "No event may have this name"}
_NAME: Final = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "The event's name; it is kept in the record.",
    "schema": {"type": "string", "pattern": f"^{NAME_PATTERN}$"},
}
_ANY_JSON: Final = {"description": "JSON of any type, nested 64 levels deep at most."}


def document(settings: GatewaySettings) -> dict[str, Any]:
    """The document, for these settings' signature header."""
    modelled = [kind for kind in KINDS if kind.mapping.model]
    essential = {
        name: fields
        for kind in KINDS
        for model, fields in kind.mapping.essential.items()
        for name in (
            model.__name__,
            f"{model.__module__}.{model.__name__}",
        )  # msgspec uses the long name where two models have the same short one
    }
    models = [kind.mapping.model for kind in modelled]
    references, components = msgspec.json.schema_components(models, ref_template="#/components/schemas/{name}")
    bodies = {EVENTS.name: _ANY_JSON, **{kind.name: body for kind, body in zip(modelled, references, strict=True)}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "AiRudder webhooks",
            "version": "1",
            "description": "200 `{}` once Kafka or the spool has the delivery, and the same again for a repeat. What "
            "is not as the provider documents it is accepted, kept as it came and counted; so are fields that are not "
            "listed. Required is only what makes a delivery one of its webhook.",
        },
        "paths": {kind.route: {"post": _operation(kind, bodies[kind.name], settings)} for kind in KINDS},
        "components": {
            "schemas": {
                **{name: _as_accepted(schema, essential.get(name, frozenset())) for name, schema in components.items()},
                "Problem": _PROBLEM,
            },
            "securitySchemes": {"signature": {"type": "apiKey", "in": "header", "name": settings.signature_header}},
        },
    }


def _operation(kind: Kind[Any], schema: dict[str, Any], settings: GatewaySettings) -> dict[str, Any]:
    accepted = {"type": "object", "maxProperties": 0}
    own_refusals = _METHOD_REFUSED | (_NAME_REFUSED if kind is EVENTS else {})
    return {
        "operationId": kind.name,
        "summary": kind.title,
        "parameters": [_NAME] if kind is EVENTS else [],
        "security": [] if settings.signature_mode == "off" else [{"signature": []}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "200": {"description": "Stored", "content": {"application/json": {"schema": accepted}}},
            **{status: _refusal(why) for status, why in own_refusals.items()},
            **_refusals(),
        },
    }


def _refusals() -> dict[str, Any]:
    """The answers to all kinds of errors but a fault of ours, by status."""
    by_status: dict[int, list[type[RequestError]]] = defaultdict(list)
    for error in request_errors():
        if error is not InternalError:
            by_status[error.status].append(error)
    return {
        str(status): _refusal(_description(errors), has_retry_after=all(error.retry_after_s for error in errors))
        for status, errors in sorted(by_status.items())
    }


def _description(errors: Sequence[type[RequestError]]) -> str:
    kept = ["Kept in quarantine"] if any(error.is_quarantined for error in errors) else []
    return ". ".join([*dict.fromkeys(error.title for error in errors), *kept])


def _refusal(description: str, *, has_retry_after: bool = False) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": description,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if has_retry_after:
        answer["headers"] = {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}}}
    return answer


def _as_accepted(schema: dict[str, Any], essential: frozenset[str]) -> dict[str, Any]:
    """The schema of an object as it is accepted: the essential fields are required, all others may be anything."""
    return {
        "type": "object",
        "required": [name for name in schema.get("required", ()) if name in essential],
        "properties": {
            name: _essential(node) if name in essential else _documented(node)
            for name, node in schema["properties"].items()
        },
    }


def _essential(node: dict[str, Any]) -> dict[str, Any]:
    """A list of objects as it is; for text, text or an integer."""
    return node if node["type"] == "array" else {"anyOf": [node, {"type": "integer"}]}


def _documented(node: dict[str, Any]) -> dict[str, Any]:
    """The provider's type as documentation, not as a condition."""
    return {"description": "Any value is kept; documented is the type in x-documented.", "x-documented": node}
