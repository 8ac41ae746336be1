"""Who sees and does what through the API: roles, scopes of tokens, and other households' data."""

import asyncio
import itertools

import httpx
import pytest
from sqlalchemy import select

from chaincode.energy import keys
from chaincode.energy.records import encode
from chaincode.energy.tokens.records import Account
from gateway.application import create_app
from gateway.errors import Problem
from gateway.identity.scopes import GRANTABLE, SCOPES, Role, Scope
from gateway.identity.sessions import Viewer
from gateway.shared_state.tables import AnsweredRow
from gateway.transactions.insight import METERED_FUNCTIONS, sees_all_of
from tests.unit.gateway.api_world import LISTING, World, assert_problem, play
from tests.unit.gateway.ledger_double import LedgerDouble, services_over
from tests.unit.gateway.readmodel_blocks import a_listing, a_result

ONE, OTHER = "VAL-0001-X", "VAL-0002-Y"
DAY_MS = 24 * 60 * 60 * 1000


async def a_token(world: World, session: dict[str, str], **request) -> dict[str, str]:
    body = {"label": "script", "scopes": ["own:read"]} | request
    made = await world.client.post("/v1/tokens", json=body, headers=session)
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"/v1/tokens/{made.json()['made']['token_id']}"
    return {"Authorization": f"Bearer {made.json()['token']}"}


async def an_order(world: World) -> httpx.Response:
    """An order of household ONE, in a block."""
    return await world.client.post(
        "/v1/transactions?wait=committed", json=await world.submission()
    )


def test_what_a_transaction_says_is_for_those_it_concerns():
    async def scene(world: World) -> None:
        tx_id = (await an_order(world)).json()["transaction_id"]
        manager = world.sign_in("", is_manager=True)
        sees = {
            "stranger": ({}, False),
            "owner": (world.sign_in(ONE), True),
            "neighbour": (world.sign_in(OTHER), False),
            "manager": (manager, True),
            "operator": (
                await a_token(world, manager, role="operator", scopes=["ledger:read"]),
                True,
            ),
            "auditor": (
                await a_token(world, manager, role="auditor", scopes=["ledger:read"]),
                True,
            ),
        }
        for who, (headers, inside) in sees.items():
            for path in (f"/v1/transactions/{tx_id}", "/v1/transactions", "/v1/blocks/0"):
                content = (await world.client.get(path, headers=headers)).json()
                found = content.get("transactions", content.get("items", [content]))[0]
                assert found["code"] == "VALID"
                assert (found["arguments"] is not None) is inside, (who, path)
                assert (found["event_payload"] is not None) is inside, (who, path)

    play(scene)


def test_the_manager_does_not_see_what_single_meters_reported():
    manager, auditor = Viewer("", is_manager=True), Viewer("", staff_role=Role.AUDITOR)
    for function in METERED_FUNCTIONS:
        assert not sees_all_of(manager, function)
        assert sees_all_of(auditor, function)
    assert sees_all_of(manager, "market:place_bid")
    contract, _, name = next(iter(sorted(METERED_FUNCTIONS))).partition(":")
    assert (contract, name) == ("oracle", "report_readings")


def test_accounts_open_for_owner_manager_and_auditor_by_scope():
    async def scene(world: World) -> None:
        await an_order(world)
        manager, owner = world.sign_in("", is_manager=True), world.sign_in(ONE)
        limited = await a_token(world, owner, scopes=["transactions:write"])
        auditor = await a_token(world, manager, role="auditor", scopes=["community:read"])
        operator = await a_token(world, manager, role="operator", scopes=["ledger:read"])
        for headers, status in (
            (owner, 200),
            (await a_token(world, owner), 200),
            (manager, 200),
            (auditor, 200),
            (limited, 403),
            (operator, 403),
            (world.sign_in(OTHER), 403),
        ):
            answer = await world.client.get(f"/v1/accounts/{ONE}", headers=headers)
            assert answer.status_code == status, answer.text
        for headers, status in ((manager, 200), (auditor, 200), (owner, 403), (operator, 403)):
            answer = await world.client.get("/v1/accounts", headers=headers)
            assert answer.status_code == status

    def contract(_function, args):
        account = Account(idgrid=ONE, balance_utoken=5, sold_wh=0, bought_wh=0)
        return {keys.account(ONE): encode(account)}

    play(scene, contract=contract)


@pytest.mark.parametrize(
    "request_of_token",
    [
        {"role": "manager"},
        {"role": "auditor", "scopes": ["ledger:read"]},
        {"scopes": ["community:read"]},
        {"scopes": ["own:read", "tokens:write"]},
    ],
)
def test_a_household_cannot_give_away_what_it_does_not_have(request_of_token):
    async def scene(world: World) -> None:
        body = {"label": "script", "scopes": ["own:read"]} | request_of_token
        answer = await world.client.post("/v1/tokens", json=body, headers=world.sign_in(ONE))
        assert_problem(answer, Problem.FORBIDDEN)

    play(scene)


