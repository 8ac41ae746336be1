"""Every route of the API; `gateway.application` adds the pages."""

from fastapi import FastAPI

from gateway.api import (
    device_routes,
    event_routes,
    explorer_routes,
    health_routes,
    hems_routes,
    identity_routes,
    market_routes,
    marketplace_routes,
    plug_routes,
    problem_routes,
    push_routes,
    raw_data_routes,
    receipt_routes,
    settlement_routes,
    sign_in_routes,
    token_routes,
    transaction_routes,
    webhook_routes,
)

TITLE = "Gridledger gateway"
API_VERSION = "1"
DESCRIPTION = (
    "Energy market of a renewable energy community. Energy in Wh, money in micro-tokens, "
    "prices in micro-tokens per kWh, times in ms UTC. Keys stay with the client."
)


def add_api_routes(app: FastAPI) -> FastAPI:
    """All of them, in the order of the description."""
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
        sign_in_routes,
        explorer_routes,
        event_routes,
        token_routes,
        webhook_routes,
        push_routes,
        problem_routes,
        raw_data_routes,
        health_routes,
    ):
        app.include_router(routes.router)
    return app
