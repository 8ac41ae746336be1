"""The HTTP interface over a scripted ledger: every bad input is a problem document."""

import asyncio
import base64
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
from sqlalchemy import text

from chaincode.energy import keys
from chaincode.energy.market.records import MarketOrder
from chaincode.energy.records import encode
from chaincode.energy.registry.records import Participant
from chaincode.energy.tokens.records import Account
from gateway.api.limits import BODY_BYTES_MAX, RateLimit
from gateway.application import create_app
from gateway.errors import LedgerRefusal, Problem
from gateway.readmodel.queries import ReadModel
from gateway.sessions import Sessions, Viewer
from ledger.model.codes import ValidationCode
from tests.unit.gateway.ledger_double import (
    LedgerDouble,
    an_identity,
    follow,
    services_over,
)

IDENTITY = an_identity()
CREATOR = {"mspid": IDENTITY.mspid, "certificate_pem": IDENTITY.certificate_pem.decode()}
LISTING = "2026-01-01T10"
BID = {
    "creator": CREATOR,
    "listing_id": LISTING,
    "energy_wh": 1_000,
    "price_utoken_per_kwh": 54_000,
}


def write_order(function: str, args) -> dict[str, bytes]:
    order = MarketOrder("o1", args[0], "VAL-0001-X", "bid", int(args[1]), int(args[2]), None)
    return {keys.order(args[0], "VAL-0001-X", "o1"): encode(order)}


class World:
    """An app over a ledger double, and a client of it."""

    def __init__(self, client: httpx.AsyncClient, ledger: LedgerDouble, services) -> None:
        self.client = client
        self.ledger = ledger
        self.services = services

    async def signed(self, prepared: httpx.Response) -> tuple[str, str]:
        assert prepared.status_code == 200, prepared.text
        raw = base64.b64decode(prepared.json()["to_sign"])
        return prepared.json()["to_sign"], base64.b64encode(IDENTITY.sign(raw)).decode()

    async def endorsed(self, body: dict = BID) -> httpx.Response:
        proposal, signature = await self.signed(
            await self.client.post("/v1/bids/prepare", json=body)
        )
        return await self.client.post(
            "/v1/transactions/endorse", json={"proposal": proposal, "signature": signature}
        )

    async def submission(self) -> dict[str, str]:
        payload, signature = await self.signed(await self.endorsed())
        return {"payload": payload, "signature": signature}

    def sign_in(self, idgrid: str, *, is_manager: bool = False) -> dict[str, str]:
        token = self.services.sessions.begin(Viewer(idgrid, is_manager))
        return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def a_world(contract=write_order, *, rate: RateLimit | None = None, **ledger_options):
    ledger = LedgerDouble(contract, **ledger_options)
    services = services_over(ledger)
    following = asyncio.create_task(follow(ledger, services))
    transport = httpx.ASGITransport(create_app(services, rate=rate), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield World(client, ledger, services)
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following


def play(scene, **options) -> None:
    async def run() -> None:
        async with a_world(**options) as world:
            await scene(world)

    asyncio.run(run())


def assert_problem(response: httpx.Response, problem: Problem, *, code: str | None = None) -> None:
    assert response.status_code == problem.value.status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    content = response.json()
    assert content["type"] == f"/problems/{problem.value.slug}"
    assert content["title"] == problem.value.title
    assert content["status"] == problem.value.status
    assert content["detail"]
    assert content["instance"] == response.request.url.path
    assert content.get("code") == code


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
    ("change", "pointer"),
    [
        ({"energy_wh": 0}, "/body/energy_wh"),
        ({"energy_wh": -5}, "/body/energy_wh"),
        ({"energy_wh": "1000"}, "/body/energy_wh"),
        ({"energy_wh": 1.5}, "/body/energy_wh"),
        ({"energy_wh": 2**53}, "/body/energy_wh"),
        ({"price_utoken_per_kwh": 0}, "/body/price_utoken_per_kwh"),
        ({"listing_id": "no/such"}, "/body/listing_id"),
        ({"extra": 1}, "/body/extra"),
        ({"creator": {"mspid": "X", "certificate_pem": "none"}}, "/body/creator/certificate_pem"),
    ],
)
def test_wrong_fields_are_named(change, pointer):
    async def scene(world: World) -> None:
        answer = await world.client.post("/v1/bids/prepare", json=BID | change)
        assert_problem(answer, Problem.INVALID)
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]

    play(scene)