def test_no_token_makes_shows_or_ends_tokens():
    async def scene(world: World) -> None:
        body, client = {"label": "x", "scopes": ["transactions:write"]}, world.client
        for session in (world.sign_in(ONE), world.sign_in("", is_manager=True)):
            token = await a_token(world, session, scopes=["transactions:write"])
            for answer in (
                await client.post("/v1/tokens", json=body, headers=token),
                await client.get("/v1/tokens", headers=token),
                await client.delete(f"/v1/tokens/{'0' * 16}", headers=token),
            ):
                assert answer.status_code == 403
                assert answer.json()["scope"] == "tokens:write"

    play(scene)


def test_no_token_opens_a_session_or_names_a_key():
    async def scene(world: World) -> None:
        client, pem = world.client, {"request_pem": "x"}
        for scopes in (["own:read"], ["own:read", "transactions:write"]):
            token = await a_token(world, world.sign_in(ONE), scopes=scopes)
            for answer in (
                await client.put("/v1/password", json={"password": "a long one!"}, headers=token),
                await client.post("/v1/passkeys/options", headers=token),
                await client.post("/v1/passkeys", json={"credential": {}}, headers=token),
                await client.get("/v1/keys", headers=token),
                await client.get("/v1/keys/requests", headers=token),
                await client.post("/v1/keys/requests", json=pem, headers=token),
                await client.post(f"/v1/keys/requests/{'0' * 24}/refuse", headers=token),
                await client.post("/v1/keys/certificates", json=pem, headers=token),
            ):
                assert_problem(answer, Problem.FORBIDDEN)
                assert "set-cookie" not in answer.headers

    play(scene)


def test_a_token_opens_no_page_with_its_owner_s_data_without_the_scope():
    async def scene(world: World) -> None:
        session = world.sign_in(ONE)
        for scopes, status in ((["transactions:write"], 403), (["own:read"], 200)):
            token = await a_token(world, session, scopes=scopes)
            for path in ("/meter", "/production", "/account", "/standing"):
                assert (await world.client.get(path, headers=token)).status_code == status, path

    play(scene)


def test_a_repeated_request_for_a_secret_leaves_none_in_the_database():
    async def scene(world: World) -> None:
        session, key = world.sign_in(ONE), {"Idempotency-Key": "once"}
        token = await a_token(world, session | key)
        tries = [{"idgrid": ONE, "password": "wrong password"}] * 2
        for body in tries:
            answer = await world.client.post("/v1/login/password", json=body, headers=key)
            assert_problem(answer, Problem.LOGIN_FAILED)
        again = await a_token(world, session | key)
        assert again != token
        with world.services.readmodel.database.reading() as connection:
            assert connection.execute(select(AnsweredRow.key_digest)).all() == []

    play(scene)


def test_an_auction_s_matches_are_shown_to_those_in_them():
    async def scene(world: World) -> None:
        await an_order(world)
        path = "/v1/listings/2026-01-01T10/result"
        manager, token = world.sign_in("", is_manager=True), world.sign_in(ONE)
        limited = await a_token(world, token, scopes=["transactions:write"])
        for headers, names in (
            ({}, []),
            (token, [ONE]),
            (limited, []),
            (world.sign_in("VAL-0003-Z"), []),
            (manager, [ONE, OTHER]),
        ):
            answer = (await world.client.get(path, headers=headers)).json()
            assert answer["quantity_wh"] == 2_000
            assert [entry["idgrid"] for entry in answer["matches"]] == names

    def contract(_function, args):
        return a_listing(LISTING) | a_result(LISTING, matched=(ONE, OTHER))

    play(scene, contract=contract)


def test_a_revoked_token_and_one_whose_time_is_over_open_nothing():
    async def scene(world: World) -> None:
        session = world.sign_in(ONE)
        revoked, kept = await a_token(world, session), await a_token(world, session)
        listed = (await world.client.get("/v1/tokens", headers=session)).json()["items"]
        assert len(listed) == 2
        assert not any("glt_" in str(entry) for entry in listed)
        first = next(each for each in listed if services_token(world, revoked) == each["token_id"])
        url = f"/v1/tokens/{first['token_id']}"
        foreign = await world.client.delete(url, headers=world.sign_in(OTHER))
        assert_problem(foreign, Problem.NOT_FOUND)
        assert (await world.client.delete(url, headers=session)).status_code == 204
        account = f"/v1/accounts/{ONE}"
        assert_problem(await world.client.get(account, headers=revoked), Problem.NOT_SIGNED_IN)
        assert_problem(await world.client.get(account, headers=kept), Problem.NOT_FOUND)
        late = services_over(
            LedgerDouble(lambda *_: {}),
            lambda: world.services.clock_ms() + 91 * DAY_MS,
            readmodel=world.services.readmodel,
        )
        transport = httpx.ASGITransport(create_app(late))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            assert_problem(await client.get(account, headers=kept), Problem.NOT_SIGNED_IN)

    play(scene)


