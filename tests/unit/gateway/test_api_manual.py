"""docs/api.md is right: its examples run against a gateway, its tables name what there is."""

import asyncio
import base64
import re
import threading
from contextlib import contextmanager
from pathlib import Path

import httpx

from gateway.api.limits import BODY_BYTES_MAX
from gateway.api.openapi import TABLE_HEAD, openapi_text, table_of_calls
from gateway.api.schemas import PAGE_DEFAULT, PAGE_MAX
from gateway.application import create_app
from gateway.http_connections import ConnectionLimits
from gateway.identity.scopes import SCOPES, Role, Scope
from gateway.identity.sessions import Viewer
from gateway.services import STREAMS_MAX
from tests.unit.gateway.api_world import write_order
from tests.unit.gateway.ledger_double import LedgerDouble, an_identity, follow, services_over
from tests.unit.gateway.serving import serve

MANUAL = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", MANUAL, re.MULTILINE | re.DOTALL)
TOKEN = "a-household"
ROLE_COLUMNS = (Role.HOUSEHOLD, Role.MANAGER, Role.OPERATOR, Role.AUDITOR)


@contextmanager
def a_gateway():
    """On a socket, with an event loop of its own; yields its address."""
    address: list[str] = []
    started, over = threading.Event(), threading.Event()

    async def run() -> None:
        ledger = LedgerDouble(
            lambda function, args: write_order(function, args) if len(args) == 3 else {}
        )
        services = services_over(ledger)
        services.sessions.admit(TOKEN, Viewer("VAL-0001-X"))
        following = asyncio.ensure_future(follow(ledger, services))
        async with serve(create_app(services)) as served:
            address.append(served)
            started.set()
            await asyncio.to_thread(over.wait)
        following.cancel()
        await asyncio.wait((following,))

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    started.wait()
    try:
        yield address[0]
    finally:
        over.set()
        thread.join()


def test_the_examples_of_the_manual_run():
    assert len(EXAMPLES) >= 7
    identity = an_identity()

    def signed(to_sign: str) -> str:
        return base64.b64encode(identity.sign(base64.b64decode(to_sign))).decode()

    session = {"Authorization": f"Bearer {TOKEN}"}
    with a_gateway() as address, httpx.Client(base_url=address, timeout=60) as gateway:
        names = {"gateway": gateway, "identity": identity, "signed": signed, "session": session}
        creator = {"mspid": identity.mspid, "certificate_pem": identity.certificate_pem.decode()}
        first = {"creator": creator, "function": "market:first", "args": []}
        one = gateway.post("/v1/proposals", json=first).json()["to_sign"]
        other = gateway.post(
            "/v1/transactions/endorse", json={"proposal": one, "signature": signed(one)}
        ).json()["to_sign"]
        gateway.post(
            "/v1/transactions?wait=committed", json={"payload": other, "signature": signed(other)}
        )
        for example in EXAMPLES:
            exec(compile(example, "docs/api.md", "exec"), names)


def test_the_table_names_every_call():
    assert MANUAL.endswith(TABLE_HEAD + table_of_calls(openapi_text())), (
        "run: python -m gateway.api.openapi"
    )


def test_the_table_of_scopes_is_the_gateway_s():
    rows = re.findall(r"^\| `([a-z]+:[a-z]+)` \|[^|]*\|(.*)\|$", MANUAL, re.MULTILINE)
    told = {}
    for scope, cells in rows:
        marks = [cell.strip() == "yes" for cell in cells.split("|")]
        told[scope] = {role for role, mark in zip(ROLE_COLUMNS, marks, strict=True) if mark}
    true = {
        scope.value: {role for role in ROLE_COLUMNS if scope in SCOPES[role]}
        for scope in Scope
        if scope is not Scope.DEVICES_READ
    }
    assert told == true


def test_the_limits_of_the_manual_are_the_gateway_s():
    limits = ConnectionLimits()
    for text in (
        f"{BODY_BYTES_MAX // 1024} KiB",
        f"{limits.connections_per_address_max} connections of one address",
        f"{limits.connections_max:,} in all",
        f"{STREAMS_MAX:,} streams",
        f"`limit` is {PAGE_DEFAULT}, at most {PAGE_MAX}",
    ):
        assert text in MANUAL, text
