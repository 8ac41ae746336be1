"""The application's OpenAPI description: FastAPI's, completed with what it cannot know.

For each operation: who may call it, which problems it answers with, an example of its answer.
"""

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter

from gateway.api.access import BEARER, COOKIE, VISITOR
from gateway.api.idempotency import KEY_CHARACTERS_MAX, SHOWN_ONCE
from gateway.api.ledger_answers import NewBlock
from gateway.api.problems import MEDIA_TYPE
from gateway.api.schemas import PROBLEM_REFERENCE, ProblemDocument

EXAMPLES = Path(__file__).parent / "examples.json"
"""An answer per operation (`METHOD path`), taken from a running gateway."""
SCHEMA = "#/components/schemas/{model}"
REFUSALS = {
    "400": "The request cannot be read",
    "401": "Nobody is signed in, or what should sign in is wrong or has ended",
    "402": "The free balance is too small",
    "403": "The session or token may not do this",
    "404": "There is nothing of that name",
    "409": "The ledger's state does not allow it, or the same request is being answered",
    "413": "The body exceeds the limit",
    "415": "The body is not JSON",
    "422": "A value is missing or out of range",
    "429": "Too many requests; wait `Retry-After` seconds",
    "503": "The ledger, the database or the authority does not answer; nothing was changed",
    "504": "The ledger did not answer in time; ask before sending again",
    "default": "Another problem; `/problems` lists all of them",
}
"""Most follow from what an operation takes and who may call it; a route names the others."""
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and request get the first answer again.",
    "schema": {"type": "string", "pattern": f"^[!-~]{{1,{KEY_CHARACTERS_MAX}}}$"},
}
BLOCK_EVENT_DATA = {
    "type": "string",
    "contentMediaType": "application/json",
    "contentSchema": {"$ref": SCHEMA.format(model="NewBlock")},
}


class DescribedApp(FastAPI):
    """An application whose `/openapi.json` is complete; operations have the routes' names."""

    def __init__(self, **settings: Any) -> None:
        """`settings` are FastAPI's."""
        super().__init__(generate_unique_id_function=lambda route: route.name, **settings)

    def openapi(self) -> dict[str, Any]:
        """OpenAPI 3.1, as served and as stored in `openapi.json`."""
        if self.openapi_schema is None:
            complete(super().openapi())
        assert self.openapi_schema is not None
        return self.openapi_schema


def complete(description: dict[str, Any]) -> None:
    """Add problems, doors and examples to FastAPI's description, in place."""
    components = description.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for kind in (ProblemDocument, NewBlock):
        schema = TypeAdapter(kind).json_schema(mode="serialization", ref_template=SCHEMA)
        schemas |= schema.pop("$defs", {}) | {kind.__name__: schema}
    for name, schema in schemas.items():
        schema["title"] = _title(name)
    for framework_s_own in ("HTTPValidationError", "ValidationError"):
        schemas.pop(framework_s_own, None)
    components["responses"] = {_name(status): _refusal(status) for status in REFUSALS}
    components.get("securitySchemes", {}).pop(VISITOR.scheme_name, None)
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8")) if EXAMPLES.exists() else {}
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            if method == "post" and path not in SHOWN_ONCE:
                operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
            _complete_operation(operation, examples.get(f"{method.upper()} {path}"))


def _title(name: str) -> str:
    """`ListingPage` for what FastAPI calls `Page_Listing_`; clients name classes after it."""
    kind, _, of = name.strip("_").partition("_")
    return f"{of}{kind}"


def _complete_operation(operation: dict[str, Any], example: Any) -> None:
    doors = operation.get("security", [])
    if doors:
        operation["security"] = _alternatives(doors)
    is_open = not doors or any(VISITOR.scheme_name in door for door in doors)
    for status in _statuses(operation, is_open=is_open):
        operation["responses"][status] = {"$ref": PROBLEM_REFERENCE.format(name=_name(status))}
    for answer in operation["responses"].values():
        content = answer.get("content", {})
        if "text/event-stream" in content:
            content["text/event-stream"]["itemSchema"]["properties"]["data"] = BLOCK_EVENT_DATA
        if example is not None and "application/json" in content:
            content["application/json"]["example"] = example


def _alternatives(doors: list[dict[str, list[str]]]) -> list[dict[str, list[str]]]:
    """Any one opens: a person's session, or a token with one of the scopes; {} is a visitor."""
    wanted = [scope for door in doors for scope in door.get(BEARER.scheme_name, [])]
    tokens = [{BEARER.scheme_name: [scope]} for scope in wanted] or [{BEARER.scheme_name: []}]
    visitor: list[dict[str, list[str]]] = (
        [{}] if any(VISITOR.scheme_name in door for door in doors) else []
    )
    return [*visitor, {COOKIE.scheme_name: []}, *tokens]


def _statuses(operation: dict[str, Any], *, is_open: bool) -> list[str]:
    parameters = operation.get("parameters", [])
    has_body = "requestBody" in operation
    named = any(parameter["in"] == "path" for parameter in parameters)
    found = [] if is_open else ["401", "403"]
    found += ["404"] if named else []
    found += ["400", "413", "415"] if has_body else []
    found += ["422"] if parameters or has_body else []
    found += ["409"] if IDEMPOTENCY_KEY in parameters else []
    return [*found, "429", "503", "default"]


def _name(status: str) -> str:
    return f"Problem{status.capitalize()}"


def _refusal(status: str) -> dict[str, Any]:
    return {
        "description": REFUSALS[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": SCHEMA.format(model="ProblemDocument")}}},
    }
