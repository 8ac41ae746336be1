"""Receipts over HTTP: for whom, of what, and that what comes is checked without the gateway."""

import asyncio
import base64
from contextlib import asynccontextmanager
from dataclasses import replace
from xml.etree import ElementTree as ET

import httpx
import pytest

from gateway.application import create_app
from gateway.errors import Problem
from gateway.identity.sessions import Viewer
from gateway.readmodel.projector import Projector
from gateway.readmodel.queries import ReadModel
from ledger.receipts.checking import check_receipt
from ledger.receipts.trust import decode_trust, encode_trust, fingerprint
from tests.support.gateway_database import fresh_database
from tests.support.ledger_world import CHAINCODE
from tests.support.receipt_world import HOUR, IDGRID, LINE_KEY, NEIGHBOUR, ReceiptWorld
from tests.unit.gateway.api_world import assert_problem
from tests.unit.gateway.ledger_double import LedgerDouble, services_over

RECEIPT = f"/v1/settlements/{HOUR}/receipt"


@pytest.fixture(scope="module")
def world():
    return ReceiptWorld()


@asynccontextmanager
async def gateway_over(world):
    services = services_over(
        LedgerDouble(lambda function, args: {}), readmodel=ReadModel(fresh_database(), CHAINCODE)
    )
    projector = Projector(services.readmodel.database, CHAINCODE)
    projector.prepare()
    for number in range(world.store.height()):
        projector.apply(world.block(number))
    for name, viewer in {
        "own": Viewer(IDGRID),
        "other": Viewer(NEIGHBOUR),
        "manager": Viewer("MGR-0001", is_manager=True),
    }.items():
        services.sessions.admit(name, viewer)
    transport = httpx.ASGITransport(app=create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def asked(world, path: str, who: str | None = None):
    async def ask():
        async with gateway_over(world) as client:
            headers = {"authorization": f"Bearer {who}"} if who else {}
            return await client.get(path, headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize(("who", "query"), [("own", ""), ("manager", f"?idgrid={IDGRID}")])
def test_a_settled_hour_comes_as_a_file_that_proves_it(world, who, query):
    answer = asked(world, RECEIPT + query, who)
    assert answer.headers["content-disposition"].endswith(f'"receipt-{HOUR}-{IDGRID}.receipt"')
    trusted = decode_trust(asked(world, "/v1/validators").content)
    assert fingerprint(trusted) == fingerprint(world.trusted)
    assert check_receipt(answer.content, trusted).write.key == LINE_KEY


def test_nobody_gets_another_households(world):
    assert_problem(asked(world, RECEIPT), Problem.NOT_SIGNED_IN)
    assert_problem(asked(world, f"{RECEIPT}?idgrid={IDGRID}", "other"), Problem.FORBIDDEN)


def test_hours_without_a_line_have_none(world):
    assert_problem(asked(world, "/v1/settlements/2026-01-01T15/receipt", "own"), Problem.NOT_FOUND)
    assert_problem(asked(world, f"{RECEIPT}?revision=1", "own"), Problem.NOT_FOUND)
    assert_problem(asked(world, "/v1/settlements/x/receipt", "own"), Problem.INVALID)


def test_any_transaction_has_one_valid_or_not(world):
    proven = check_receipt(asked(world, RECEIPT, "own").content, world.trusted)
    path = f"/v1/transactions/{proven.transaction.tx_id}/receipt"
    again = check_receipt(asked(world, path).content, world.trusted)
    assert (again.transaction, again.write) == (proven.transaction, None)
    unknown = "/v1/transactions/" + "0" * 64 + "/receipt"
    assert_problem(asked(world, unknown), Problem.NOT_FOUND)


def test_the_newest_block_has_no_proof_yet(world):
    newest = asked(world, "/v1/blocks/2").json()["transactions"][0]["transaction_id"]
    answer = asked(world, f"/v1/transactions/{newest}/receipt")
    assert_problem(answer, Problem.CONFLICT, code="NOT_SEALED_YET")
    assert int(answer.headers["retry-after"]) > 0


def test_the_picture_is_a_code_of_the_link(world):
    answer = asked(world, f"{RECEIPT}?file=qr", "own")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert ET.fromstring(answer.content).tag.endswith("svg")


def test_the_link_holds_the_whole_receipt(world, monkeypatch):
    """What is drawn is not read back here; what goes into the drawing is."""
    drawn = []

    def make(content, **_options):
        drawn.append(content)
        raise ZeroDivisionError

    monkeypatch.setattr("gateway.api.receipt_routes.segno.make", make)
    with pytest.raises(ZeroDivisionError):
        asked(world, f"{RECEIPT}?file=qr", "own")
    page, _, packed = drawn[0].partition("#r=")
    assert page == "http://localhost/receipt"
    raw = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
    assert check_receipt(raw, world.trusted).write.key == LINE_KEY


def test_the_list_of_validators_has_one_form(world):
    trusted = replace(world.trusted, as_of_block=2)
    assert asked(world, "/v1/validators").content == encode_trust(trusted)
