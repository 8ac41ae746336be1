"""Every route of the API; `gateway.application` adds the pages."""

from typing import Any

from fastapi import FastAPI

from gateway.api import (
    device_routes,
    event_routes,
    explorer_routes,
    hems_routes,
    identity_routes,
    market_routes,
    marketplace_routes,
    plug_routes,
    problem_routes,
    receipt_routes,
    settlement_routes,
    token_routes,
    transaction_routes,
)

TITLE = "Gridledger gateway"
API_VERSION = "1"
DESCRIPTION = (
    "Energy market of a renewable energy community. Energy in Wh, money in micro-tokens, "
    "prices in micro-tokens per kWh, times in ms UTC. Keys stay with the client."
)
PROBLEM_RESPONSE: dict[str, Any] = {
    "description": "A problem (RFC 9457); `/problems` lists them all",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail", "instance"],
                "properties": {
                    "type": {"type": "string", "format": "uri-reference"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "instance": {"type": "string", "format": "uri-reference"},
                },
            }
        }
    },
}


def add_api_routes(app: FastAPI) -> FastAPI:
    """Each may answer with a problem."""
    for routes in (
        transaction_routes,
        market_routes,
        marketplace_routes,
        settlement_routes,
        receipt_routes,
        hems_routes,
        device_routes,
        plug_routes,
        identity_routes,
        explorer_routes,
        event_routes,
        token_routes,
        problem_routes,
    ):
        app.include_router(routes.router, responses={"default": PROBLEM_RESPONSE})
    return app
