"""What we serve as an OpenAPI 3.1 document, made of the table of kinds and the models that read them."""

from typing import Any

import msgspec

from gateway.kinds import KINDS, Kind
from gateway.settings import GatewaySettings

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "urn:airudder:gateway: and a stable code"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "message"],
                "properties": {"path": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
_REFUSALS = {
    "400": "Not HTTP, or the connection closed before the body was complete",
    "401": "No signature of ours; kept in quarantine",
    "405": "Another method than POST",
    "408": "The body arrived too slowly",
    "413": "The body is too large",
    "415": "Not application/json, or compressed",
    "422": "Authentic, but not what this webhook carries: every fault by its JSON path; kept in quarantine",
    "429": "Too many requests, in flight or a second",
    "503": "Not stored; send it again",
}
_WITH_RETRY_AFTER = ("429", "503")


def document(settings: GatewaySettings) -> dict[str, Any]:
    """The document, for these settings' signature header."""
    models = [kind.mapping.model for kind in KINDS]
    references, components = msgspec.json.schema_components(models, ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "AiRudder webhooks",
            "version": "1",
            "description": "200 `{}` once Kafka or the spool has the delivery, and the same again for a repeat. Fields "
            "that are not listed are accepted and kept.",
        },
        "paths": {
            kind.path: {"post": _operation(kind, schema, settings)}
            for kind, schema in zip(KINDS, references, strict=True)
        },
        "components": {
            "schemas": {
                **{name: _as_accepted(schema) for name, schema in components.items()},
                "Problem": _PROBLEM,
            },
            "securitySchemes": {"signature": {"type": "apiKey", "in": "header", "name": settings.signature_header}},
        },
    }


def _operation(kind: Kind[Any], schema: dict[str, Any], settings: GatewaySettings) -> dict[str, Any]:
    accepted = {"type": "object", "maxProperties": 0}
    return {
        "operationId": kind.name,
        "summary": kind.title,
        "security": [] if settings.signature_mode == "off" else [{"signature": []}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "200": {"description": "Stored", "content": {"application/json": {"schema": accepted}}},
            **{status: _refusal(status, why) for status, why in _REFUSALS.items()},
        },
    }


def _refusal(status: str, why: str) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": why,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in _WITH_RETRY_AFTER:
        answer["headers"] = {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}}}
    return answer


def _as_accepted(schema: dict[str, Any]) -> dict[str, Any]:
    """An object of a strict model as the slow path takes it: with more fields, null for a field that may be missing,
    and any value in a map."""
    properties = {
        name: _property(node, name in schema.get("required", ())) for name, node in schema["properties"].items()
    }
    return {**{k: v for k, v in schema.items() if k not in ("title", "additionalProperties")}, "properties": properties}


def _property(node: dict[str, Any], is_required: bool) -> dict[str, Any]:
    node = {name: value for name, value in node.items() if name != "default"}
    if node.get("type") == "object" and "additionalProperties" in node:
        node["additionalProperties"] = True
    return node if is_required else {"anyOf": [node, {"type": "null"}]}
