"""A household's agent: what it wishes for, and that it signs nothing else."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.agent.checks import NotWhatIAsked
from gateway.agent.client import HouseholdClient, OrderRefused
from gateway.agent.strategy import ENERGY_MIN_WH, MarketTerms, wish_for
from gateway.application import create_app
from gateway.errors import LedgerRefusal
from tests.unit.gateway.ledger_double import LedgerDouble, an_identity, services_over

TERMS = MarketTerms("2026-01-01T10", 80_000, 220_000, 10_000)
IDENTITY = an_identity()


@given(st.integers(-50_000, 50_000), st.text("ABC123-", min_size=1, max_size=12))
def test_a_wish_stays_between_the_tariffs_and_below_the_limit(net_wh, household):
    wish = wish_for(household=household, net_wh=net_wh, terms=TERMS)
    assert wish == wish_for(household=household, net_wh=net_wh, terms=TERMS)
    if wish is None:
        assert abs(net_wh) < ENERGY_MIN_WH * 1.1
        return
    assert wish.side == ("offer" if net_wh > 0 else "bid")
    assert TERMS.floor_utoken_per_kwh <= wish.price_utoken_per_kwh <= TERMS.cap_utoken_per_kwh
    assert ENERGY_MIN_WH <= wish.energy_wh <= TERMS.max_order_wh
    assert wish.energy_wh <= abs(net_wh) * 1.08 + 1


@asynccontextmanager
async def a_gateway(ledger: LedgerDouble, tamper=None):
    """An HTTP client of the app; `tamper(path, json)` may change its answers."""
    app = httpx.ASGITransport(create_app(services_over(ledger)))

    class Transport(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            response = await app.handle_async_request(request)
            content = json.loads(await response.aread())
            if tamper is not None:
                content = tamper(request.url.path, content)
            return httpx.Response(response.status_code, json=content)

    async with httpx.AsyncClient(transport=Transport(), base_url="http://gateway") as http:
        yield HouseholdClient(http, IDENTITY)


def test_an_honest_gateway_gets_the_order_through():
    ledger = LedgerDouble(lambda function, args: {"order~x": b"{}"})

    async def play() -> None:
        async with a_gateway(ledger) as household:
            tx_id = await household.submit("market:place_bid", ["h", "1000", "90000"])
            assert len(tx_id) == 64
            assert len(ledger.chain) == 1

    asyncio.run(play())


def another_proposal(function: str, args: list[str]) -> str:
    services = services_over(LedgerDouble(lambda *_: {}))
    prepared = services.transactions.prepare(
        mspid=IDENTITY.mspid,
        certificate_pem=IDENTITY.certificate_pem.decode(),
        function=function,
        args=args,
    )
    return base64.b64encode(prepared.to_sign).decode()


@pytest.mark.parametrize(
    ("function", "args"),
    [
        ("market:place_bid", ["h", "1000", "990000"]),
        ("market:place_offer", ["h", "1000", "90000"]),
    ],
)
def test_a_proposal_with_other_content_is_not_signed(function, args):
    ledger = LedgerDouble(lambda *_: {"order~x": b"{}"})

    def tamper(path, content):
        if path == "/v1/proposals":
            content["to_sign"] = another_proposal(function, args)
        return content

    async def play() -> None:
        async with a_gateway(ledger, tamper) as household:
            with pytest.raises(NotWhatIAsked):
                await household.submit("market:place_bid", ["h", "1000", "90000"])
        assert ledger.chain == []

    asyncio.run(play())


def test_a_transaction_of_another_proposal_is_not_signed():
    ledger = LedgerDouble(lambda *_: {"order~x": b"{}"})
    earlier = []

    def tamper(path, content):
        if path == "/v1/transactions/endorse":
            earlier.append(content["to_sign"])
            content["to_sign"] = earlier[0]
        return content

    async def play() -> None:
        async with a_gateway(ledger, tamper) as household:
            await household.submit("market:place_bid", ["h", "1000", "90000"])
            with pytest.raises(NotWhatIAsked):
                await household.submit("market:place_bid", ["h", "1000", "90000"])
        assert len(ledger.chain) == 1

    asyncio.run(play())


@pytest.mark.parametrize(
    ("status", "body", "raised"),
    [
        (502, "<html>Bad Gateway</html>", OrderRefused),
        (200, "<html>Sign in to this network</html>", OrderRefused),
        (504, "[]", OrderRefused),
        (200, "{}", NotWhatIAsked),
        (200, '{"to_sign": "x"}', NotWhatIAsked),
    ],
)
def test_an_answer_that_is_no_gateways_is_a_refusal(status, body, raised):
    async def play() -> None:
        transport = httpx.MockTransport(lambda _: httpx.Response(status, text=body))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
            with pytest.raises(raised):
                await HouseholdClient(http, IDENTITY).submit("market:place_bid", ["h"])

    asyncio.run(play())


def test_a_refusal_reaches_the_household_with_its_code():
    def contract(function, args):
        raise LedgerRefusal("ABORTED", "x", (("", "", "BIDS_CLOSED: no more (h)"),))

    async def play() -> None:
        async with a_gateway(LedgerDouble(contract)) as household:
            with pytest.raises(OrderRefused) as refused:
                await household.submit("market:place_bid", ["h", "1000", "90000"])
            assert refused.value.code == "BIDS_CLOSED"

    asyncio.run(play())
