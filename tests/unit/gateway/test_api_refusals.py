"""Every bad input and every fault is a problem document; pages and logins keep their rules."""

import pytest
from sqlalchemy import text

from chaincode.energy import keys
from chaincode.energy.records import encode
from chaincode.energy.registry.records import Participant
from chaincode.energy.tokens.records import Account
from gateway.api.limits import BODY_BYTES_MAX, RateLimit
from gateway.books.market import Market
from gateway.errors import Problem
from gateway.identity.sessions import Sessions, Viewer
from tests.unit.gateway.api_world import BID, LISTING, World, assert_problem, play


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

        monkeypatch.setattr(Market, "page", broken)
        answer = await world.client.get("/v1/listings")
        assert_problem(answer, Problem.INTERNAL)
        assert "secret" not in answer.text

    play(scene)


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
        record = "/v1/participants/VAL-0001-X"
        assert_problem(
            await client.get(record, headers=world.sign_in("VAL-0002-Y")), Problem.FORBIDDEN
        )
        for who in (household, manager):
            assert (await client.get(record, headers=who)).json() == people[0]
        assert (people[0]["balance_utoken"], people[0]["locked_utoken"]) == (5_000_000, 0)
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