def test_what_is_not_there_or_not_allowed():
    async def scene(world: World) -> None:
        client = world.client
        assert_problem(await client.get("/nothing"), Problem.NOT_FOUND)
        wrong_method = await client.delete("/v1/blocks")
        assert_problem(wrong_method, Problem.METHOD_NOT_ALLOWED)
        assert wrong_method.headers["allow"] == "GET"
        assert_problem(await client.get(f"/v1/transactions/{'0' * 64}"), Problem.NOT_FOUND)
        assert_problem(await client.get("/v1/transactions/xyz"), Problem.INVALID)
        assert_problem(await client.get("/v1/blocks/7"), Problem.NOT_FOUND)
        assert_problem(await client.get("/v1/blocks/-1"), Problem.INVALID)
        assert_problem(await client.get("/v1/blocks?limit=501"), Problem.INVALID)
        assert_problem(await client.get(f"/v1/listings/{LISTING}"), Problem.NOT_FOUND)
        assert_problem(await client.get("/v1/listings/today"), Problem.INVALID)
        assert_problem(await client.get("/v1/search?q=77"), Problem.NOT_FOUND)
        assert_problem(await client.get("/login/guess"), Problem.LINK_INVALID)

    play(scene)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", Problem.MALFORMED),
        (b"\xff\xfe", Problem.MALFORMED),
        (b"[]", Problem.INVALID),
        (b'{"proposal":"AAAA","signature":"AAAA"}', Problem.MALFORMED),
        (b'{"proposal":"%%%%","signature":"AAAA"}', Problem.INVALID),
    ],
)
def test_bodies_that_are_no_signed_proposal(content, problem):
    async def scene(world: World) -> None:
        answer = await world.client.post(
            "/v1/transactions/endorse",
            content=content,
            headers={"content-type": "application/json"},
        )
        assert_problem(answer, problem)

    play(scene)