def services_token(world: World, headers: dict[str, str]) -> str:
    found = world.services.api_tokens.find(headers["Authorization"].removeprefix("Bearer "))
    assert found is not None
    return found.token_id


def test_an_owner_has_a_limited_number_of_tokens():
    async def scene(world: World) -> None:
        session = world.sign_in(ONE)
        for _ in range(50):
            await a_token(world, session)
        body = {"label": "one more", "scopes": ["own:read"]}
        answer = await world.client.post("/v1/tokens", json=body, headers=session)
        assert_problem(answer, Problem.CONFLICT)

    play(scene)


def test_signed_work_is_relayed_for_strangers_but_not_for_a_token_without_the_scope():
    async def scene(world: World) -> None:
        token = await a_token(world, world.sign_in(ONE))
        body = await world.submission()
        refused = await world.client.post("/v1/transactions", json=body, headers=token)
        assert_problem(refused, Problem.FORBIDDEN)
        assert refused.json()["scope"] == "transactions:write"
        assert (await world.client.post("/v1/transactions", json=body)).status_code == 202

    play(scene)


def test_every_role_that_may_be_given_away_has_a_scope_to_give():
    for maker, roles in GRANTABLE.items():
        assert Scope.TOKENS_WRITE in SCOPES[maker]
        for role in roles:
            assert SCOPES[role] - {Scope.TOKENS_WRITE}
    assert Viewer("", is_oracle=True).role is Role.ORACLE


def test_pages_of_lists_meet_without_gap():
    async def scene(world: World) -> None:
        for _ in range(5):
            await an_order(world)
        manager = world.sign_in("", is_manager=True)
        for path, name in (
            ("/v1/accounts", "idgrid"),
            ("/v1/transactions", "transaction_id"),
            ("/v1/blocks", "number"),
        ):
            whole = (await world.client.get(path, headers=manager)).json()["items"]
            seen, query = [], {"limit": 2}
            while True:
                page = (await world.client.get(path, headers=manager, params=query)).json()
                seen += page["items"]
                assert len(page["items"]) <= 2
                if page["next"] is None:
                    break
                query["below" if name == "number" else "after"] = page["next"]
            assert [each[name] for each in seen] == [each[name] for each in whole], path
            assert len(seen) == 5

    numbers = itertools.count()

    def contract(_function, _args):
        idgrid = f"VAL-{next(numbers):04}"
        account = Account(idgrid=idgrid, balance_utoken=1, sold_wh=0, bought_wh=0)
        return {keys.account(idgrid): encode(account)}

    play(scene, contract=contract)


def test_a_cursor_that_is_none_is_told():
    async def scene(world: World) -> None:
        await an_order(world)
        manager = world.sign_in("", is_manager=True)
        answer = await world.client.get("/v1/accounts?after=nonsense", headers=manager)
        assert_problem(answer, Problem.INVALID)

    play(scene)


def test_replicas_answer_a_repeated_request_once_and_know_what_waits():
    ledger = LedgerDouble(lambda *_: {}, holds_back=True)

    async def run() -> None:
        first = services_over(ledger)
        second = services_over(ledger, readmodel=first.readmodel)
        clients = [
            httpx.AsyncClient(
                transport=httpx.ASGITransport(create_app(services)), base_url="http://gateway"
            )
            for services in (first, second)
        ]
        one, other = clients
        submission = await World(one, ledger, first).submission()
        key = {"Idempotency-Key": "order-1"}
        answer = await one.post("/v1/transactions", json=submission, headers=key)
        assert answer.status_code == 202
        again = await other.post("/v1/transactions", json=submission, headers=key)
        assert again.json() == answer.json()
        assert again.headers["idempotency-replayed"] == "true"
        another = await other.post("/v1/transactions?wait=committed", json=submission, headers=key)
        assert_problem(another, Problem.KEY_REUSED)
        somebody = key | {"Authorization": "Bearer somebody"}
        own = await other.post("/v1/transactions", json=submission, headers=somebody)
        assert "idempotency-replayed" not in own.headers
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(create_app(second), client=("192.0.2.9", 1)),
            base_url="http://gateway",
        ) as stranger:
            unblocked = await stranger.post(
                "/v1/transactions?wait=committed&timeout_ms=1", json=submission, headers=key
            )
        assert unblocked.status_code != Problem.KEY_REUSED.value.status
        assert "idempotency-replayed" not in unblocked.headers
        waits = await other.get(answer.headers["location"])
        assert waits.json()["status"] == "submitted"
        for client in clients:
            await client.aclose()

    asyncio.run(run())


def test_a_request_in_work_anywhere_is_not_begun_again():
    services = services_over(LedgerDouble(lambda *_: {}))
    assert services.answered.begin(b"key", b"request") is None
    known = services.answered.begin(b"key", b"request")
    assert known is not None
    assert known.status is None
    services.answered.abandon(b"key")
    assert services.answered.begin(b"key", b"request") is None
