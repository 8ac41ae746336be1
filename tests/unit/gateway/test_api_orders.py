"""An order through the HTTP interface: prepared, signed, followed; repeated, it is one order."""

import asyncio
import base64

import pytest

from gateway.errors import LedgerRefusal, Problem
from ledger.model.codes import ValidationCode
from tests.unit.gateway.api_world import (
    BID,
    LISTING,
    World,
    assert_problem,
    play,
)


def test_a_bid_travels_from_prepare_to_the_order_book():
    async def scene(world: World) -> None:
        body = await world.submission()
        answer = await world.client.post("/v1/transactions?wait=committed", json=body)
        assert answer.status_code == 200
        status = answer.json()
        assert (status["status"], status["code"], status["block_number"]) == ("valid", "VALID", 0)
        assert status["function"] == "market:place_bid"
        assert status["arguments"] == [LISTING, "1000", "54000"]
        assert answer.headers["location"] == f"/v1/transactions/{status['transaction_id']}"
        location = answer.headers["location"]
        manager = world.sign_in("", is_manager=True)
        again = await world.client.get(location, headers=manager)
        assert again.json() == status
        stranger = await world.client.get(location)
        assert stranger.json() == status | {"arguments": None, "event_payload": None}
        placed = world.services.market.orders(LISTING)
        assert [item.order.energy_wh for item in placed] == [1_000]

    play(scene)


def test_without_waiting_the_answer_is_202_with_a_location():
    async def scene(world: World) -> None:
        body = await world.submission()
        answer = await world.client.post("/v1/transactions", json=body)
        assert answer.status_code == 202
        assert answer.json()["status"] == "submitted"
        found = await world.client.get(answer.headers["location"])
        assert found.json()["status"] == "submitted"
        late = await world.client.post("/v1/transactions?wait=committed&timeout_ms=1", json=body)
        assert late.status_code == 202

    play(scene, holds_back=True)


@pytest.mark.parametrize(
    ("refusal", "problem", "code"),
    [
        (
            LedgerRefusal(
                "ABORTED",
                "failed to endorse transaction",
                (("", "", "chaincode response 409, BIDS_CLOSED: no more orders (x)"),),
            ),
            Problem.CONFLICT,
            "BIDS_CLOSED",
        ),
        (
            LedgerRefusal("ABORTED", "x", (("", "", "INSUFFICIENT_FUNDS: too little (3 of 4)"),)),
            Problem.NOT_ENOUGH_FUNDS,
            "INSUFFICIENT_FUNDS",
        ),
        (
            LedgerRefusal("ABORTED", "x", (("", "", "ROLE_NOT_ALLOWED: no (x)"),)),
            Problem.FORBIDDEN,
            "ROLE_NOT_ALLOWED",
        ),
        (
            LedgerRefusal("PERMISSION_DENIED", "BAD_SIGNATURE: no"),
            Problem.FORBIDDEN,
            "BAD_SIGNATURE",
        ),
        (
            LedgerRefusal("ABORTED", "x", (("", "", "invalid: CERTIFICATE_EXPIRED: old"),)),
            Problem.FORBIDDEN,
            "CERTIFICATE_EXPIRED",
        ),
        (
            LedgerRefusal("ABORTED", "x", (("", "", "OWN_CODE: after BIDS_CLOSED: late"),)),
            Problem.REJECTED,
            None,
        ),
        (
            LedgerRefusal("UNAVAILABLE", "too few orderers; NO_SPACE: disk is short"),
            Problem.LEDGER_UNAVAILABLE,
            "NO_SPACE",
        ),
        (LedgerRefusal("UNAVAILABLE", "no peer"), Problem.LEDGER_UNAVAILABLE, None),
        (LedgerRefusal("DEADLINE_EXCEEDED", "late"), Problem.TIMEOUT, None),
        (LedgerRefusal("RESOURCE_EXHAUSTED", "full"), Problem.TOO_MANY_REQUESTS, None),
        (LedgerRefusal("ABORTED", "something else"), Problem.REJECTED, None),
    ],
)
def test_refusals_of_the_ledger_keep_their_reason(refusal, problem, code):
    def contract(function, args):
        raise refusal

    async def scene(world: World) -> None:
        assert_problem(await world.endorsed(), problem, code=code)
        assert world.services.readmodel.height == 0

    play(scene, contract=contract)