def test_a_body_over_the_limit_is_refused_before_it_is_read():
    async def scene(world: World) -> None:
        too_much = b" " * (BODY_BYTES_MAX + 1)
        assert_problem(
            await world.client.post("/v1/transactions", content=too_much), Problem.BODY_TOO_LARGE
        )

        async def chunks():
            for _ in range(3):
                yield b" " * (BODY_BYTES_MAX // 2)

        assert_problem(
            await world.client.post("/v1/transactions", content=chunks()), Problem.BODY_TOO_LARGE
        )

    play(scene)


def test_a_body_of_another_type_is_refused():
    async def scene(world: World) -> None:
        answer = await world.client.post(
            "/v1/bids/prepare", content=b"<bid/>", headers={"content-type": "text/xml"}
        )
        assert_problem(answer, Problem.UNSUPPORTED_MEDIA)

    play(scene)


def test_too_many_requests_name_the_wait():
    async def scene(world: World) -> None:
        for _ in range(2):
            assert (await world.client.get("/v1/money")).status_code == 200
        answer = await world.client.get("/v1/money")
        assert_problem(answer, Problem.TOO_MANY_REQUESTS)
        assert int(answer.headers["retry-after"]) >= 1

    play(scene, rate=RateLimit(per_second=0.5, burst=2))


def test_a_fault_s_line_in_the_log_names_no_link_and_no_value(monkeypatch, caplog):
    async def scene(world: World) -> None:
        stored = {"value": "a hash"}

        def broken(self, _token):
            with self._database.reading() as connection:
                connection.execute(text("SELECT :value FROM nowhere"), stored)

        monkeypatch.setattr(Sessions, "open", broken)
        answer = await world.client.get("/login/the-token-of-a-link")
        assert_problem(answer, Problem.INTERNAL)

    play(scene)
    assert "request failed: GET /login/{token}" in caplog.text
    assert "nowhere" in caplog.text
    assert "the-token-of-a-link" not in caplog.text
    assert "a hash" not in caplog.text


def test_a_fault_of_the_gateway_is_a_problem_without_its_inside(monkeypatch):
    async def scene(world: World) -> None:
        def broken(*_):
            raise RuntimeError("secret inside")

        monkeypatch.setattr(ReadModel, "entries", broken)
        answer = await world.client.get("/v1/listings")
        assert_problem(answer, Problem.INTERNAL)
        assert "secret" not in answer.text

    play(scene)


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


def test_accounts_are_shown_to_their_owner_and_the_manager_only():
    def contract(function, args):
        return {
            keys.account(idgrid): encode(Account(idgrid, 5_000_000, 0, 0))
            for idgrid in ("VAL-0001-X", "VAL-0002-Y")
        } | {
            keys.participant("VAL-0001-X"): encode(
                Participant(
                    "VAL-0001-X", "prosumer", "household", "CooperativeMSP", "", "approved"
                )
            )
        }

    async def scene(world: World) -> None:
        client = world.client
        body = await world.submission()
        await client.post("/v1/transactions?wait=committed", json=body)
        own, other = "/v1/accounts/VAL-0001-X", "/v1/accounts/VAL-0002-Y"
        assert_problem(await client.get(own), Problem.NOT_SIGNED_IN)
        household = world.sign_in("VAL-0001-X")
        assert (await client.get(own, headers=household)).json()["balance_utoken"] == 5_000_000
        assert_problem(await client.get(other, headers=household), Problem.FORBIDDEN)
        assert_problem(await client.get("/v1/participants", headers=household), Problem.FORBIDDEN)
        manager = world.sign_in("", is_manager=True)
        assert (await client.get(other, headers=manager)).status_code == 200
        people = (await client.get("/v1/participants", headers=manager)).json()["items"]
        assert [person["idgrid"] for person in people] == ["VAL-0001-X"]
        unknown = await client.get("/v1/accounts/VAL-0009-Z", headers=manager)
        assert_problem(unknown, Problem.NOT_FOUND)

    play(scene, contract=contract)


def test_a_browser_gets_a_refusal_as_a_page_and_programs_as_a_problem():
    async def scene(world: World) -> None:
        browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        page = await world.client.get("/login/used", headers=browser)
        assert page.status_code == Problem.LINK_INVALID.value.status
        assert page.headers["content-type"].startswith("text/html")
        assert Problem.LINK_INVALID.value.title in page.text
        assert 'href="/"' in page.text
        named = await world.client.get("/problems/%3Cb%3Ebold", headers=browser)
        assert "&lt;b&gt;bold" in named.text
        assert "<b>" not in named.text
        assert_problem(await world.client.get("/login/used"), Problem.LINK_INVALID)

    play(scene)


def test_a_login_link_works_once_and_its_cookie_is_http_only():
    async def scene(world: World) -> None:
        world.services.sessions.add_link("once", Viewer("VAL-0001-X"))
        first = await world.client.get("/login/once")
        assert first.status_code == 303
        assert "HttpOnly" in first.headers["set-cookie"]
        assert "VAL-0001-X" in (await world.client.get("/")).text
        assert_problem(await world.client.get("/login/once"), Problem.LINK_INVALID)
        await world.client.post("/logout")
        assert "VAL-0001-X" not in (await world.client.get("/")).text

    play(scene)


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


def test_every_page_has_a_strict_content_security_policy():
    async def scene(world: World) -> None:
        page = await world.client.get("/")
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert "unsafe" not in page.headers["content-security-policy"]
        assert "<script>" not in page.text
        assert "style=" not in page.text
        assert "http://" not in page.text
        assert "https://" not in page.text

    play(scene)


def test_every_problem_is_documented_under_its_type():
    async def scene(world: World) -> None:
        listed = (await world.client.get("/problems")).json()
        assert len(listed) == len(Problem)
        for entry in listed:
            page = await world.client.get(entry["type"])
            assert page.json() == entry

    play(scene)