def test_a_transaction_recorded_as_invalid_is_a_problem_with_its_code():
    async def scene(world: World) -> None:
        answer = await world.client.post(
            "/v1/transactions?wait=committed", json=await world.submission()
        )
        assert_problem(answer, Problem.TRANSACTION_CONFLICT, code="MVCC_READ_CONFLICT")
        assert answer.json()["is_retryable"] is True
        assert world.services.market.orders(LISTING) == []

    play(scene, code=ValidationCode.MVCC_READ_CONFLICT)


def test_the_same_signed_transaction_twice_is_one_order():
    async def scene(world: World) -> None:
        body = await world.submission()
        await world.client.post("/v1/transactions?wait=committed", json=body)
        assert_problem(await world.client.post("/v1/transactions", json=body), Problem.CONFLICT)
        assert len(world.ledger.chain) == 1

    play(scene)


def test_idempotency_key_replays_the_first_answer():
    async def scene(world: World) -> None:
        header = {"Idempotency-Key": "k-1"}
        body = await world.submission()
        url = "/v1/transactions?wait=committed"
        first = await world.client.post(url, json=body, headers=header)
        second = await world.client.post(url, json=body, headers=header)
        assert first.status_code == second.status_code == 200
        assert first.json() == second.json()
        assert "idempotency-replayed" not in first.headers
        assert second.headers["idempotency-replayed"] == "true"
        assert len(world.ledger.chain) == 1
        other = await world.client.post("/v1/bids/prepare", json=BID, headers=header)
        assert_problem(other, Problem.KEY_REUSED)

    play(scene)


def test_idempotency_key_in_flight_is_a_conflict():
    async def scene(world: World) -> None:
        header = {"Idempotency-Key": "k-2"}
        body = await world.submission()
        url = "/v1/transactions?wait=committed&timeout_ms=60000"
        first = asyncio.create_task(world.client.post(url, json=body, headers=header))
        await world.ledger.held_back.wait()
        second = await world.client.post(url, json=body, headers=header)
        assert_problem(second, Problem.IN_PROGRESS)
        world.ledger.holds_back = False
        await world.ledger.submit(
            "", base64.b64decode(body["payload"]), base64.b64decode(body["signature"])
        )
        assert (await first).status_code == 200

    play(scene, holds_back=True)


def test_the_explorer_resolves_numbers_hashes_and_transactions():
    async def scene(world: World) -> None:
        client = world.client
        body = await world.submission()
        done = (await client.post("/v1/transactions?wait=committed", json=body)).json()
        block = (await client.get("/v1/blocks/0")).json()
        assert block["transaction_ids"] == [done["transaction_id"]]
        assert block["transactions"][0]["status"] == "valid"
        for query, location in (
            ("0", "/v1/blocks/0"),
            (block["hash"], "/v1/blocks/0"),
            (done["transaction_id"], f"/v1/transactions/{done['transaction_id']}"),
        ):
            found = (await client.get(f"/v1/search?q={query}")).json()
            assert found["location"] == location

    play(scene)


def test_pages_follow_cursors_while_blocks_arrive():
    async def scene(world: World) -> None:
        client = world.client
        for _ in range(5):
            body = await world.submission()
            await client.post("/v1/transactions?wait=committed", json=body)
        first = (await client.get("/v1/transactions?limit=2")).json()
        assert [item["block_number"] for item in first["items"]] == [4, 3]
        body = await world.submission()
        await client.post("/v1/transactions?wait=committed", json=body)
        second = (await client.get(f"/v1/transactions?limit=2&after={first['next']}")).json()
        assert [item["block_number"] for item in second["items"]] == [2, 1]
        blocks = (await client.get("/v1/blocks?limit=4")).json()
        assert [item["number"] for item in blocks["items"]] == [5, 4, 3, 2]
        rest = (await client.get(f"/v1/blocks?limit=4&below={blocks['next']}")).json()
        assert [item["number"] for item in rest["items"]] == [1, 0]
        assert rest["next"] is None

    play(scene)
